use std::collections::HashSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::instance::{Frame, Instance, State};
use crate::owner::{Key, Owner, Owners};
use crate::rules::{Rule, check};
use crate::settings::UntaggedAction;

pub(super) const NOW: &str = "2026-03-01T12:00:00Z";

pub(super) fn now() -> Timestamp {
    NOW.parse().unwrap()
}

pub(super) fn hours_ago(hours: i64) -> Timestamp {
    now() - jiff::SignedDuration::from_hours(hours)
}

pub(super) fn frame() -> Frame {
    Frame { now: now(), account: Some("123456789012".to_owned()), region: Some("eu-west-1".to_owned()) }
}

pub(super) fn instance(tags: &[(&str, &str)]) -> Instance {
    Instance {
        id: "i-1".to_owned(),
        reservation: "r-1".to_owned(),
        vpc: Some("vpc-1".to_owned()),
        zone: "a".to_owned(),
        first_launch: hours_ago(1_000),
        tags: tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        ..Instance::default()
    }
}

pub(super) fn rules(items: &[Value]) -> Vec<Rule> {
    let checked = check(items);
    assert_eq!(checked.faults, vec![]);
    checked.rules
}

/// The three published rules.
pub(super) fn published() -> Vec<Rule> {
    rules(&[
        json!({"RuleId": 1, "TagKey": "ProjectCode", "Action": "Update", "Required": "Y", "Default": "Proj007"}),
        json!({"RuleId": 2, "TagKey": "CreatedBy", "Action": "UserLookup", "Required": "Y", "Default": ""}),
        json!({"RuleId": 3, "TagKey": "Expires", "Action": "Function", "Required": "N", "Default": "today()"}),
    ])
}

pub(super) fn owners() -> Owners {
    let ann = Owner { name: "ann".to_owned(), source: "CloudTrail:IAMUser".to_owned() };
    Owners::from([(Key::Reservation("r-1".to_owned()), Some(ann))])
}

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

#[test]
fn a_run_only_reports_when_it_cannot_be_sure() {
    let good = check(&[json!({"RuleId": 1, "TagKey": "A", "Action": "UserLookup"})]);
    let bad = check(&[json!({"RuleId": 1, "TagKey": "", "Action": "UserLookup"})]);
    let off = check(&[json!({"RuleId": 1, "TagKey": "A", "Action": "UserLookup", "Enabled": "N"})]);
    let fell = |from, to| Some(ReportOnly::FleetFell { from, to });
    for (name, dry_run, rules, last, count, percent, expected) in [
        ("all is well", false, &good, Some(100), 100, 50, None),
        ("the first run", false, &good, None, 5, 50, None),
        ("a dry run", true, &bad, None, 5, 50, Some(ReportOnly::DryRun)),
        ("a faulty rule", false, &bad, None, 5, 50, Some(ReportOnly::FaultyRules)),
        ("no rule", false, &check(&[]), None, 5, 50, Some(ReportOnly::NoRules)),
        ("no rule is on", false, &off, None, 5, 50, Some(ReportOnly::NoRules)),
        ("half of it is gone", false, &good, Some(100), 50, 50, None),
        ("more than half is gone", false, &good, Some(100), 49, 50, fell(100, 49)),
        ("a small fleet", false, &good, Some(9), 1, 50, None),
        ("all of it is gone", false, &good, Some(10), 0, 50, fell(10, 0)),
        ("a narrower limit", false, &good, Some(100), 89, 10, fell(100, 89)),
        ("switched off", false, &good, Some(100), 1, 100, None),
    ] {
        assert_eq!(report_only(dry_run, rules, last, count, percent), expected, "{name}");
    }
}

pub(super) fn policy(action: UntaggedAction) -> Policy {
    Policy { action, grace_hours: 24, cap: 2, cap_percent: 50 }
}

/// A memory in which these instances were first seen untagged so many hours ago.
fn seen(entries: &[(&str, i64)]) -> Memory {
    let untagged =
        entries.iter().map(|(id, hours)| ((*id).to_owned(), Seen { first: hours_ago(*hours), tagged: None }));
    Memory { untagged: untagged.collect(), ..Memory::default() }
}

