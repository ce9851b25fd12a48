use serde_json::{Value, json};

use super::{frame, hours_ago, instance, owners, published, rules};
use crate::decide::tags;
use crate::instance::Instance;
use crate::rules::Rule;

/// A rule for `Team` with other attributes laid over it.
fn team(change: &Value) -> Vec<Rule> {
    let mut rule =
        json!({"RuleId": 4, "TagKey": "Team", "Action": "Update", "Required": "Y", "Default": "core"});
    for (name, value) in change.as_object().unwrap() {
        rule[name] = value.clone();
    }
    rules(&[rule])
}

/// What rules do about an instance, in words.
fn done(rules: &[Rule], instance: &Instance, source_tag: Option<&str>) -> Vec<String> {
    let instances = std::slice::from_ref(instance);
    let plan = tags(rules, instances, |_| true, &owners(), &frame(), source_tag);
    let repairs = plan.repairs.iter().map(|one| format!("{} = {} ({:?})", one.key, one.value, one.problem));
    let removals = plan.removals.iter().map(|one| format!("remove {} = {}", one.key, one.value));
    let findings = plan.findings.iter().map(|one| format!("{}: {:?}", one.key, one.problem));
    repairs.chain(removals).chain(findings).collect()
}

#[test]
fn the_published_rules_do_what_was_published() {
    let all = [("ProjectCode", "X"), ("CreatedBy", "eve"), ("Expires", "2020-01-01")];
    let old =
        Instance { first_launch: hours_ago(24 * 91), reservation: "r-2".to_owned(), ..instance(&all[..1]) };
    let new = Instance { reservation: "r-2".to_owned(), ..instance(&all[..1]) };
    for (name, instance, expected) in [
        ("in order: nothing is overwritten", instance(&all), vec![]),
        (
            "nothing is there",
            instance(&[]),
            vec![
                "ProjectCode = Proj007 (Missing)",
                "CreatedBy = ann (Missing)",
                "Expires = 2026-03-01 (Missing)",
            ],
        ),
        (
            "all is empty",
            instance(&[("ProjectCode", ""), ("CreatedBy", ""), ("Expires", "")]),
            vec!["ProjectCode = Proj007 (Empty)", "CreatedBy = ann (Empty)", "Expires = 2026-03-01 (Empty)"],
        ),
        (
            "older than the trail",
            old,
            vec!["CreatedBy = Undefined (Missing)", "Expires = 2026-03-01 (Missing)"],
        ),
        ("yet to be looked up", new, vec!["Expires = 2026-03-01 (Missing)", "CreatedBy: OwnerPending"]),
    ] {
        assert_eq!(done(&published(), &instance, None), expected, "{name}");
    }
}

