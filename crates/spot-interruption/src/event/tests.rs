use aws_helpers::envelope;
use serde_json::json;

use super::*;

fn now() -> Timestamp {
    "2026-05-08T17:00:30Z".parse().unwrap()
}

/// What a message asks for, in one line.
fn asked(message: &Value) -> String {
    match classify(message, now()) {
        Ok(Command::Skip(reason)) => format!("skip: {reason}"),
        Ok(Command::Notice(Notice { instance, kind, time, account, region })) => {
            let kind = match kind {
                Kind::Interruption(action) => action.as_str(),
                Kind::Rebalance => "rebalance",
            };
            let place = [account, region].map(|part| part.unwrap_or_else(|| "-".to_owned())).join(" ");
            format!("{kind} {instance} since {time} in {place}")
        }
        Err(error) => format!("bad: {error}"),
    }
}

macro_rules! sample {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../../events/spot-interruption/", $name, ".json")))
    };
}

#[test]
fn every_sample_event_is_classified() {
    let table = [
        (
            sample!("warning-terminate"),
            "terminate i-0b662ef9931388ba0 since 2026-05-08T17:00:00Z in 123456789012 us-east-1",
        ),
        (
            sample!("warning-stop"),
            "stop i-0b662ef9931388ba0 since 2026-05-08T17:00:00Z in 123456789012 us-east-1",
        ),
        (
            sample!("warning-hibernate"),
            "hibernate i-0b662ef9931388ba0 since 2026-05-08T17:00:00Z in 123456789012 us-east-1",
        ),
        (
            sample!("warning-without-time"),
            "terminate i-0b662ef9931388ba0 since 2026-05-08T17:00:30Z in 123456789012 us-east-1",
        ),
        (
            sample!("sns-warning"),
            "terminate i-0b662ef9931388ba0 since 2026-05-08T17:00:00Z in 123456789012 us-east-1",
        ),
        (
            sample!("rebalance"),
            "rebalance i-0b662ef9931388ba0 since 2026-05-08T17:00:00Z in 123456789012 us-east-1",
        ),
        (sample!("other-event"), "skip: event is no spot notice: EC2 Instance State-change Notification"),
        (
            sample!("bad-without-instance"),
            "bad: spot interruption warning: detail.instance-id is missing or not a text",
        ),
        (
            sample!("bad-malformed"),
            "bad: spot interruption warning: detail.instance-id is missing or not a text",
        ),
    ];
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events/spot-interruption");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), table.len(), "every sample has its line here");
    for ((name, event), expected) in table {
        let records = envelope::open(serde_json::from_str(event).unwrap()).unwrap().records;
        let messages = records.into_iter().map(|record| record.message.unwrap());
        let lines: Vec<_> = messages.map(|message| asked(&message)).collect();
        assert_eq!(lines, [expected], "{name}");
    }
}

/// A warning with some fields changed; `null` takes one out.
fn warning(changes: &Value) -> Value {
    let mut event = json!({
        "detail-type": "EC2 Spot Instance Interruption Warning",
        "source": "aws.ec2",
        "time": "2026-05-08T17:00:00Z",
        "detail": {"instance-id": "i-1", "instance-action": "terminate"},
    });
    for (name, value) in changes.as_object().unwrap() {
        let fields = event.as_object_mut().unwrap();
        fields.insert(name.clone(), value.clone());
        fields.retain(|_, value| !value.is_null());
    }
    event
}

#[test]
fn what_is_wrong_is_told_and_what_does_not_matter_is_passed_over() {
    const FIELD: &str = "bad: spot interruption warning: detail.instance-id";
    let id = |id: &str| json!({"detail": {"instance-id": id, "instance-action": "stop"}});
    let long_id = format!("i-{}", "0".repeat(33));
    for (name, changes, expected) in [
        ("nothing", json!({}), "terminate i-1 since 2026-05-08T17:00:00Z in - -"),
        (
            "another word for the action",
            json!({"detail": {"instance-id": "i-1", "instance-action": "reboot"}}),
            "interrupt i-1 since 2026-05-08T17:00:00Z in - -",
        ),
        (
            "no action",
            json!({"detail": {"instance-id": "i-1"}}),
            "interrupt i-1 since 2026-05-08T17:00:00Z in - -",
        ),
        ("no time", json!({"time": null}), "terminate i-1 since 2026-05-08T17:00:30Z in - -"),
        (
            "a time that is none",
            json!({"time": "yesterday"}),
            "terminate i-1 since 2026-05-08T17:00:30Z in - -",
        ),
        (
            "a time to come",
            json!({"time": "2126-05-08T17:00:00Z"}),
            "terminate i-1 since 2026-05-08T17:00:30Z in - -",
        ),
        (
            "a region that is none",
            json!({"region": "us east", "account": "1\n2"}),
            "terminate i-1 since 2026-05-08T17:00:00Z in - -",
        ),
        ("an empty id", id(""), &format!("{FIELD} is missing or not a text")),
        ("no detail", json!({"detail": null}), &format!("{FIELD} is missing or not a text")),
        (
            "a list of ids",
            json!({"detail": {"instance-id": ["i-1"]}}),
            &format!("{FIELD} is missing or not a text"),
        ),
        (
            "an id that would break out of a filter",
            id("i-1] or secret"),
            &format!("{FIELD} is not an instance id (i- and hexadecimal digits)"),
        ),
        (
            "the id of an image",
            id("ami-1"),
            &format!("{FIELD} is not an instance id (i- and hexadecimal digits)"),
        ),
        ("a long id", id(&long_id), &format!("{FIELD} is not an instance id (i- and hexadecimal digits)")),
        (
            "from somebody else",
            json!({"source": "my.app"}),
            "skip: event is no spot notice: EC2 Spot Instance Interruption Warning",
        ),
        ("without a kind", json!({"detail-type": null}), "skip: no event of EC2's"),
        (
            "with a kind that is none",
            json!({"detail-type": "secret ".repeat(20)}),
            "skip: event is no spot notice: one without a name",
        ),
    ] {
        assert_eq!(asked(&warning(&changes)), expected, "{name}");
    }
}
