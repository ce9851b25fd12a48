//! The rules as a whole.

use std::collections::BTreeMap;

use serde_json::Value;

use super::item::{self, Item};
use super::{MOST_TAGS, Rule, RuleFault};

/// Rules that were checked.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// The enabled rules that have no fault, by priority and then by `RuleId`.
    pub rules: Vec<Rule>,
    /// Everything that is wrong, by rule. With any fault, nothing may be written.
    pub faults: Vec<RuleFault>,
}

/// Checks the items of a rules table, each a JSON object, as a whole. Never fails: what is wrong is listed.
#[must_use]
pub fn check(items: &[Value]) -> Checked {
    let mut items: Vec<Item> = items.iter().enumerate().map(|(at, item)| item::read(at, item)).collect();
    same_ids(&mut items);
    same_keys(&mut items);
    too_many(&mut items);
    let mut checked = Checked::default();
    for item in items {
        let name = item.name;
        checked
            .faults
            .extend(item.reasons.into_iter().map(|reason| RuleFault { rule: name.clone(), reason }));
        checked.rules.extend(item.rule.filter(|_| item.enabled));
    }
    checked.rules.sort_by_key(|rule| (rule.priority, rule.id));
    checked
}

impl Item {
    fn refuse(&mut self, reason: String) {
        self.reasons.push(reason);
        self.rule = None;
    }
}

/// The table cannot hold the same id twice, a file can.
fn same_ids(items: &mut [Item]) {
    let mut seen: BTreeMap<i64, usize> = BTreeMap::new();
    for (at, item) in items.iter_mut().enumerate() {
        let Some(id) = item.id else { continue };
        if let Some(first) = seen.insert(id, at) {
            item.refuse(format!(
                "RuleId {id} is there twice: items {} and {} of the list",
                first + 1,
                at + 1
            ));
        }
    }
}

/// Two rules for one key would overwrite each other in turn; keys that differ only in case are one key to
/// whoever reads a bill.
fn same_keys(items: &mut [Item]) {
    let mut by_key: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, item) in items.iter().enumerate().filter(|(_, item)| item.enabled) {
        if let Some(key) = &item.key {
            by_key.entry(key.to_lowercase()).or_default().push(at);
        }
    }
    for places in by_key.into_values().filter(|places| places.len() > 1) {
        let named =
            |at: &usize| items.get(*at).map(|item| (item.name.clone(), item.key.clone().unwrap_or_default()));
        let all: Vec<(String, String)> = places.iter().filter_map(named).collect();
        for at in places {
            let Some(item) = items.get_mut(at) else { continue };
            let own = item.key.clone().unwrap_or_default();
            let others = all.iter().filter(|(name, _)| *name != item.name);
            let others: Vec<String> = others
                .map(|(name, key)| {
                    let how =
                        if *key == own { "the same TagKey" } else { "a TagKey that differs only in case" };
                    format!("rule {name} has {how}")
                })
                .collect();
            if !others.is_empty() {
                item.refuse(format!("TagKey must be unique, but {}", others.join(", and ")));
            }
        }
    }
}

fn too_many(items: &mut [Item]) {
    let enabled: Vec<&mut Item> = items.iter_mut().filter(|item| item.enabled).collect();
    let count = enabled.len();
    for item in enabled.into_iter().skip(MOST_TAGS) {
        item.refuse(format!("{count} rules are enabled, but an instance can have only {MOST_TAGS} tags"));
    }
}

#[cfg(test)]
mod tests;
