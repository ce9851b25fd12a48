use aws_helpers::envelope;

use super::*;

fn now() -> Timestamp {
    "2026-05-08T18:00:00Z".parse().unwrap()
}

/// One line a record: what a sample event asks for.
fn asked(event: &str) -> Vec<String> {
    let event = serde_json::from_str(event).expect("sample events are JSON");
    let records = envelope::open(event).expect("sample events are events").records;
    let lines = records.into_iter().map(|record| match record.message {
        Err(error) => format!("bad: {error}"),
        Ok(message) => match classify(&message, now()) {
            Ok(Command::Skip(reason)) => format!("skip: {reason}"),
            Ok(Command::Terminated(instance)) => format!("{instance} is terminated"),
            Ok(Command::TaskStopped(event)) => {
                let task = event.task.rsplit('/').next().unwrap();
                format!("task {} stopped", &task[..8])
            }
            Ok(Command::Drain(drain)) => {
                let hook = drain.hook.as_ref().map_or("none", |hook| hook.name.as_str());
                let cluster = drain.cluster.as_deref().unwrap_or("unknown");
                let Drain { instance, pass, first_seen, .. } = &*drain;
                let until = drain.until.map(|until| format!(", until {until}")).unwrap_or_default();
                let launched = drain.launched_at.map(|at| format!(", launched {at}")).unwrap_or_default();
                format!("drain {instance} in {cluster}, hook {hook}, pass {pass}, since {first_seen}{until}{launched}")
            }
            Err(error) => format!("bad: {error}"),
        },
    });
    lines.collect()
}

macro_rules! sample {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../../events/ecs-drainer/", $name, ".json")))
    };
}

const TERMINATING: &str =
    "drain i-01234567890abcdef in prod, hook drain, pass 0, since 2026-05-08T16:59:35.661Z";
const CONTINUED: &str =
    "drain i-01234567890abcdef in prod, hook drain, pass 2, since 2026-05-08T16:59:35.661Z";
const FROM_EVENTBRIDGE: &str =
    "drain i-0633ac2b0d9769723 in prod, hook drain, pass 0, since 2026-05-08T16:59:35Z";
const TESTED: &str = "skip: test notification: the hook is attached";

#[test]
fn every_sample_event_is_classified() {
    let table: Vec<((&str, &str), &[&str])> = vec![
        (sample!("sns-terminating"), &[TERMINATING]),
        (sample!("sqs-terminating"), &[TERMINATING]),
        (sample!("sqs-sns-terminating"), &[TERMINATING]),
        (sample!("eventbridge-terminating"), &[FROM_EVENTBRIDGE]),
        (sample!("sqs-eventbridge-terminating"), &[FROM_EVENTBRIDGE]),
        (sample!("sns-continuation"), &[CONTINUED]),
        (sample!("sqs-continuation"), &[CONTINUED]),
        (
            sample!("sqs-drain-request"),
            &["drain i-01234567890abcdef in prod, hook none, pass 0, since 2026-05-08T18:00:00Z"],
        ),
        (
            sample!("sqs-drain-request-until"),
            &["drain i-0b662ef9931388ba0 in unknown, hook none, pass 0, since 2026-05-08T18:00:00Z, \
                 until 2026-05-08T18:01:50Z, launched 2026-05-08T09:00:00Z"],
        ),
        (
            sample!("sns-continuation-urgent"),
            &["drain i-01234567890abcdef in prod, hook drain, pass 2, since 2026-05-08T16:59:35.661Z, \
                 until 2026-05-08T17:01:33Z"],
        ),
        (sample!("eventbridge-terminated"), &["i-0b662ef9931388ba0 is terminated"]),
        (sample!("eventbridge-task-stopped"), &["task b99d40b3 stopped"]),
        (sample!("sqs-task-stopped"), &["task b99d40b3 stopped"]),
        (sample!("sns-test-notification"), &[TESTED]),
        (
            sample!("sns-launching"),
            &["skip: transition is not the terminating one: autoscaling:EC2_INSTANCE_LAUNCHING"],
        ),
        (
            sample!("sns-terminate-notice"),
            &["skip: notice of the group, nothing to drain: autoscaling:EC2_INSTANCE_TERMINATE"],
        ),
        (
            sample!("eventbridge-spot-warning"),
            &["skip: event is not for the drainer: EC2 Spot Instance Interruption Warning"],
        ),
        (
            sample!("sqs-batch"),
            &[
                TERMINATING,
                "drain i-0fedcba9876543210 in prod, hook drain, pass 0, since 2026-05-08T16:59:35.661Z",
                CONTINUED,
                "task b99d40b3 stopped",
                TESTED,
            ],
        ),
        (
            sample!("bad-sqs-one-of-three-is-not-json"),
            &[
                TERMINATING,
                "bad: Records[1] (059f36b4-87a3-44ab-83d2-661970000001): the message is not JSON (line 1, column 24)",
                TESTED,
            ],
        ),
        (
            sample!("bad-sns-instance-missing"),
            &["bad: lifecycle message: EC2InstanceId is missing or not a text"],
        ),
    ];
    let samples =
        std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../events/ecs-drainer")).unwrap();
    assert_eq!(samples.count(), table.len(), "every sample has its line here");
    for ((name, event), expected) in table {
        assert_eq!(asked(event), expected, "{name}");
    }
}

