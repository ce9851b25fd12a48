//! DynamoDB's tables.

use std::{collections::BTreeMap, ops::Bound, time::SystemTime};

use serde::Deserialize;
use serde_json::Value;

use super::{
    World, names,
    values::{self, Attribute, Item},
};
use crate::error::ApiError;

/// Largest item in bytes, names included.
const LARGEST_ITEM: usize = 400 * 1_024;
/// Longest partition key and longest sort key in bytes.
const LONGEST_KEYS: [usize; 2] = [2_048, 1_024];

/// An attribute of a table's key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyPart {
    /// The attribute's name.
    pub name: String,
    /// Its type: `S`, `N` or `B`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// A table that is there from the beginning.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TablePlan {
    /// Its name.
    pub name: String,
    /// Partition key, and sort key if it has one.
    pub key: Vec<KeyPart>,
    /// Its items, as the API writes them: `{"RuleId": {"N": "1"}}`.
    #[serde(default)]
    pub items: Vec<Item>,
}

impl TablePlan {
    /// An empty table with a partition key only.
    pub fn new(name: &str, key: &str, kind: &str) -> Self {
        let key = KeyPart { name: key.to_owned(), kind: kind.to_owned() };
        Self { name: name.to_owned(), key: vec![key], items: Vec::new() }
    }
}

/// A key's values: the partition key's, and the sort key's.
pub(crate) type Key = Vec<Attribute>;

/// A table.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) key: Vec<KeyPart>,
    pub(crate) created_at: SystemTime,
    /// By a hash of the partition key, as a scan finds them: in no order that anybody should rely on.
    items: BTreeMap<(u64, Key), Item>,
}

pub(crate) fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::refused("ValidationException", message)
}

fn place(key: Key) -> (u64, Key) {
    let partition = key.first().map(|value| format!("{value:?}")).unwrap_or_default();
    (names::hash(partition.as_bytes()), key)
}

impl Table {
    pub(crate) fn new(name: &str, key: Vec<KeyPart>, created_at: SystemTime) -> Self {
        Self { name: name.to_owned(), key, created_at, items: BTreeMap::new() }
    }

    /// The key of an item, which must be there, of the right type and not empty.
    pub(crate) fn key_of(&self, item: &Item) -> Result<Key, ApiError> {
        self.key.iter().zip(LONGEST_KEYS).map(|(part, longest)| part.of(item, longest)).collect()
    }

    /// A key that is given as such: it has the key's attributes and no others.
    pub(crate) fn exact_key(&self, given: &Item) -> Result<Key, ApiError> {
        let fits = given.len() == self.key.len()
            && self
                .key
                .iter()
                .all(|part| given.get(&part.name).is_some_and(|value| value.kind() == part.kind));
        if fits {
            self.key_of(given)
        } else {
            Err(invalid("The provided key element does not match the schema"))
        }
    }

    /// The attributes of a key.
    pub(crate) fn key_item(&self, key: &[Attribute]) -> Item {
        self.key.iter().map(|part| part.name.clone()).zip(key.iter().cloned()).collect()
    }

    pub(crate) fn is_key(&self, attribute: &str) -> bool {
        self.key.iter().any(|part| part.name == attribute)
    }

    pub(crate) fn get(&self, key: Key) -> Option<&Item> {
        self.items.get(&place(key))
    }

    /// Puts an item in the place of the one with its key, which is answered.
    pub(crate) fn put(&mut self, item: Item) -> Result<Option<Item>, ApiError> {
        let key = self.check(&item)?;
        Ok(self.items.insert(place(key), item))
    }

    /// Whether an item may be put; its key.
    pub(crate) fn check(&self, item: &Item) -> Result<Key, ApiError> {
        if values::size(item) > LARGEST_ITEM {
            return Err(invalid("Item size has exceeded the maximum allowed size"));
        }
        self.key_of(item)
    }

    pub(crate) fn delete(&mut self, key: Key) -> Option<Item> {
        self.items.remove(&place(key))
    }

    /// The items as a scan finds them, after this key.
    pub(crate) fn after(&self, last: Option<Key>) -> impl Iterator<Item = &Item> {
        let from = last.map(place).map_or(Bound::Unbounded, Bound::Excluded);
        self.items.range((from, Bound::Unbounded)).map(|(_, item)| item)
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }
}

impl KeyPart {
    fn of(&self, item: &Item, longest: usize) -> Result<Attribute, ApiError> {
        let name = &self.name;
        let Some(value) = item.get(name) else {
            return Err(invalid(format!(
                "One or more parameter values were invalid: Missing the key {name} in the item"
            )));
        };
        if value.kind() != self.kind {
            return Err(invalid(format!(
                "One or more parameter values were invalid: Type mismatch for key {name} expected: {} actual: {}",
                self.kind,
                value.kind()
            )));
        }
        match value.size() {
            0 => Err(invalid(format!(
                "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: {name}"
            ))),
            size if size > longest => Err(invalid(format!(
                "One or more parameter values were invalid: Size of {name} has exceeded the maximum size limit of {longest} bytes"
            ))),
            _ => Ok(value.clone()),
        }
    }
}

impl World {
    /// Adds a table with its items. An item without the table's key is left out.
    pub fn add_table(&mut self, plan: TablePlan) {
        let mut table = Table::new(&plan.name, plan.key, self.date());
        for item in plan.items {
            // The caller's own mistake; it shows when the item is looked for.
            let _ = table.put(item);
        }
        self.tables.insert(plan.name, table);
    }

    /// The table of this name.
    pub(crate) fn table(&mut self, name: &str) -> Result<&mut Table, ApiError> {
        let missing = || ApiError::refused("ResourceNotFoundException", "Requested resource not found");
        self.tables.get_mut(name).ok_or_else(missing)
    }

    /// The items of a table, as the API writes them.
    pub fn items(&self, table: &str) -> Vec<Value> {
        let items = self.tables.get(table).into_iter().flat_map(|table| table.after(None));
        items.filter_map(|item| serde_json::to_value(item).ok()).collect()
    }

    /// Puts an item, as the API writes it, into a table by another hand; false when it is none, or the table
    /// is not there.
    pub fn put_item(&mut self, table: &str, item: &Value) -> bool {
        let item = serde_json::from_value::<Item>(item.clone()).ok();
        let put = item.and_then(|item| self.table(table).ok()?.put(item).ok());
        put.is_some()
    }
}
