//! What a load does: the file's rules and the table's → a plan. Pure.

use std::collections::BTreeMap;

use serde_json::Value;
use tag_policy::rules::{self, RuleFault};

/// Rules without a fault, in the order of their ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sound(BTreeMap<i64, Value>);

/// What becomes of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is new.
    Added,
    /// It overwrites the table's rule with its id.
    Changed,
    /// It is in the table as it is in the file.
    Unchanged,
    /// It is not in the file, and goes.
    Removed,
    /// It is not in the file, and stays.
    Kept,
}

/// A rule and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its `RuleId`.
    pub id: i64,
    /// What becomes of it.
    pub fate: Fate,
    /// The rule as it will be; one that goes, as it was.
    pub rule: Value,
    /// The attributes that a changed rule differs in.
    pub attributes: Vec<String>,
}

/// What a load does.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Every rule of file and table, in the order of their ids.
    pub changes: Vec<Change>,
    /// What would be wrong with the table afterwards. With any fault, nothing may be written.
    pub faults: Vec<RuleFault>,
}

impl Sound {
    /// The rules, or everything that is wrong with them.
    pub fn of(rules: &[Value]) -> Result<Self, Vec<RuleFault>> {
        let faults = rules::check(rules).faults;
        if faults.is_empty() {
            // A check without faults has seen an id in each, and none twice.
            let by_id = rules.iter().filter_map(|rule| Some((id(rule)?, valued(rule))));
            Ok(Self(by_id.collect()))
        } else {
            Err(faults)
        }
    }
}

impl Plan {
    /// Compares the rules of a file with those of a table. A table's rule without an id is passed over.
    #[must_use]
    pub fn new(file: &Sound, table: Vec<Value>, prune: bool) -> Self {
        let mut there: BTreeMap<i64, Value> =
            table.into_iter().filter_map(|rule| Some((id(&rule)?, rule))).collect();
        let mut changes: Vec<Change> = file
            .0
            .iter()
            .map(|(id, rule)| {
                let old = there.remove(id);
                let attributes = old.as_ref().map(|old| differences(old, rule)).unwrap_or_default();
                let fate = match old {
                    None => Fate::Added,
                    Some(_) if attributes.is_empty() => Fate::Unchanged,
                    Some(_) => Fate::Changed,
                };
                Change { id: *id, fate, rule: rule.clone(), attributes }
            })
            .collect();
        let fate = if prune { Fate::Removed } else { Fate::Kept };
        changes.extend(there.into_iter().map(|(id, rule)| Change { id, fate, rule, attributes: Vec::new() }));
        changes.sort_unstable_by_key(|change| change.id);
        let left = changes.iter().filter(|change| change.fate != Fate::Removed);
        let left: Vec<Value> = left.map(|change| change.rule.clone()).collect();
        Self { faults: rules::check(&left).faults, changes }
    }

    /// The rules of one fate.
    pub fn of(&self, fate: Fate) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(move |change| change.fate == fate)
    }
}

/// A rule's `RuleId`, if it is a whole number.
#[must_use]
pub fn id(rule: &Value) -> Option<i64> {
    rule.get("RuleId")?.as_i64()
}