#[test]
fn a_message_that_is_wrong_names_the_field_and_never_quotes_it() {
    for (name, message, expected) in [
        (
            "an instance id that would break out of the filter",
            r#"{"DrainRequest":"x","EC2InstanceId":"i-1] or secret"}"#,
            "drain request: EC2InstanceId is not an instance id (i- and hexadecimal digits)",
        ),
        (
            "a cluster that is none",
            r#"{"DrainRequest":"x","EC2InstanceId":"i-1","Cluster":"a b"}"#,
            "drain request: Cluster is not the name or ARN of a cluster",
        ),
        (
            "an end that is no date",
            r#"{"DrainRequest":"x","EC2InstanceId":"i-1","Until":"secret"}"#,
            "drain request: Until is not a date as RFC 3339 writes it",
        ),
        (
            "a launch that is no date",
            r#"{"DrainRequest":"x","EC2InstanceId":"i-1","LaunchedAt":7}"#,
            "drain request: LaunchedAt is not a date as RFC 3339 writes it",
        ),
        (
            "an instance event of no instance",
            r#"{"source":"aws.ec2","detail-type":"EC2 Instance State-change Notification","detail":{"instance-id":"secret","state":"terminated"}}"#,
            "instance event: instance-id is not an instance id (i- and hexadecimal digits)",
        ),
        (
            "a continuation of another make",
            r#"{"DrainPass":"secret","EC2InstanceId":"i-1"}"#,
            "continuation: a field is missing or of the wrong type",
        ),
        (
            "a lifecycle message without its hook",
            r#"{"LifecycleTransition":"autoscaling:EC2_INSTANCE_TERMINATING","AutoScalingGroupName":"g"}"#,
            "lifecycle message: LifecycleHookName is missing or not a text",
        ),
        (
            "a task event without its task",
            r#"{"source":"aws.ecs","detail-type":"ECS Task State Change","detail":{"lastStatus":"STOPPED","clusterArn":"c","containerInstanceArn":"i"}}"#,
            "task event: taskArn is missing or not a text",
        ),
        (
            "a lifecycle event without its detail",
            r#"{"source":"aws.autoscaling","detail-type":"EC2 Instance-terminate Lifecycle Action"}"#,
            "lifecycle message: LifecycleTransition is missing or not a text",
        ),
    ] {
        let message = serde_json::from_str(message).unwrap();
        let found = classify(&message, now()).map_err(|error| error.to_string());
        assert_eq!(found, Err(expected.to_owned()), "{name}");
    }
}