#[test]
fn a_rule_does_what_its_attributes_say() {
    let young = Instance { first_launch: hours_ago(2), ..instance(&[]) };
    let full: Vec<(String, String)> = (0..50).map(|n| (format!("K{n}"), "x".to_owned())).collect();
    let full = Instance { tags: full, ..instance(&[]) };
    let mut reserved = instance(&[]);
    reserved.tags = (0..60).map(|n| (format!("aws:K{n}"), "x".to_owned())).collect();
    let mut empty_and_full = full.clone();
    empty_and_full.tags[7] = ("Team".to_owned(), String::new());
    let report = json!({"OnMissing": "report", "Default": null});
    let allowed = json!({"AllowedValues": ["core", "web"], "OnDisallowed": "write"});
    for (name, change, instance, expected) in [
        ("required: missing", json!({}), instance(&[]), vec!["Team = core (Missing)"]),
        ("required: empty", json!({}), instance(&[("Team", "")]), vec!["Team = core (Empty)"]),
        ("not required: missing", json!({"Required": "N"}), instance(&[]), vec!["Team: Missing"]),
        (
            "not required: empty",
            json!({"Required": "N"}),
            instance(&[("Team", "")]),
            vec!["Team = core (Empty)"],
        ),
        ("to report: missing", report.clone(), instance(&[]), vec!["Team: Missing"]),
        ("to report: empty", report, instance(&[("Team", "")]), vec!["Team: Empty"]),
        (
            "to write: missing",
            json!({"Required": "N", "OnMissing": "write"}),
            instance(&[]),
            vec!["Team = core (Missing)"],
        ),
        (
            "disallowed",
            json!({"AllowedValues": ["core"]}),
            instance(&[("Team", "x")]),
            vec![r#"Team: Disallowed("x")"#],
        ),
        (
            "disallowed, to be written",
            allowed.clone(),
            instance(&[("Team", "x")]),
            vec![r#"Team = core (Disallowed("x"))"#],
        ),
        (
            "allowed but for the case",
            allowed,
            instance(&[("Team", "WEB")]),
            vec![r#"Team = web (Disallowed("WEB"))"#],
        ),
        (
            "a pattern is anchored",
            json!({"ValuePattern": "[a-z]+"}),
            instance(&[("Team", "a1")]),
            vec![r#"Team: Disallowed("a1")"#],
        ),
        ("a pattern fits", json!({"ValuePattern": "[a-z]+"}), instance(&[("Team", "web")]), vec![]),
        ("of another VPC", json!({"Scope": {"VpcIds": ["vpc-2"]}}), instance(&[]), vec![]),
        ("of its VPC", json!({"Scope": {"VpcIds": ["vpc-1"]}}), instance(&[]), vec!["Team = core (Missing)"]),
        (
            "of another stage",
            json!({"Scope": {"Tags": {"Stage": "prod"}}}),
            instance(&[("Stage", "beta")]),
            vec![],
        ),
        (
            "of its stage",
            json!({"Scope": {"Tags": {"Stage": ["prod", "beta"]}}}),
            instance(&[("Stage", "beta")]),
            vec!["Team = core (Missing)"],
        ),
        ("exempt", json!({"Exempt": {"NoPolicy": "*"}}), instance(&[("NoPolicy", "1")]), vec![]),
        ("exempt by a tag of AWS", json!({"Exempt": {"aws:x": "*"}}), instance(&[("aws:x", "1")]), vec![]),
        ("in grace", json!({"GraceHours": 3}), young.clone(), vec![]),
        ("past its grace", json!({"GraceHours": 2}), young, vec!["Team = core (Missing)"]),
        ("fifty tags", json!({}), full, vec!["Team: NoRoom"]),
        ("fifty tags, one of them empty", json!({}), empty_and_full, vec!["Team = core (Empty)"]),
        ("tags of AWS take no room", json!({}), reserved, vec!["Team = core (Missing)"]),
    ] {
        assert_eq!(done(&team(&change), &instance, None), expected, "{name}");
    }
}

#[test]
fn a_key_in_another_case_is_renamed_where_the_rule_says_so() {
    let fix = json!({"KeyCaseFix": "Y"});
    for (name, change, instance, expected) in [
        ("another case is another key", json!({}), instance(&[("team", "x")]), vec!["Team = core (Missing)"]),
        (
            "another case, renamed",
            fix.clone(),
            instance(&[("team", "x")]),
            vec![r#"Team = x (OtherCase("team"))"#, "remove team = x"],
        ),
        (
            "two other cases that agree",
            fix.clone(),
            instance(&[("team", "x"), ("TEAM", "x")]),
            vec![r#"Team = x (OtherCase("team"))"#, "remove team = x", "remove TEAM = x"],
        ),
        (
            "two that disagree",
            fix.clone(),
            instance(&[("team", "x"), ("TEAM", "y")]),
            vec!["Team: Ambiguous"],
        ),
        ("another case, empty", fix.clone(), instance(&[("team", "")]), vec!["Team = core (Missing)"]),
        (
            "what a rename has left",
            fix.clone(),
            instance(&[("Team", "x"), ("team", "x")]),
            vec!["remove team = x"],
        ),
        ("both cases", fix, instance(&[("Team", "y"), ("team", "x")]), vec![]),
    ] {
        assert_eq!(done(&team(&change), &instance, None), expected, "{name}");
    }
}

#[test]
fn a_value_of_its_own_must_be_allowed_too() {
    let rule = |change: Value| {
        let mut rule = json!({"RuleId": 4, "TagKey": "By", "Action": "UserLookup", "Required": "Y"});
        rule["ValuePattern"] = change["ValuePattern"].clone();
        rule["Action"] = change["Action"].clone();
        rule["Default"] = change["Default"].clone();
        rules(&[rule])
    };
    for (change, expected) in [
        (json!({"Action": "UserLookup", "ValuePattern": "[a-z]+"}), "By = ann (Missing)"),
        (json!({"Action": "UserLookup", "ValuePattern": "[0-9]+"}), r#"By: NotAllowedToWrite("ann")"#),
        (json!({"Action": "Function", "Default": "region()"}), "By = eu-west-1 (Missing)"),
        (json!({"Action": "Function", "Default": "accountId()"}), "By = 123456789012 (Missing)"),
        (json!({"Action": "Function", "Default": "launchDate()+1y"}), "By = 2027-01-18 (Missing)"),
    ] {
        assert_eq!(done(&rule(change.clone()), &instance(&[]), None), [expected], "{change}");
    }
}

#[test]
fn the_source_is_written_beside_the_owner_and_overwrites_nothing() {
    let lookup = rules(&[json!({"RuleId": 2, "TagKey": "CreatedBy", "Action": "UserLookup"})]);
    let mut full = instance(&[]);
    full.tags = (0..49).map(|n| (format!("K{n}"), "x".to_owned())).collect();
    let old = Instance { reservation: "r-2".to_owned(), first_launch: hours_ago(24 * 91), ..instance(&[]) };
    let source = "CreatedBySource = CloudTrail:IAMUser (Missing)";
    for (name, instance, expected) in [
        ("both", instance(&[]), vec!["CreatedBy = ann (Missing)", source]),
        (
            "nobody can tell",
            old,
            vec!["CreatedBy = Undefined (Missing)", "CreatedBySource = unknown (Missing)"],
        ),
        ("it has a value", instance(&[("CreatedBySource", "x")]), vec!["CreatedBy = ann (Missing)"]),
        ("no room for two", full, vec!["CreatedBy = ann (Missing)"]),
        ("the owner is there", instance(&[("CreatedBy", "eve")]), vec![]),
    ] {
        assert_eq!(done(&lookup, &instance, Some("CreatedBySource")), expected, "{name}");
    }
}

#[test]
fn what_matters_most_gets_the_room_that_is_left() {
    let two = rules(&[
        json!({"RuleId": 1, "TagKey": "A", "Action": "Update", "Required": "Y", "Default": "x"}),
        json!({"RuleId": 2, "TagKey": "B", "Action": "Update", "Required": "Y", "Default": "x", "Priority": 1}),
    ]);
    let mut full = instance(&[]);
    full.tags = (0..49).map(|n| (format!("K{n}"), "x".to_owned())).collect();
    assert_eq!(done(&two, &full, None), ["B = x (Missing)", "A: NoRoom"]);
}
