use super::*;
use serde_json::json;

const NOW: &str = "2026-03-01T12:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn scheduled() -> Value {
    json!({
        "account": "123456789012", "region": "ap-southeast-2", "detail": {}, "detail-type": "Scheduled Event",
        "source": "aws.events", "time": "1970-01-01T00:00:00Z", "id": "cdc73f9d",
        "resources": ["arn:aws:events:ap-southeast-2:123456789012:rule/my-schedule"],
    })
}

fn launch() -> Value {
    json!({
        "id": "e-1", "source": "aws.ec2", "detail-type": "AWS API Call via CloudTrail",
        "account": "123456789012", "region": "us-east-1", "time": "2026-03-01T11:59:00Z",
        "detail": {
            "eventName": "RunInstances", "eventID": "t-1",
            "userIdentity": {"type": "IAMUser", "userName": "ann"},
            "responseElements": {"reservationId": "r-1", "instancesSet": {"items": [{"instanceId": "i-1"}, {"instanceId": "i-2"}]}},
        },
    })
}

/// An event with one thing changed, by JSON pointer; a null stands for an absence.
fn with(mut event: Value, pointer: &str, value: Value) -> Value {
    *event.pointer_mut(pointer).unwrap() = value;
    event
}

/// What an event asks for, in a line.
fn read(event: &Value) -> String {
    match classify(event, now()) {
        Err(error) => format!("error: {error}"),
        Ok(Command::Skip(reason)) => format!("skip: {reason}"),
        Ok(Command::Run(run)) => format!(
            "run {:?} at {} in {:?} of {:?}, dry {}",
            run.id.unwrap_or_default(),
            run.frame.now,
            run.frame.region.unwrap_or_default(),
            run.vpcs.unwrap_or_default(),
            run.dry_run
        ),
        Ok(Command::Launch(launch)) => format!(
            "launch {} at {} of {:?} by {:?}",
            launch.id,
            launch.frame.now,
            launch.instances,
            launch.owner.map(|owner| owner.name)
        ),
    }
}

#[test]
fn every_trigger_has_its_place() {
    for (name, event, expected) in [
        (
            "the published schedule",
            scheduled(),
            r#"run "cdc73f9d" at 1970-01-01T00:00:00Z in "ap-southeast-2" of [], dry false"#.to_owned(),
        ),
        (
            "a schedule with wishes",
            with(scheduled(), "/detail", json!({"dryRun": true, "vpcIds": ["vpc-1a"]})),
            r#"run "cdc73f9d" at 1970-01-01T00:00:00Z in "ap-southeast-2" of ["vpc-1a"], dry true"#
                .to_owned(),
        ),
        (
            "a time that is yet to come",
            with(scheduled(), "/time", json!("2099-01-01T00:00:00Z")),
            format!(r#"run "cdc73f9d" at {NOW} in "ap-southeast-2" of [], dry false"#),
        ),
        (
            "by hand",
            json!({"dryRun": true, "vpcIds": ["vpc-1"]}),
            format!(r#"run "" at {NOW} in "" of ["vpc-1"], dry true"#),
        ),
        ("by hand, for real", json!({"dryRun": false}), format!(r#"run "" at {NOW} in "" of [], dry false"#)),
        (
            "a launch",
            launch(),
            r#"launch e-1 at 2026-03-01T11:59:00Z of ["i-1", "i-2"] by Some("ann")"#.to_owned(),
        ),
        (
            "a launch too large to name its instances",
            with(launch(), "/detail/responseElements", json!(null)),
            r#"launch e-1 at 2026-03-01T11:59:00Z of [] by Some("ann")"#.to_owned(),
        ),
        (
            "a failed launch",
            with(
                launch(),
                "/detail",
                json!({"eventName": "RunInstances", "errorCode": "Client.InstanceLimitExceeded"}),
            ),
            "skip: the launch failed".to_owned(),
        ),
        (
            "another call",
            with(launch(), "/detail/eventName", json!("StopInstances")),
            "skip: event is of another call than RunInstances".to_owned(),
        ),
        (
            "another event",
            json!({"source": "aws.ec2", "detail-type": "EC2 Instance State-change Notification"}),
            "skip: event is not for the tag policy".to_owned(),
        ),
        (
            "something else",
            json!({"dryRun": true, "delete": true}),
            "skip: neither an event nor a run by hand, which has dryRun, vpcIds or both and nothing else"
                .to_owned(),
        ),
        (
            "nothing",
            json!({}),
            "skip: neither an event nor a run by hand, which has dryRun, vpcIds or both and nothing else"
                .to_owned(),
        ),
    ] {
        assert_eq!(read(&event), expected, "{name}");
    }
}

#[test]
fn what_is_broken_is_named_and_not_quoted() {
    for (event, expected) in [
        (with(scheduled(), "/time", json!("soon")), "scheduled event: time is not an RFC 3339 date"),
        (with(scheduled(), "/time", json!(null)), "scheduled event: time is missing or not a text"),
        (with(scheduled(), "/id", json!("")), "scheduled event: id is missing or not a text"),
        (
            with(scheduled(), "/id", json!("a\nb")),
            "scheduled event: id is not an id (at most 100 letters, digits, -_.)",
        ),
        (
            with(launch(), "/id", json!("x".repeat(101))),
            "launch event: id is not an id (at most 100 letters, digits, -_.)",
        ),
        (with(launch(), "/id", json!(7)), "launch event: id is missing or not a text"),
        (with(launch(), "/detail", json!(null)), "launch event: detail.eventName is missing or not a text"),
        (json!({"dryRun": "yes"}), "run: dryRun is neither true nor false"),
        (json!({"vpcIds": "vpc-1"}), "run: vpcIds is not a list of one or more VPC ids"),
        (json!({"vpcIds": []}), "run: vpcIds is not a list of one or more VPC ids"),
        (json!({"vpcIds": ["secret"]}), "run: vpcIds is not a list of one or more VPC ids"),
    ] {
        assert_eq!(read(&event), format!("error: {expected}"));
    }
}
