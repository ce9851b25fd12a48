//! A raw event → a [`Command`]. What is no trigger is an error that names the field.

use aws_helpers::envelope::BadMessage;
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::decide::schedule::{MINUTE, later, minute_of};

/// What an event asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// All ticks of a minute: of the one after the event's.
    Minute(Timestamp),
    /// One tick.
    Tick(Tick),
    /// Nothing, for this reason.
    Skip(String),
}

/// One tick.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tick {
    /// Names or ARNs of clusters, instead of the setting's.
    pub clusters: Option<Vec<String>>,
    /// When it is due; none: now.
    pub time: Option<Timestamp>,
}

const KIND: &str = "tick";

/// Reads an event.
pub fn classify(event: &Value) -> Result<Command, BadMessage> {
    let Some(fields) = event.as_object() else {
        return Err(BadMessage { kind: "event", field: "event", problem: "is not a JSON object" });
    };
    let text = |field: &str| fields.get(field).and_then(Value::as_str);
    match (text("source"), text("detail-type")) {
        (Some("aws.events" | "aws.scheduler"), Some("Scheduled Event")) => time("scheduled event", fields)
            .and_then(|time| {
                let missing = BadMessage {
                    kind: "scheduled event",
                    field: "time",
                    problem: "is missing or not a text",
                };
                time.map(|time| Command::Minute(minute_after(time))).ok_or(missing)
            }),
        (Some(_), Some(_)) => Ok(Command::Skip("event is not for the metric writer".to_owned())),
        _ => tick(fields).map(Command::Tick),
    }
}

fn tick(fields: &Map<String, Value>) -> Result<Tick, BadMessage> {
    let bad = |field, problem| Err(BadMessage { kind: KIND, field, problem });
    if fields.keys().any(|name| !["ECSClusterName", "clusters", "time"].contains(&name.as_str())) {
        return bad("event", "has a field other than ECSClusterName, clusters and time");
    }
    let clusters = match (fields.get("ECSClusterName"), fields.get("clusters")) {
        (None, None) => None,
        (Some(_), Some(_)) => return bad("clusters", "stands beside ECSClusterName: give one of them"),
        (Some(Value::String(name)), None) if is_name(name) => Some(vec![name.clone()]),
        (Some(_), None) => return bad("ECSClusterName", "is not the name or ARN of a cluster"),
        (None, Some(names)) => {
            let names = names.as_array().into_iter().flatten();
            let names = names.map(|name| name.as_str().filter(|name| is_name(name)).map(str::to_owned));
            match names.collect::<Option<Vec<_>>>() {
                Some(names) if !names.is_empty() => Some(names),
                _ => return bad("clusters", "is not a list of one or more names or ARNs of clusters"),
            }
        }
    };
    Ok(Tick { clusters, time: time(KIND, fields)? })
}

fn time(kind: &'static str, fields: &Map<String, Value>) -> Result<Option<Timestamp>, BadMessage> {
    let bad = |problem| BadMessage { kind, field: "time", problem };
    match fields.get("time") {
        None => Ok(None),
        Some(Value::String(time)) => time.parse().map(Some).map_err(|_| bad("is not an RFC 3339 date")),
        Some(_) => Err(bad("is missing or not a text")),
    }
}

/// The beginning of the minute after a moment's; of the last minute there is if none follows.
fn minute_after(moment: Timestamp) -> Timestamp {
    minute_of(later(moment, MINUTE))
}

/// Whether a word is the name of a cluster (up to 255 letters, digits, hyphens, underscores), or its ARN.
fn is_name(word: &str) -> bool {
    let name = match word.strip_prefix("arn:") {
        Some(arn) => arn.split_once(":cluster/").map_or("", |(_, name)| name),
        None => word,
    };
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_text = word.len() <= 512 && word.bytes().all(|byte| byte.is_ascii_graphic());
    is_text && (1..=255).contains(&name.len()) && name.bytes().all(valid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tick(clusters: Option<&[&str]>, time: Option<&str>) -> Command {
        let clusters = clusters.map(|names| names.iter().map(ToString::to_string).collect());
        Command::Tick(Tick { clusters, time: time.map(|time| time.parse().unwrap()) })
    }

    #[test]
    fn each_shape_of_trigger() {
        let scheduled = |time: Value| {
            json!({"version": "0", "id": "e-1", "source": "aws.events", "detail-type": "Scheduled Event", "time": time,
                   "detail": {}})
        };
        let minute = |time: &str| Ok(Command::Minute(time.parse().unwrap()));
        let error = |text: &str| Err(text.to_owned());
        for (event, expected) in [
            (scheduled(json!("2026-01-01T00:00:00Z")), minute("2026-01-01T00:01:00Z")),
            (scheduled(json!("2026-01-01T23:59:59Z")), minute("2026-01-02T00:00:00Z")),
            (scheduled(json!("9999-12-30T22:00:00.5Z")), minute("9999-12-30T22:00:00Z")),
            (scheduled(json!("soon")), error("scheduled event: time is not an RFC 3339 date")),
            (scheduled(json!(null)), error("scheduled event: time is missing or not a text")),
            (json!({"ECSClusterName": "prod"}), Ok(tick(Some(&["prod"]), None))),
            (json!({"clusters": ["a", "b"]}), Ok(tick(Some(&["a", "b"]), None))),
            (
                json!({"ECSClusterName": "arn:aws:ecs:us-east-1:123456789012:cluster/prod"}),
                Ok(tick(Some(&["arn:aws:ecs:us-east-1:123456789012:cluster/prod"]), None)),
            ),
            (json!({}), Ok(tick(None, None))),
            (json!({"time": "2026-01-01T00:00:05Z"}), Ok(tick(None, Some("2026-01-01T00:00:05Z")))),
            (json!({"time": 5}), error("tick: time is missing or not a text")),
            (
                json!({"ECSClusterName": ""}),
                error("tick: ECSClusterName is not the name or ARN of a cluster"),
            ),
            (json!({"ECSClusterName": 5}), error("tick: ECSClusterName is not the name or ARN of a cluster")),
            (
                json!({"ECSClusterName": "a b"}),
                error("tick: ECSClusterName is not the name or ARN of a cluster"),
            ),
            (
                json!({"ECSClusterName": "arn:a\nb:cluster/prod"}),
                error("tick: ECSClusterName is not the name or ARN of a cluster"),
            ),
            (
                json!({"clusters": []}),
                error("tick: clusters is not a list of one or more names or ARNs of clusters"),
            ),
            (
                json!({"clusters": ["a", 5]}),
                error("tick: clusters is not a list of one or more names or ARNs of clusters"),
            ),
            (
                json!({"ECSClusterName": "a", "clusters": ["b"]}),
                error("tick: clusters stands beside ECSClusterName: give one of them"),
            ),
            (
                json!({"cluster": "a"}),
                error("tick: event has a field other than ECSClusterName, clusters and time"),
            ),
            (json!(["a"]), error("event: event is not a JSON object")),
            (
                json!({"source": "aws.ecs", "detail-type": "ECS Task State Change"}),
                Ok(Command::Skip("event is not for the metric writer".to_owned())),
            ),
        ] {
            assert_eq!(classify(&event).map_err(|error| error.to_string()), expected, "{event}");
        }
    }
}
