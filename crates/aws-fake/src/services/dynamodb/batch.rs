//! `BatchGetItem` and `BatchWriteItem`.

use std::collections::{BTreeMap, BTreeSet};

use rand::Rng;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::input;
use crate::{
    error::ApiError,
    services::Answer,
    world::{
        World,
        tables::{Key, invalid},
        values::Item,
    },
};

/// Most keys of one `BatchGetItem`
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html>).
const MOST_KEYS: usize = 100;
/// Most writes of one `BatchWriteItem`
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html>).
const MOST_WRITES: usize = 25;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct BatchGet {
    request_items: BTreeMap<String, Keys>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Keys {
    keys: Vec<Item>,
    consistent_read: Option<bool>,
}

pub(super) fn get(world: &mut World, parameters: Value) -> Answer {
    let ask: BatchGet = input(parameters)?;
    check_number("keys", ask.request_items.values().map(|table| table.keys.len()), MOST_KEYS)?;
    let mut asked = Vec::new();
    for (name, wanted) in &ask.request_items {
        for given in &wanted.keys {
            asked.push((name, given, world.table(name)?.exact_key(given)?));
        }
    }
    check_distinct(asked.iter().map(|(name, _, key)| (*name, key)))?;
    let mut responses: BTreeMap<_, Vec<_>> =
        ask.request_items.keys().map(|name| (name, Vec::new())).collect();
    let mut left: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (number, (name, given, key)) in asked.into_iter().enumerate() {
        if number > 0 && is_left(world) {
            left.entry(name).or_default().push(given);
        } else if let Some(item) = world.table(name)?.get(key) {
            responses.entry(name).or_default().push(item.clone());
        }
    }
    let left: BTreeMap<_, _> = left
        .into_iter()
        .map(|(name, keys)| {
            let consistent = ask.request_items.get(name).and_then(|table| table.consistent_read);
            (name, json!({"Keys": keys, "ConsistentRead": consistent}))
        })
        .collect();
    Ok(json!({"Responses": responses, "UnprocessedKeys": left}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct BatchWrite {
    request_items: BTreeMap<String, Vec<Write>>,
}

#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
enum Write {
    PutRequest {
        #[serde(rename = "Item")]
        item: Item,
    },
    DeleteRequest {
        #[serde(rename = "Key")]
        key: Item,
    },
}

/// Every write is checked before the first is done; done are then all of them but what is left unprocessed.
pub(super) fn write(world: &mut World, parameters: Value) -> Answer {
    let ask: BatchWrite = input(parameters)?;
    check_number("writes", ask.request_items.values().map(Vec::len), MOST_WRITES)?;
    let mut asked = Vec::new();
    for (name, writes) in &ask.request_items {
        let table = world.table(name)?;
        for write in writes {
            let key = match write {
                Write::PutRequest { item } => table.check(item)?,
                Write::DeleteRequest { key } => table.exact_key(key)?,
            };
            asked.push((name, write, key));
        }
    }
    check_distinct(asked.iter().map(|(name, _, key)| (*name, key)))?;
    let mut left: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (number, (name, write, key)) in asked.into_iter().enumerate() {
        if number > 0 && is_left(world) {
            left.entry(name).or_default().push(write.clone());
            continue;
        }
        let table = world.table(name)?;
        match write {
            Write::PutRequest { item } => drop(table.put(item.clone())?),
            Write::DeleteRequest { .. } => drop(table.delete(key)),
        }
    }
    Ok(json!({"UnprocessedItems": left}))
}

fn check_number(what: &str, numbers: impl Iterator<Item = usize>, most: usize) -> Result<(), ApiError> {
    let numbers: Vec<_> = numbers.collect();
    let total: usize = numbers.iter().sum();
    if numbers.is_empty() || numbers.contains(&0) || total > most {
        return Err(invalid(format!(
            "1 validation error detected: RequestItems must have 1 to {most} {what} in all, and some for each table, not {total}"
        )));
    }
    Ok(())
}

fn check_distinct<'a>(keys: impl Iterator<Item = (&'a String, &'a Key)>) -> Result<(), ApiError> {
    let mut seen = BTreeSet::new();
    for key in keys {
        if !seen.insert(key) {
            return Err(invalid("Provided list of item keys contains duplicates"));
        }
    }
    Ok(())
}

/// Whether DynamoDB has no time for a part of a batch.
fn is_left(world: &mut World) -> bool {
    let probability = world.settings.unprocessed.clamp(0.0, 1.0);
    probability > 0.0 && world.ids.random_bool(probability)
}