/// What the function writes to itself, with one thing changed; by JSON pointer.
fn forged(pointer: &str, value: serde_json::Value) -> Result<Command, String> {
    let sample = include_str!("../../../../events/ecs-drainer/sqs-continuation.json");
    let records = envelope::open(serde_json::from_str(sample).unwrap()).unwrap().records;
    let mut message = records[0].message.clone().unwrap();
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    message.pointer_mut(parent).unwrap()[field] = value;
    classify(&message, now()).map_err(|error| error.to_string())
}

#[test]
fn a_forged_continuation_names_nothing_that_cannot_be_a_name() {
    let long = "x".repeat(513);
    for (pointer, value, expected) in [
        ("/Cluster", "a b", "Cluster is not a name or an ARN"),
        ("/Cluster", &*long, "Cluster is not a name or an ARN"),
        ("/ContainerInstance", "arn:\naws", "ContainerInstance is not a name or an ARN"),
        ("/WaitsFor", "\u{202e}", "WaitsFor is not a name or an ARN"),
        ("/WaitsFor", "", "WaitsFor is not a name or an ARN"),
        ("/Hook/Group", "a\u{1b}[2K", "the name of the group is not one"),
        ("/Hook/Group", "", "the name of the group is not one"),
        ("/Hook/Group", &*long, "the name of the group is not one"),
        ("/Hook/Name", "a b", "the name of the hook is not one"),
        ("/Hook/Token", &*long, "the token is not one"),
        ("/Hook/Token", "a\nb", "the token is not one"),
    ] {
        assert_eq!(forged(pointer, value.into()), Err(format!("continuation: {expected}")), "{pointer}");
    }
    assert!(forged("/Hook/Group", "groups may have blanks, and umlauts: ö".into()).is_ok());
}

#[test]
fn a_forged_continuation_has_not_begun_in_the_future() {
    for field in ["FirstSeen", "DrainingSince"] {
        let Ok(Command::Drain(drain)) = forged(&format!("/{field}"), "9999-01-01T00:00:00Z".into()) else {
            panic!("{field}")
        };
        assert!(drain.first_seen <= now() && drain.draining_since.unwrap() <= now(), "{field}: {drain:?}");
    }
}

#[test]
fn what_needs_no_drain_is_passed_over_with_the_reason() {
    for (name, message, expected) in [
        (
            "a request that comes when the instance should be gone",
            r#"{"DrainRequest":"spot","EC2InstanceId":"i-1","Until":"2026-05-08T18:00:00Z"}"#,
            "drain request: its time is over",
        ),
        (
            "an instance that is only going",
            r#"{"source":"aws.ec2","detail-type":"EC2 Instance State-change Notification","detail":{"instance-id":"i-1","state":"shutting-down"}}"#,
            "instance event: the instance has not been terminated",
        ),
    ] {
        let message = serde_json::from_str(message).unwrap();
        assert_eq!(classify(&message, now()), Ok(Command::Skip(expected.to_owned())), "{name}");
    }
}

#[test]
fn metadata_names_the_cluster_or_is_for_somebody_else() {
    for (metadata, expected) in [
        (r#"{"cluster":"prod"}"#, Some("prod")),
        (
            r#"{"cluster":"arn:aws:ecs:us-east-1:1:cluster/prod","team":"a"}"#,
            Some("arn:aws:ecs:us-east-1:1:cluster/prod"),
        ),
        (r#"{"cluster":"no good"}"#, None),
        (r#"{"cluster":7}"#, None),
        (r#"{"team":"a"}"#, None),
        ("prod", None),
        ("", None),
    ] {
        assert_eq!(cluster_of(metadata).as_deref(), expected, "{metadata}");
    }
}

#[test]
fn a_continuation_is_read_as_it_was_written() {
    let sample = include_str!("../../../../events/ecs-drainer/sqs-continuation.json");
    let records = envelope::open(serde_json::from_str(sample).unwrap()).unwrap().records;
    let message = records[0].message.clone().unwrap();
    let Ok(Command::Drain(drain)) = classify(&message, now()) else { panic!("not a drain") };
    let written: Value = serde_json::from_str(&continuation::write(&drain)).unwrap();
    assert_eq!(written, message);
}
