//! One item: get, put, update, delete.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    ReturnValues,
    expression::{Names, Values, Words, condition, update},
    input,
};
use crate::{
    error::ApiError,
    services::Answer,
    world::{World, tables::invalid, values::Item},
};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Get {
    table_name: String,
    key: Item,
    // All reads see the latest write here.
    #[serde(rename = "ConsistentRead")]
    _consistent_read: Option<bool>,
}

pub(super) fn get(world: &mut World, parameters: Value) -> Answer {
    let ask: Get = input(parameters)?;
    let table = world.table(&ask.table_name)?;
    let key = table.exact_key(&ask.key)?;
    Ok(json!({"Item": table.get(key)}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Put {
    table_name: String,
    item: Item,
    condition_expression: Option<String>,
    #[serde(default)]
    expression_attribute_names: Names,
    #[serde(default)]
    expression_attribute_values: Values,
    #[serde(default)]
    return_values: ReturnValues,
}

pub(super) fn put(world: &mut World, parameters: Value) -> Answer {
    let ask: Put = input(parameters)?;
    ask.return_values.check_no_update()?;
    let words = Words::new(ask.expression_attribute_names, ask.expression_attribute_values);
    let wanted = only_condition(ask.condition_expression.as_deref(), &words)?;
    let table = world.table(&ask.table_name)?;
    let key = table.key_of(&ask.item)?;
    check_condition(wanted.as_ref(), table.get(key))?;
    let old = table.put(ask.item)?;
    Ok(json!({"Attributes": ask.return_values.of(old, None)}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Delete {
    table_name: String,
    key: Item,
    condition_expression: Option<String>,
    #[serde(default)]
    expression_attribute_names: Names,
    #[serde(default)]
    expression_attribute_values: Values,
    #[serde(default)]
    return_values: ReturnValues,
}

pub(super) fn delete(world: &mut World, parameters: Value) -> Answer {
    let ask: Delete = input(parameters)?;
    ask.return_values.check_no_update()?;
    let words = Words::new(ask.expression_attribute_names, ask.expression_attribute_values);
    let wanted = only_condition(ask.condition_expression.as_deref(), &words)?;
    let table = world.table(&ask.table_name)?;
    let key = table.exact_key(&ask.key)?;
    check_condition(wanted.as_ref(), table.get(key.clone()))?;
    let old = table.delete(key);
    Ok(json!({"Attributes": ask.return_values.of(old, None)}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Update {
    table_name: String,
    key: Item,
    #[serde(rename = "UpdateExpression")]
    changes: Option<String>,
    condition_expression: Option<String>,
    #[serde(default)]
    expression_attribute_names: Names,
    #[serde(default)]
    expression_attribute_values: Values,
    #[serde(default)]
    return_values: ReturnValues,
}

/// Changes an item, or makes one of its key and what is set.
pub(super) fn update(world: &mut World, parameters: Value) -> Answer {
    let ask: Update = input(parameters)?;
    let words = Words::new(ask.expression_attribute_names, ask.expression_attribute_values);
    let changes = ask.changes.as_deref().map(|text| update::parse(text, &words)).transpose()?;
    let wanted =
        ask.condition_expression.as_deref().map(|text| condition::parse(text, &words)).transpose()?;
    words.check_all_used(changes.is_some() || wanted.is_some())?;
    let table = world.table(&ask.table_name)?;
    let key = table.exact_key(&ask.key)?;
    let mut touched = changes.iter().flat_map(update::Update::attributes);
    if let Some(attribute) = touched.find(|attribute| table.is_key(attribute)) {
        return Err(invalid(format!(
            "One or more parameter values were invalid: Cannot update attribute {attribute}. This attribute is part of the key"
        )));
    }
    let old = table.get(key).cloned();
    check_condition(wanted.as_ref(), old.as_ref())?;
    let mut new = old.clone().unwrap_or(ask.key);
    if let Some(changes) = changes {
        changes.apply(&mut new)?;
    }
    table.put(new.clone())?;
    Ok(json!({"Attributes": ask.return_values.of(old, Some(new))}))
}

/// The condition of a write that has no other expression.
fn only_condition(text: Option<&str>, words: &Words) -> Result<Option<condition::Condition>, ApiError> {
    let wanted = text.map(|text| condition::parse(text, words)).transpose()?;
    words.check_all_used(wanted.is_some())?;
    Ok(wanted)
}

/// Whether the item, or that there is none, is as the write wants it.
fn check_condition(wanted: Option<&condition::Condition>, item: Option<&Item>) -> Result<(), ApiError> {
    let nothing = Item::new();
    let holds = wanted.is_none_or(|wanted| wanted.holds(item.unwrap_or(&nothing)));
    if holds {
        return Ok(());
    }
    Err(ApiError::refused("ConditionalCheckFailedException", "The conditional request failed"))
}