/// A rule without the attributes that have no value (`Default:` in YAML): to the check they are not there.
fn valued(rule: &Value) -> Value {
    let members = rule.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    members.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn differences(old: &Value, new: &Value) -> Vec<String> {
    let names = |rule: &Value| rule.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
    let mut all: Vec<String> = names(old);
    all.extend(names(new).into_iter().filter(|name: &String| old.get(name).is_none()));
    all.retain(|name| old.get(name) != new.get(name));
    all.sort_unstable();
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rule(id: i64, key: &str) -> Value {
        json!({"RuleId": id, "TagKey": key, "Action": "UserLookup"})
    }

    fn with(mut rule: Value, name: &str, value: Value) -> Value {
        rule[name] = value;
        rule
    }

    fn sound(rules: &[Value]) -> Sound {
        Sound::of(rules).expect("the rules have no fault")
    }

    /// Each rule's fate in short, and the faults of the result.
    fn told(plan: &Plan) -> (String, Vec<String>) {
        let changes = plan.changes.iter().map(|change| {
            let Change { id, fate, attributes, .. } = change;
            if attributes.is_empty() {
                format!("{fate:?} {id}")
            } else {
                format!("{fate:?} {id} {attributes:?}")
            }
        });
        let faults = plan.faults.iter().map(|fault| format!("{}: {}", fault.rule, fault.reason));
        (changes.collect::<Vec<_>>().join(", "), faults.collect())
    }

    #[test]
    fn every_rule_has_its_fate() {
        let file = [rule(2, "B"), rule(1, "A"), with(rule(3, "C"), "Priority", json!(5))];
        let table = || vec![rule(9, "I"), rule(2, "B"), rule(3, "C")];
        for (name, prune, expected) in [
            ("beside the others", false, "Added 1, Unchanged 2, Changed 3 [\"Priority\"], Kept 9"),
            ("alone", true, "Added 1, Unchanged 2, Changed 3 [\"Priority\"], Removed 9"),
        ] {
            let plan = Plan::new(&sound(&file), table(), prune);
            assert_eq!(told(&plan), (expected.to_owned(), vec![]), "{name}");
        }
    }

    #[test]
    fn rules_differ_in_what_they_say_and_not_in_how() {
        let new = with(rule(1, "A"), "AllowedValues", json!(["Undefined", "b"]));
        for (name, old, expected) in [
            ("the same", new.clone(), "Unchanged 1"),
            ("more", with(new.clone(), "Default", json!("")), "Changed 1 [\"Default\"]"),
            ("less", rule(1, "A"), "Changed 1 [\"AllowedValues\"]"),
            (
                "another order",
                with(new.clone(), "AllowedValues", json!(["b", "Undefined"])),
                "Changed 1 [\"AllowedValues\"]",
            ),
            ("no value", with(new.clone(), "Default", Value::Null), "Changed 1 [\"Default\"]"),
            (
                "two",
                with(rule(1, "B"), "AllowedValues", json!(["a"])),
                "Changed 1 [\"AllowedValues\", \"TagKey\"]",
            ),
        ] {
            assert_eq!(
                told(&Plan::new(&sound(std::slice::from_ref(&new)), vec![old], false)).0,
                expected,
                "{name}"
            );
        }
    }

    #[test]
    fn what_has_no_value_in_the_file_is_not_there() {
        let file = sound(&[with(rule(1, "A"), "Default", Value::Null)]);
        assert_eq!(told(&Plan::new(&file, vec![rule(1, "A")], false)).0, "Unchanged 1");
    }

    #[test]
    fn the_table_is_checked_as_it_would_be() {
        let broken = json!({"RuleId": 9, "TagKey": "Z", "Action": "Delete"});
        let action = "9: Action must be Update, UserLookup or Function";
        for (name, table, prune, expected) in [
            ("a broken rule stays", broken.clone(), false, vec![action]),
            ("a broken rule goes", broken, true, vec![]),
            (
                "a key is taken",
                rule(9, "a"),
                false,
                vec![
                    "1: TagKey must be unique, but rule 9 has a TagKey that differs only in case",
                    "9: TagKey must be unique, but rule 1 has a TagKey that differs only in case",
                ],
            ),
            ("a key is freed", rule(9, "a"), true, vec![]),
            ("a broken rule is overwritten", json!({"RuleId": 1, "TagKey": ""}), false, vec![]),
        ] {
            let plan = Plan::new(&sound(&[rule(1, "A")]), vec![table], prune);
            assert_eq!(told(&plan).1, expected, "{name}");
        }
    }

    #[test]
    fn faulty_rules_are_not_sound() {
        for (name, rules) in [
            ("the same id twice", vec![rule(1, "A"), rule(1, "B")]),
            ("no id", vec![json!({"TagKey": "A", "Action": "UserLookup"})]),
            ("the same key twice", vec![rule(1, "A"), rule(2, "A")]),
        ] {
            assert!(Sound::of(&rules).is_err(), "{name}");
        }
    }
}