#[test]
fn an_untagged_instance_is_due_only_when_everything_says_so() {
    use UntaggedAction::{Report, Stop, Terminate};
    let bare = || instance(&[]);
    let due_since = |hours: i64| Standing::Held(Held::Grace { until: hours_ago(hours - 24) });
    let held = |why: Held| Standing::Held(why);
    let spared = Standing::Spared;
    let pending = Instance { reservation: "r-2".to_owned(), ..bare() };
    let grouped = instance(&[("aws:autoscaling:groupName", "web")]);
    let exempt = instance(&[("aws:cloudformation:stack-name", "lab")]);
    for (name, action, instance, seen_hours, expected) in [
        ("due", Terminate, bare(), Some(24), Standing::Due),
        ("due to be stopped", Stop, bare(), Some(24), Standing::Due),
        ("only to be reported", Report, bare(), Some(24), spared(Spared::ReportOnly)),
        ("never seen before", Terminate, bare(), None, due_since(0)),
        ("seen too lately", Terminate, bare(), Some(23), due_since(23)),
        (
            "launched too lately",
            Terminate,
            Instance { first_launch: hours_ago(5), ..bare() },
            Some(24),
            due_since(5),
        ),
        ("pending", Terminate, Instance { state: State::Pending, ..bare() }, Some(24), held(Held::Changing)),
        ("stopping", Stop, Instance { state: State::Stopping, ..bare() }, Some(24), held(Held::Changing)),
        (
            "stopped already",
            Stop,
            Instance { state: State::Stopped, ..bare() },
            Some(24),
            held(Held::Stopped),
        ),
        (
            "stopped, to be terminated",
            Terminate,
            Instance { state: State::Stopped, ..bare() },
            Some(24),
            Standing::Due,
        ),
        ("in a group", Terminate, grouped, Some(24), spared(Spared::AutoScaling)),
        ("spot", Terminate, Instance { spot: true, ..bare() }, Some(24), spared(Spared::Spot)),
        (
            "managed",
            Terminate,
            Instance { operator: Some("eks".to_owned()), ..bare() },
            Some(24),
            spared(Spared::Managed),
        ),
        ("exempt", Terminate, exempt, Some(24), spared(Spared::Exempt)),
        ("of another VPC", Terminate, Instance { vpc: None, ..bare() }, Some(24), spared(Spared::Exempt)),
        (
            "cannot be stopped",
            Stop,
            Instance { instance_store: true, ..bare() },
            Some(24),
            spared(Spared::InstanceStore),
        ),
        (
            "can be terminated",
            Terminate,
            Instance { instance_store: true, ..bare() },
            Some(24),
            Standing::Due,
        ),
        ("owed a look-up", Terminate, pending, Some(24), held(Held::OwnerPending)),
    ] {
        let rules = rules(&[json!({
            "RuleId": 2, "TagKey": "CreatedBy", "Action": "UserLookup", "Scope": {"VpcIds": ["vpc-1"]},
            "Exempt": {"aws:cloudformation:stack-name": "lab"},
        })]);
        let memory = seen_hours.map_or_else(Memory::default, |hours| seen(&[("i-1", hours)]));
        let found = standing(&instance, &rules, &policy(action), &memory, &owners(), &frame());
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn over_the_cap_none_is_touched() {
    let fleet = |untagged: usize, tagged: usize| -> Vec<Instance> {
        let one = |n: usize| Instance { id: format!("i-{n}"), ..instance(&[]) };
        let other = |n: usize| Instance { id: format!("i-{n}"), ..instance(&[("Name", "x")]) };
        (0..untagged).map(one).chain((untagged..untagged + tagged).map(other)).collect()
    };
    let memory = seen(&[("i-0", 48), ("i-1", 48), ("i-2", 48)]);
    for (name, instances, due, acted_on, over) in [
        ("none", fleet(0, 3), 0, 0, false),
        ("within", fleet(2, 2), 2, 2, false),
        ("over the percentage", fleet(2, 1), 2, 0, true),
        ("over the count", fleet(3, 30), 3, 0, true),
    ] {
        let policy = policy(UntaggedAction::Terminate);
        let plan = untagged(&instances, &published(), &policy, &memory, &owners(), &frame());
        assert_eq!((plan.due, plan.to_act_on().count(), plan.over_cap), (due, acted_on, over), "{name}");
        // Whether it acts or not, no rule is applied to what it would act on: a tag would hide it.
        let without: HashSet<usize> = (0..due).collect();
        assert_eq!(plan.without_rules(), without, "{name}");
    }
}

#[test]
fn a_first_sighting_outlives_a_tag_for_as_long_as_the_grace() {
    let tagged = instance(&[("Name", "x")]);
    let bare = instance(&[]);
    let grouped = instance(&[("aws:autoscaling:groupName", "web")]);
    let entry =
        |first, tagged: Option<i64>| Some(Seen { first: hours_ago(first), tagged: tagged.map(hours_ago) });
    for (name, instance, known, action, expected) in [
        ("first seen", &bare, None, UntaggedAction::Stop, entry(0, None)),
        ("still untagged", &bare, entry(50, None), UntaggedAction::Stop, entry(50, None)),
        ("just tagged", &tagged, entry(50, None), UntaggedAction::Stop, entry(50, Some(0))),
        ("tagged for a while", &tagged, entry(50, Some(23)), UntaggedAction::Stop, entry(50, Some(23))),
        ("tagged for the grace", &tagged, entry(50, Some(24)), UntaggedAction::Stop, None),
        ("untagged again", &bare, entry(50, Some(23)), UntaggedAction::Stop, entry(50, None)),
        ("never untagged", &tagged, None, UntaggedAction::Stop, None),
        ("never to be touched", &grouped, None, UntaggedAction::Stop, None),
        ("only reported", &bare, entry(50, None), UntaggedAction::Report, None),
    ] {
        let untagged = known.map(|seen| ("i-1".to_owned(), seen)).into_iter().collect();
        let memory = Memory { untagged, ..Memory::default() };
        let instances = std::slice::from_ref(instance);
        let found = remember(instances, &published(), &policy(action), &memory, &frame());
        assert_eq!(found.get("i-1").copied(), expected, "{name}");
    }
}
