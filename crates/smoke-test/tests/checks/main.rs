//! The smoke test among the real functions, in process, in a world where things go wrong.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod harness;

use std::collections::BTreeSet;

use aws_fake::faults::FaultKind;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::harness::{Account, FUNCTIONS, Told};

const JOB: &str = include_str!("../../../../events/smoke-test/codepipeline-job.json");
const HOOK: &str = include_str!("../../../../events/smoke-test/codedeploy-hook.json");

fn sample(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// The functions that an answer calls sound.
fn passed(answer: &Value) -> Vec<&str> {
    let lines = answer["functions"].as_array().unwrap().iter();
    lines.filter(|line| line["passed"] == true).map(|line| line["function"].as_str().unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_sound_deployment_passes_and_whoever_waits_is_told() {
    for (name, event, expected) in [
        ("CodePipeline", sample(JOB), Some("CodePipeline_20150709.PutJobSuccessResult")),
        ("CodeDeploy", sample(HOOK), Some("CodeDeploy_20141006.PutLifecycleEventHookExecutionStatus")),
        ("nobody", json!({}), None),
    ] {
        let account = Account::new();
        let answer = account.handle(event).await.unwrap();
        assert_eq!(passed(&answer), FUNCTIONS, "{name}: {answer}");
        let told: Vec<_> = account.told().into_iter().map(|told| told.operation).collect();
        assert_eq!(told, Vec::from_iter(expected), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_changes_in_the_account_but_a_sample() {
    let account = Account::new();
    account.handle(json!({})).await.unwrap();
    let calls: BTreeSet<String> =
        account.fake.with(|world| world.calls().map(|(_, call, _)| call.to_owned()).collect());
    let writes: Vec<&str> = calls
        .iter()
        .map(String::as_str)
        .filter(|call| !["Describe", "List", "Get", "Scan"].iter().any(|verb| call.starts_with(verb)))
        .collect();
    assert_eq!(writes, ["PutMetricData"], "{calls:?}");
    for read in ["DescribeAutoScalingInstances", "DescribeInstances", "ListContainerInstances", "Scan"] {
        assert!(calls.contains(read), "{read} was not tried: {calls:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_denied_fails_its_function_and_the_others_are_tried() {
    for (operation, function, reason) in [
        ("ListClusters", "ecs-drainer", "ecs:ListClusters failed: AccessDeniedException"),
        ("ListContainerInstances", "ecs-drainer", "ecs:ListContainerInstances failed: AccessDeniedException"),
        (
            "DescribeAutoScalingInstances",
            "ecs-drainer",
            "autoscaling:DescribeAutoScalingInstances failed: AccessDenied",
        ),
        ("DescribeInstances", "tag-policy", "ec2:DescribeInstances failed: UnauthorizedOperation"),
        ("Scan", "tag-policy", "dynamodb:Scan failed: AccessDeniedException"),
        ("DescribeClusters", "ecs-metrics", "ecs:DescribeClusters failed: AccessDeniedException"),
        ("PutMetricData", "ecs-metrics", "clusters or data of a tick that failed: 8"),
    ] {
        for (event, operation_told, field) in [
            (JOB, "CodePipeline_20150709.PutJobFailureResult", "/failureDetails/message"),
            (HOOK, "CodeDeploy_20141006.PutLifecycleEventHookExecutionStatus", "/status"),
        ] {
            let account = Account::new();
            account.strike(operation, FaultKind::AccessDenied);
            let answer = account.handle(sample(event)).await.unwrap();
            let others: Vec<_> = FUNCTIONS.into_iter().filter(|name| !named(&answer, name, reason)).collect();
            assert_eq!(passed(&answer), others, "{operation}: {answer}");
            assert!(!others.contains(&function), "{operation}: {answer}");
            let Told { operation: told, body } = account.told().remove(0);
            let word = body.pointer(field).and_then(Value::as_str).unwrap_or_default();
            assert_eq!(told, operation_told);
            assert!(word == "Failed" || word.contains(reason), "{operation}: {word}");
        }
    }
}

/// Whether an answer says this of a function.
fn named(answer: &Value, function: &str, reason: &str) -> bool {
    let lines = answer["functions"].as_array().unwrap().iter();
    let mut of_it = lines.filter(|line| line["function"] == function);
    of_it.any(|line| line["outcome"].as_str().unwrap().contains(reason))
}

#[tokio::test(start_paused = true)]
async fn a_plain_invocation_fails_with_the_reason() {
    let account = Account::new();
    account.strike("Scan", FaultKind::AccessDenied);
    let error = account.handle(json!({})).await.unwrap_err();
    assert!(error.starts_with("tag-policy version 7: failed: dynamodb:Scan failed: "), "{error}");
    assert!(account.told().is_empty());
}

#[tokio::test(start_paused = true)]
async fn before_traffic_versions_are_asked_and_afterwards_the_alias() {
    for (event, qualifier) in [(JOB, "live"), (HOOK, "7"), ("{}", "live")] {
        let account = Account::new();
        account.handle(sample(event)).await.unwrap();
        assert_eq!(account.qualifiers(), [qualifier; 4]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_alias_that_was_not_moved_is_found() {
    let mut account = Account::new();
    account.serving = "6";
    let answer = account.handle(sample(JOB)).await.unwrap();
    assert!(passed(&answer).is_empty(), "{answer}");
    assert!(named(&answer, "ecs-drainer", "version 6 answered instead of 7"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_word_that_does_not_arrive_is_an_error_so_that_lambda_tries_again() {
    for event in [JOB, HOOK] {
        let mut account = Account::new();
        account.deaf = true;
        let error = account.handle(sample(event)).await.unwrap_err();
        assert!(error.contains("failed: AccessDeniedException: not you"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_function_without_room_is_tried_for_long_and_only_the_metric_writer_may_have_none() {
    for (busy, sound) in [("ecs-metrics", true), ("tag-policy", false)] {
        let mut account = Account::new();
        account.busy = busy;
        let began = Instant::now();
        let answer = account.handle(sample(JOB)).await.unwrap();
        let took = began.elapsed().as_secs();
        // The back-off is drawn: 69 s have been seen. The metric writer is busy for a minute.
        assert!((60..240).contains(&took), "{took} s");
        assert_eq!(answer["passed"], sound, "{answer}");
        assert!(named(&answer, "ecs-metrics", if sound { "not tried" } else { "measured" }), "{answer}");
    }
}
