use super::*;
use crate::rules::{Action, Response};
use serde_json::json;

/// The three items of the published table.
pub(crate) fn published() -> Vec<Value> {
    vec![
        json!({"RuleId": 1, "TagKey": "ProjectCode", "Action": "Update", "Required": "Y", "Default": "Proj007"}),
        json!({"RuleId": 2, "TagKey": "CreatedBy", "Action": "UserLookup", "Required": "Y", "Default": ""}),
        json!({"RuleId": 3, "TagKey": "Expires", "Action": "Function", "Required": "N", "Default": "today()"}),
    ]
}

/// A sound rule with other attributes laid over it; a null removes one.
fn rule(change: &Value) -> Value {
    let mut rule =
        json!({"RuleId": 7, "TagKey": "Team", "Action": "Update", "Required": "Y", "Default": "core"});
    for (name, value) in change.as_object().unwrap() {
        rule[name] = value.clone();
    }
    rule
}

fn faults(items: &[Value]) -> Vec<String> {
    check(items).faults.into_iter().map(|fault| format!("{}: {}", fault.rule, fault.reason)).collect()
}

#[test]
fn the_published_items_are_rules_unchanged() {
    let checked = check(&published());
    assert_eq!(checked.faults, vec![]);
    let read: Vec<_> = checked.rules.iter().map(|rule| (rule.id, rule.key.as_str(), rule.required)).collect();
    assert_eq!(read, [(1, "ProjectCode", true), (2, "CreatedBy", true), (3, "Expires", false)]);
    assert_eq!(checked.rules[0].action, Action::Update(Some("Proj007".to_owned())));
    assert_eq!(checked.rules[1].action, Action::UserLookup("Undefined".to_owned()));
    let missing: Vec<_> = checked.rules.iter().map(|rule| rule.responds(true)).collect();
    assert_eq!(missing, [Response::Write; 3], "rule 3 writes the date although it is not required");
}

#[test]
fn every_attribute_is_read() {
    let checked = check(&[rule(&json!({
        "Enabled": "Y", "AllowedValues": ["core", "web"], "ValuePattern": "[a-z]+", "KeyCaseFix": "Y",
        "OnMissing": "report", "OnDisallowed": "write", "GraceHours": 2, "Priority": 5,
        "Scope": {"VpcIds": ["vpc-1a"], "Tags": {"Stage": ["prod", "beta"]}}, "Exempt": {"NoPolicy": "*"},
    }))]);
    assert_eq!(checked.faults, vec![]);
    let rule = &checked.rules[0];
    assert_eq!((rule.grace_hours, rule.priority, rule.fix_case), (2, 5, true));
    assert_eq!((rule.on_missing, rule.on_disallowed), (Some(Response::Report), Response::Write));
    assert_eq!(rule.scope.vpcs, ["vpc-1a"]);
    assert_eq!(rule.scope.tags.0["Stage"], ["prod", "beta"]);
    assert_eq!(rule.exempt.0["NoPolicy"], Vec::<String>::new());
}

#[test]
fn rules_are_in_the_order_of_their_priority() {
    let items = [
        json!({"RuleId": 1, "TagKey": "A", "Action": "UserLookup"}),
        json!({"RuleId": 2, "TagKey": "B", "Action": "UserLookup", "Priority": 1}),
        json!({"RuleId": 3, "TagKey": "C", "Action": "UserLookup", "Enabled": false}),
        json!({"RuleId": 0, "TagKey": "D", "Action": "UserLookup"}),
    ];
    let ids: Vec<i64> = check(&items).rules.iter().map(|rule| rule.id).collect();
    assert_eq!(ids, [2, 0, 1]);
}

