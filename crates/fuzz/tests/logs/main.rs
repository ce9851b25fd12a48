//! What the functions log at INFO and above, and the errors that they answer with: no bodies of events, no values of tags,
//! no lists of ARNs, nothing that a log is not made of; whatever they are sent, and whatever AWS refuses in whatever words.
//!
//! Every sample event goes through the function that it is for, as it is deployed: with each of its values replaced, one
//! after the other, and with each of its calls failing in each way.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod leaves;
mod stage;

use std::collections::BTreeSet;

use aws_fake::faults::{Calls, Fault, FaultKind};
use fuzz::samples::Samples;
use serde_json::Value;

use crate::leaves::replaced;
use crate::stage::{Function, SECRET, Stage};

/// Put in place of a value of an event.
const CANARY: &str = "zq7canary";
/// Most bytes of a line or an error. The longest are a refusal for want of permission, with three names.
const LONGEST: usize = 1_500;
/// ARNs in a line: a refusal names who may not, and what. More are a list.
const ARNS: usize = 2;

/// The fields of an event that stand in the log, because they are names or ids: of kinds of events, of what a line is
/// about, of the record that failed. What does not look like one is left out.
const NAMED: [(Function, &[&str]); 4] = [
    (
        Function::Drainer,
        &[
            "AutoScalingGroupName",
            "Cluster",
            "ContainerInstance",
            "Event",
            "LifecycleTransition",
            "cluster",
            "detail-type",
            "messageId",
        ],
    ),
    (Function::Metrics, &["ECSClusterName", "clusters"]),
    (Function::Spot, &["detail-type"]),
    (Function::Tags, &["id"]),
];

fn samples(function: Function) -> Vec<(String, Value)> {
    let own = |(name, _): &(String, Value)| name.split('/').next() == Some(function.name());
    let samples: Vec<_> = Samples::read().events.into_iter().filter(own).collect();
    assert!(samples.len() >= 8, "{function:?}: {} samples", samples.len());
    samples
}

/// What is wrong with a text, if it has what no line and no error may have.
fn wrong(text: &str) -> Option<&'static str> {
    let odd = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let body = text.contains(r#"{""#) || text.contains(r#"":"#);
    [
        (text.contains(SECRET), "a value of a tag, of a rule, or a person's name"),
        (body, "a body"),
        (text.matches("arn:").count() > ARNS, "a list of ARNs"),
        (text.len() > LONGEST, "too long"),
        (text.contains(odd), "control characters"),
    ]
    .into_iter()
    .find_map(|(is_so, what)| is_so.then_some(what))
}

fn check(text: &str, place: &str) {
    assert_eq!(wrong(text), None, "{place}: {text:.600?}");
}

#[test]
fn what_must_not_be_logged_is_found() {
    let arns = ["arn:aws:ecs:us-east-1:123456789012:task/prod/1"; 3].join(" ");
    for (text, expected) in [
        ("waiting: tasks have not stopped: service:web 2", None),
        ("ecs:StopTask failed: InvalidParameterException: Value … at 'tasks' failed", None),
        (SECRET, Some("a value of a tag, of a rule, or a person's name")),
        (r#"ecs:StopTask failed: Value '{"task":"x"}' at 'task' failed"#, Some("a body")),
        (r#"failed: "Message":"x""#, Some("a body")),
        (&arns, Some("a list of ARNs")),
        (&"x".repeat(LONGEST + 1), Some("too long")),
        ("two\nlines", Some("control characters")),
        ("\u{202e}", Some("control characters")),
    ] {
        assert_eq!(wrong(text), expected, "{text}");
    }
}

/// Checks all that was said, and returns whether it names the canary.
fn check_all(stage: &Stage, errors: &[String], place: &str) -> bool {
    let lines = stage.lines();
    for line in lines.lines() {
        let Ok(Value::Object(fields)) = serde_json::from_str(line) else {
            panic!("{place}: no line: {line}")
        };
        if fields.contains_key("_aws") {
            continue;
        }
        let level = fields["level"].as_str().unwrap();
        assert!(["INFO", "WARN", "ERROR"].contains(&level), "{place}: {line}");
        // In the line everything is escaped: what is checked is what it says.
        for (field, value) in &fields {
            let said = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            check(&said, &format!("{place}, {field}"));
        }
        assert!(line.len() <= LONGEST, "{place}: {} bytes: {line:.300}", line.len());
    }
    for error in errors {
        check(error, &format!("{place}, the error"));
    }
    let texts = lines.lines().filter(|line| !line.contains("\"_aws\""));
    texts.chain(errors.iter().map(String::as_str)).any(|text| text.contains(CANARY))
}

async fn every_value(function: Function) {
    // It would begin a line of its own, be obeyed by a terminal, and fill the log.
    let forged =
        format!("{CANARY}\n{{\"level\":\"ERROR\"}}\u{1b}[2K\u{9b}31m\u{202e}{}", "zq7canary ".repeat(20_000));
    let mut named = BTreeSet::new();
    let mut runs = 0;
    for (name, sample) in samples(function) {
        for leaf in 0.. {
            let stage = Stage::new(function);
            let Some((field, event)) = replaced(&stage.casting(&sample), leaf, CANARY) else { break };
            let errors = stage.play(event, 1).await;
            if check_all(&stage, &errors, &format!("{name}, {field}")) {
                named.insert(field.clone());
            }
            drop(stage);
            let stage = Stage::new(function);
            let (_, event) = replaced(&stage.casting(&sample), leaf, &forged).unwrap();
            let errors = stage.play(event, 1).await;
            let quoted = check_all(&stage, &errors, &format!("{name}, {field} forged"));
            assert!(!quoted, "{name}, {field}: {}", stage.lines());
            runs += 2;
        }
    }
    let (_, expected) = NAMED.iter().find(|(own, _)| *own == function).unwrap();
    assert_eq!(named, expected.iter().map(ToString::to_string).collect(), "{function:?}, {runs} runs");
}

async fn every_fault(function: Function) {
    use FaultKind::{AccessDenied, Invalid, ServerError, Throttle, TimeoutBefore};
    let mut told = 0;
    for (name, sample) in samples(function) {
        let stage = Stage::new(function);
        let errors = stage.play(stage.casting(&sample), 2).await;
        check_all(&stage, &errors, &name);
        let operations: Vec<String> =
            stage.fake.with(|world| world.calls_by_operation().into_keys().collect());
        drop(stage);
        for operation in operations {
            for kind in [AccessDenied, Invalid, ServerError, Throttle, TimeoutBefore] {
                let stage = Stage::new(function);
                stage.fake.with(|world| world.add_fault(Fault::of(&operation, Calls::All, kind)));
                let errors = stage.play(stage.casting(&sample), 2).await;
                check_all(&stage, &errors, &format!("{name}, {operation} {kind:?}"));
                told += stage.lines().matches(" failed: ").count();
            }
        }
    }
    assert!(told > 50, "{function:?}: {told} failures were told of");
}

macro_rules! functions {
    ($($name:ident: $function:expr;)*) => {$(
        mod $name {
            use super::*;

            #[tokio::test(start_paused = true)]
            async fn no_value_of_an_event_is_logged_but_names() {
                every_value($function).await;
            }

            #[tokio::test(start_paused = true)]
            async fn no_refusal_brings_what_was_sent_into_the_log() {
                every_fault($function).await;
            }
        }
    )*};
}

functions! {
    ecs_drainer: Function::Drainer;
    ecs_metrics: Function::Metrics;
    spot_interruption: Function::Spot;
    tag_policy: Function::Tags;
}
