use super::*;
use crate::decide::{Held, Spared};
use jiff::Timestamp;

fn repair(instance: &str, key: &str, value: &str, problem: Problem) -> Repair {
    Repair { instance: instance.to_owned(), rule: 1, key: key.to_owned(), value: value.to_owned(), problem }
}

fn untagged(instance: &str, outcome: Outcome) -> Untagged {
    Untagged { instance: instance.to_owned(), owner: Some("ann".to_owned()), outcome }
}

/// A report with something in each of its parts.
fn full() -> Report {
    let until = Timestamp::from_second(1_767_312_000).unwrap();
    Report {
        run: Run {
            event: "e-1".to_owned(),
            kind: "run",
            time: "2026-01-01T00:00:00Z".to_owned(),
            account: Some("123456789012".to_owned()),
            region: Some("us-east-1".to_owned()),
            vpc_ids: vec!["vpc-1".to_owned()],
        },
        instances: 12_345,
        rules: vec![RuleCount {
            rule: 1,
            key: "Team".to_owned(),
            checked: 10,
            good: 3,
            in_grace: 1,
            repairs: 5,
            findings: 1,
        }],
        rule_faults: vec![RuleFault { rule: "7".to_owned(), reason: "TagKey is empty".to_owned() }],
        owners: vec![
            OwnerCount { owner: Some("ann".to_owned()), instances: 4 },
            OwnerCount { owner: None, instances: 1 },
        ],
        repairs: vec![
            repair("i-1", "Team", "core", Problem::Missing),
            repair("i-2", "Team", "core", Problem::Missing),
            repair("i-3", "Team", "core", Problem::Missing),
            repair("i-4", "Team", "core", Problem::Missing),
            repair("i-5", "Team", "x", Problem::OtherCase("team".to_owned())),
        ],
        failures: vec![Failure {
            instance: "i-6".to_owned(),
            key: Some("Team".to_owned()),
            reason: "gone".to_owned(),
        }],
        findings: vec![Finding {
            instance: "i-7".to_owned(),
            rule: 1,
            key: "Team".to_owned(),
            problem: Problem::Disallowed("y".to_owned()),
        }],
        untagged: vec![
            untagged("i-8", Outcome::Stopped),
            untagged("i-9", Outcome::Left(Standing::Held(Held::Grace { until }))),
            untagged("i-10", Outcome::Left(Standing::Spared(Spared::Spot))),
        ],
        cap: Cap { due: 1, most: 10, percent: 5, exceeded: false },
        lookups: Lookups { calls: 3, answered: 2, owed: 1, broken_off: None },
        ..Report::default()
    }
}

#[test]
fn the_text_is_for_people() {
    let expected = "\
12,345 instances of account 123456789012 in us-east-1, 2026-01-01T00:00:00Z
VPCs: vpc-1

5 tags repaired, 1 failed, 1 problem only found.

Rules
  1 Team: 10 checked, 3 good, 5 repaired, 1 found, 1 too young

Faulty rules
  rule 7: TagKey is empty

Repaired
  Team = core, was missing: 4 instances
    i-1, i-2, i-3 and 1 more
  Team = x, was team: 1 instance
    i-5

Found, and left as it is
  Team = y is not allowed, says rule 1: 1 instance
    i-7

Failed
  i-6 Team: gone

Instances without a tag
  STOPPED, launched by ann: 1 instance
    i-8
  left until 2026-01-02T00:00:00Z, launched by ann: 1 instance
    i-9
  spared: a spot instance, launched by ann: 1 instance
    i-10

1 instance due, within the cap of at most 10, and 5 % of all.

Owners of the most instances with a problem
  4 ann
  1 (nobody known)

Launchers: 2 found with 3 calls to CloudTrail, 1 left for the next run.
";
    assert_eq!(full().text(100), expected);
}

#[test]
fn whatever_was_not_done_is_said_so() {
    for (why, expected) in [
        (ReportOnly::DryRun, "NOTHING WAS CHANGED: this is a dry run."),
        (ReportOnly::FaultyRules, "NOTHING WAS CHANGED: a rule is faulty."),
        (ReportOnly::NoRules, "NOTHING WAS CHANGED: there is no rule."),
        (
            ReportOnly::FleetFell { from: 10, to: 2 },
            "NOTHING WAS CHANGED: there are 2 instances, and were 10",
        ),
    ] {
        let report = Report { report_only: Some(why), ..full() };
        let text = report.text(100);
        assert!(text.contains(expected) && text.contains("\nTo be repaired\n"), "{text}");
    }
}

#[test]
fn what_is_cut_is_said_and_counts_stay_complete() {
    let text = full().text(1);
    assert!(text.contains("Repaired\n  Team = core, was missing: 4 instances\n    i-1, i-2, i-3 and 1 more\n  and 1 lines more\n"), "{text}");
    let summary = full().summary(2);
    assert_eq!((&summary["counts"]["tagsRepaired"], &summary["counts"]["notListed"]), (&json!(5), &json!(4)));
    assert_eq!(summary["repairs"].as_array().unwrap().len(), 2);
}

#[test]
fn there_is_nothing_to_say_of_a_fleet_in_order() {
    let quiet = Report { instances: 10, ..Report::default() };
    assert!(!quiet.says_something() && !quiet.has_problems());
    let routine = Report { repairs: full().repairs, ..Report::default() };
    assert!(routine.says_something() && !routine.has_problems());
    for report in [
        Report { rule_faults: full().rule_faults, ..Report::default() },
        Report { failures: full().failures, ..Report::default() },
        Report { findings: full().findings, ..Report::default() },
        Report { untagged: full().untagged, ..Report::default() },
        Report { report_only: Some(ReportOnly::NoRules), ..Report::default() },
    ] {
        assert!(report.says_something() && report.has_problems(), "{report:?}");
    }
}

#[test]
fn a_message_is_as_long_as_sns_takes_it() {
    for count in [0, 10, 3_000, 100_000] {
        let repairs =
            (0..count).map(|n| repair(&format!("i-{n:017}"), "Team", &format!("ä{n}"), Problem::Missing));
        let report = Report { repairs: repairs.collect(), ..Report::default() };
        let message = report.message();
        assert!(message.len() <= MESSAGE_BYTES, "{count}: {}", message.len());
        assert!(count < 3_000 || message.len() > MESSAGE_BYTES / 2, "{count}: no more is cut than must be");
        let parts: Value = serde_json::from_str(&message).unwrap();
        let summary: Value = serde_json::from_str(parts["lambda"].as_str().unwrap()).unwrap();
        assert_eq!(summary["counts"]["tagsRepaired"], count);
        assert!(parts["default"].as_str().unwrap().contains("tags repaired"));
    }
}
