//! `StopInstances` and `TerminateInstances`.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{check_dry_run, input, known, take_by_instance};
use crate::{
    buckets::Bucket,
    error::ApiError,
    services::{Answer, from_text},
    world::{
        World,
        machines::{Machine, MachineState, Spot},
    },
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Ask {
    #[serde(default)]
    instance_id: Vec<String>,
    #[serde(default, deserialize_with = "from_text")]
    dry_run: Option<bool>,
}

pub(super) fn stop(world: &mut World, parameters: Value) -> Answer {
    let ids = asked(world, parameters, Bucket::Ec2Stopped)?;
    for machine in ids.iter().filter_map(|id| world.fleet.get(id)) {
        may_stop(machine, machine.seen(world.now))?;
    }
    let forbids = |machine: &Machine| machine.stop_protected.then_some("disableApiStop");
    change(world, &ids, "stopped", forbids, World::stop_machine)
}

/// Whether an instance can be stopped at all. One that cannot fails the whole call.
fn may_stop(machine: &Machine, state: Option<MachineState>) -> Result<(), ApiError> {
    let id = &machine.id;
    let unsupported = |message: String| Err(ApiError::refused("UnsupportedOperation", message));
    if machine.instance_store {
        return unsupported(format!(
            "The instance '{id}' does not have an 'ebs' root device type and cannot be stopped."
        ));
    }
    if machine.spot == Some(Spot::OneTime) {
        return unsupported(format!(
            "You can't stop the Spot Instance '{id}' because it is associated with a one-time Spot Instance request. \
             You can only stop Spot Instances associated with persistent Spot Instance requests."
        ));
    }
    let wrong = [MachineState::Pending, MachineState::ShuttingDown, MachineState::Terminated];
    if state.is_none_or(|state| wrong.contains(&state)) {
        let message = format!("The instance '{id}' is not in a state from which it can be stopped.");
        return Err(ApiError::refused("IncorrectInstanceState", message));
    }
    may_touch(machine)
}

/// What a service manages, its owner may not stop or terminate.
fn may_touch(machine: &Machine) -> Result<(), ApiError> {
    match &machine.operator {
        None => Ok(()),
        Some(operator) => Err(ApiError::refused(
            "OperationNotPermitted",
            format!("The instance '{}' is managed by '{operator}' and cannot be modified.", machine.id),
        )),
    }
}

/// Stop protection keeps an instance from being terminated, too.
pub(super) fn terminate(world: &mut World, parameters: Value) -> Answer {
    let ids = asked(world, parameters, Bucket::Ec2Terminated)?;
    for machine in ids.iter().filter_map(|id| world.fleet.get(id)) {
        may_touch(machine)?;
    }
    let forbids = |machine: &Machine| {
        let stop = machine.stop_protected.then_some("disableApiStop");
        machine.termination_protected.then_some("disableApiTermination").or(stop)
    };
    change(world, &ids, "terminated", forbids, World::terminate_machine)
}

fn asked(world: &mut World, parameters: Value, by_instance: Bucket) -> Result<Vec<String>, ApiError> {
    let ask: Ask = input(parameters)?;
    let at = world.read_moment();
    let ids = known(world, ask.instance_id, "InstanceId", at)?;
    check_dry_run(ask.dry_run)?;
    take_by_instance(world, by_instance, ids.len())?;
    Ok(ids)
}

/// Changes every instance whose zone has none that is protected. A protected one fails the call, after the
/// others have been changed
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_TerminateInstances.html>).
fn change(
    world: &mut World,
    ids: &[String],
    done: &str,
    forbids: impl Fn(&Machine) -> Option<&'static str>,
    act: impl Fn(&mut World, &str),
) -> Answer {
    let mut refusal = None;
    let mut closed = BTreeSet::new();
    for machine in ids.iter().filter_map(|id| world.fleet.get(id)) {
        let gone = machine.seen(world.now).is_none_or(MachineState::is_leaving);
        if let Some(attribute) = forbids(machine).filter(|_| !gone) {
            closed.insert(machine.zone.clone());
            refusal.get_or_insert_with(|| {
                format!(
                    "The instance '{}' may not be {done}. Modify its '{attribute}' instance attribute and try again.",
                    machine.id
                )
            });
        }
    }
    let mut changes = Vec::new();
    for id in ids {
        let Some(machine) = world.fleet.get(id).filter(|machine| !closed.contains(&machine.zone)) else {
            continue;
        };
        let before = machine.seen(world.now);
        act(world, id);
        let after = world.fleet.get(id).and_then(|machine| machine.seen(world.now));
        changes.push(json!({"instanceId": id, "previousState": state(before), "currentState": state(after)}));
    }
    match refusal {
        Some(message) => Err(ApiError::refused("OperationNotPermitted", message)),
        None => Ok(json!({"instancesSet": changes})),
    }
}

fn state(state: Option<MachineState>) -> Value {
    json!(state.map(|state| json!({"code": state.code(), "name": state.name()})))
}