#[test]
fn every_kind_of_faulty_rule_is_refused_with_its_reason() {
    let long = "x".repeat(257);
    for (change, expected) in [
        (json!({"RuleId": null}), "item 1 of the list: RuleId must be a whole number"),
        (json!({"RuleId": "one"}), "item 1 of the list: RuleId must be a whole number"),
        (json!({"RuleId": 1.5}), "item 1 of the list: RuleId must be a whole number"),
        (json!({"Action": "Delete"}), "7: Action must be Update, UserLookup or Function"),
        (json!({"Action": null}), "7: Action must be Update, UserLookup or Function"),
        (json!({"Action": "update"}), "7: Action must be Update, UserLookup or Function"),
        (
            json!({"Action": "Function", "Default": "tomorrow()"}),
            "7: Default must be today(), launchDate(), ",
        ),
        (json!({"Action": "Function", "Default": ""}), "7: Default must be today(), launchDate(), "),
        (json!({"TagKey": null}), "7: TagKey is missing"),
        (json!({"TagKey": ""}), "7: TagKey is empty"),
        (json!({"TagKey": " Team"}), "7: TagKey must not begin or end with a space"),
        (json!({"TagKey": "aws:team"}), "7: TagKey begins with aws:, which is reserved for AWS"),
        (json!({"TagKey": "AwS:team"}), "7: TagKey begins with aws:, which is reserved for AWS"),
        (json!({"TagKey": "k".repeat(129)}), "7: TagKey must be a text of at most 128 characters"),
        (json!({"TagKey": 5}), "7: TagKey must be a text of at most 128 characters"),
        (json!({"Default": long}), "7: Default must be a text of at most 256 characters"),
        (json!({"Default": null}), "7: Default is missing: Update has nothing to write"),
        (json!({"Default": ""}), "7: Default is missing: Update has nothing to write"),
        (
            json!({"Default": null, "OnMissing": "report", "OnDisallowed": "write"}),
            "7: Default is missing: Update has nothing to write",
        ),
        (json!({"Required": "maybe"}), "7: Required must be Y or N"),
        (json!({"Enabled": 1}), "7: Enabled must be Y or N"),
        (json!({"KeyCaseFix": "yes"}), "7: KeyCaseFix must be Y or N"),
        (json!({"OnMissing": "delete"}), "7: OnMissing must be write or report"),
        (json!({"OnDisallowed": true}), "7: OnDisallowed must be write or report"),
        (json!({"AllowedValues": []}), "7: AllowedValues must be a list of one or more texts"),
        (json!({"AllowedValues": "core"}), "7: AllowedValues must be a list of one or more texts"),
        (json!({"AllowedValues": ["core", 5]}), "7: AllowedValues must be a list of one or more texts"),
        (json!({"AllowedValues": ["core", ""]}), "7: AllowedValues must be a list of one or more texts"),
        (json!({"AllowedValues": ["core", long]}), "7: AllowedValues must be a list of one or more texts"),
        (json!({"AllowedValues": ["web"]}), "7: Default is not one of the values that AllowedValues"),
        (json!({"ValuePattern": "[a-z"}), "7: ValuePattern must be a regular expression: "),
        (json!({"ValuePattern": "core)|(x"}), "7: ValuePattern must be a regular expression: "),
        (json!({"ValuePattern": "cor"}), "7: Default is not one of the values that AllowedValues"),
        (json!({"Scope": "vpc-1"}), "7: Scope must be an object with VpcIds"),
        (json!({"Scope": {}}), "7: Scope must be an object with VpcIds"),
        (json!({"Scope": {"Vpcs": []}}), "7: Scope must be an object with VpcIds"),
        (json!({"Scope": {"VpcIds": ["subnet-1"]}}), "7: Scope.VpcIds must be a list of VPC ids"),
        (json!({"Scope": {"VpcIds": []}}), "7: Scope.VpcIds must be a list of VPC ids"),
        (json!({"Scope": {"Tags": {"Stage": []}}}), "7: Scope.Tags must be an object of tag keys"),
        (json!({"Exempt": ["NoPolicy"]}), "7: Exempt must be an object of tag keys"),
        (json!({"Exempt": {"": "x"}}), "7: Exempt must be an object of tag keys"),
        (json!({"GraceHours": -1}), "7: GraceHours must be a whole number from 0 to 8760"),
        (json!({"GraceHours": "2"}), "7: GraceHours must be a whole number from 0 to 8760"),
        (json!({"Priority": 1_000_001}), "7: Priority must be a whole number from 0 to 1000000"),
        (json!({"Defualt": "x"}), "7: unknown attribute Defualt; allowed are RuleId, TagKey, Action, "),
    ] {
        let found = faults(&[rule(&change)]);
        assert_eq!(found.len(), 1, "{change}: {found:?}");
        assert!(found[0].starts_with(expected), "{change}: {found:?}");
        assert!(check(&[rule(&change)]).rules.is_empty(), "{change}: a faulty rule is not applied");
    }
    assert_eq!(
        faults(&[json!("rule")]),
        ["item 1 of the list: a rule is an object with RuleId, TagKey, Action, Required and Default"]
    );
}

#[test]
fn all_faults_of_a_rule_are_listed() {
    let found = faults(&[rule(&json!({"Action": "Nope", "Required": "maybe", "Extra": 1}))]);
    assert_eq!(found.len(), 3, "{found:?}");
}

#[test]
fn rules_that_contradict_each_other_are_all_named() {
    let key = |id: i64, key: &str| rule(&json!({"RuleId": id, "TagKey": key}));
    let off = |id: i64, key: &str| rule(&json!({"RuleId": id, "TagKey": key, "Enabled": "N"}));
    for (name, items, expected) in [
        (
            "the same key",
            vec![key(1, "Team"), key(2, "Team")],
            vec![
                "1: TagKey must be unique, but rule 2 has the same TagKey",
                "2: TagKey must be unique, but rule 1 has the same TagKey",
            ],
        ),
        (
            "another case",
            vec![key(1, "Team"), key(2, "TEAM"), key(3, "Other")],
            vec![
                "1: TagKey must be unique, but rule 2 has a TagKey that differs only in case",
                "2: TagKey must be unique, but rule 1 has a TagKey that differs only in case",
            ],
        ),
        ("one of them is off", vec![key(1, "Team"), off(2, "team")], vec![]),
        (
            "the same id",
            vec![key(1, "Team"), key(1, "Other")],
            vec!["1: RuleId 1 is there twice: items 1 and 2 of the list"],
        ),
    ] {
        assert_eq!(faults(&items), expected, "{name}");
    }
}

#[test]
fn fifty_keys_are_the_most() {
    let rules = |count: i64| (0..count).map(|id| rule(&json!({"RuleId": id, "TagKey": format!("K{id}")})));
    assert_eq!(faults(&rules(50).collect::<Vec<_>>()), Vec::<String>::new());
    let found = faults(&rules(51).collect::<Vec<_>>());
    assert_eq!(found, ["50: 51 rules are enabled, but an instance can have only 50 tags"]);
}
