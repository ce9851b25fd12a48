//! `Scan`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::input;
use crate::{
    services::Answer,
    world::{
        World,
        tables::invalid,
        values::{self, Item},
    },
};

/// What a page holds at most, in bytes
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Scan.html>).
const LARGEST_PAGE: usize = 1 << 20;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Scan {
    table_name: String,
    limit: Option<usize>,
    exclusive_start_key: Option<Item>,
    // All reads see the latest write here.
    #[serde(rename = "ConsistentRead")]
    _consistent_read: Option<bool>,
}

/// A page that ends because it is full has a key to go on from, even when nothing is left.
pub(super) fn scan(world: &mut World, parameters: Value) -> Answer {
    let ask: Scan = input(parameters)?;
    let table = world.table(&ask.table_name)?;
    if ask.limit == Some(0) {
        return Err(invalid("Limit must be greater than or equal to 1"));
    }
    let last = ask.exclusive_start_key.map(|key| table.exact_key(&key)).transpose();
    let last = last.map_err(|_| invalid("The provided starting key is invalid"))?;
    let limit = ask.limit.unwrap_or(usize::MAX);
    let mut page: Vec<&Item> = Vec::new();
    let mut bytes = 0;
    let mut full = false;
    for item in table.after(last) {
        bytes += values::size(item);
        if bytes > LARGEST_PAGE && !page.is_empty() {
            full = true;
            break;
        }
        page.push(item);
        if page.len() == limit {
            full = true;
            break;
        }
    }
    let next = page.last().filter(|_| full).map(|item| table.key_of(item)).transpose()?;
    let next = next.map(|key| table.key_item(&key));
    Ok(json!({"Items": page, "Count": page.len(), "ScannedCount": page.len(), "LastEvaluatedKey": next}))
}
