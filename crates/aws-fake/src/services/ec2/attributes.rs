//! The attributes that forbid to stop or to terminate an instance.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{check_dry_run, input, invalid, known};
use crate::{
    error::ApiError,
    json::put,
    services::{Answer, from_text},
    world::World,
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Describe {
    instance_id: String,
    attribute: String,
    #[serde(default, deserialize_with = "from_text")]
    dry_run: Option<bool>,
}

pub(super) fn describe(world: &mut World, parameters: Value) -> Answer {
    let ask: Describe = input(parameters)?;
    let id = one(world, ask.instance_id, ask.dry_run)?;
    let value = world.fleet.get(&id).and_then(|machine| match ask.attribute.as_str() {
        "disableApiTermination" => Some(machine.termination_protected),
        "disableApiStop" => Some(machine.stop_protected),
        _ => None,
    });
    let unknown = || {
        let attribute = &ask.attribute;
        invalid(format!("Value ({attribute}) for parameter attribute is invalid. Unknown attribute."))
    };
    let value = value.ok_or_else(unknown)?;
    let mut answer = json!({"instanceId": id});
    put(&mut answer, &ask.attribute, json!({"value": value}));
    Ok(answer)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Modify {
    instance_id: String,
    disable_api_termination: Option<Switch>,
    disable_api_stop: Option<Switch>,
    #[serde(default, deserialize_with = "from_text")]
    dry_run: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Switch {
    #[serde(deserialize_with = "from_text")]
    value: Option<bool>,
}

/// Changes exactly one attribute.
pub(super) fn modify(world: &mut World, parameters: Value) -> Answer {
    let ask: Modify = input(parameters)?;
    let switched = |switch: Switch| switch.value.unwrap_or_default();
    let (termination, stop) = (ask.disable_api_termination.map(switched), ask.disable_api_stop.map(switched));
    if termination.is_some() == stop.is_some() {
        let message = "Exactly one attribute must be given";
        return Err(ApiError::refused("InvalidParameterCombination", message));
    }
    let id = one(world, ask.instance_id, ask.dry_run)?;
    world.change_machine(&id, |machine| {
        machine.termination_protected = termination.unwrap_or(machine.termination_protected);
        machine.stop_protected = stop.unwrap_or(machine.stop_protected);
    });
    Ok(json!({"return": true}))
}

/// The one instance that is meant.
fn one(world: &mut World, id: String, dry_run: Option<bool>) -> Result<String, ApiError> {
    let at = world.read_moment();
    known(world, vec![id.clone()], "instanceId", at)?;
    check_dry_run(dry_run)?;
    Ok(id)
}
