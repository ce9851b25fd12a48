use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::instance::{Frame, Instance};
use crate::owner::{Key, Owner, Owners};
use crate::rules::{Rule, check};

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

mod tag_rules;
mod without_tags;

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
