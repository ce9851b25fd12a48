//! The message that one pass leaves for the next, which another version of the function may read: during a roll-out
//! both are at work, and one that is taken back leaves its messages to the one before.

use aws_helpers::envelope::BadMessage;
use jiff::Timestamp;
use serde::{Deserialize as _, Serialize};
use serde_json::Value;

use super::{Command, Fields};
use crate::drain::Drain;

/// The version of the form in which continuations are written. A change of a field's name, type or meaning makes a new
/// one; versions up to this are all read.
pub const VERSION: u64 = 1;

/// What has the same name, type and meaning in every version: enough to go on with a drain. All else is read anew from
/// AWS, or from the mark on the container instance, for some calls more. The hook's terms are of it: a pass that does not
/// know them does not see that it is the last one before the hook's limit.
const CORE: [&str; 8] =
    ["DrainPass", "EC2InstanceId", "Cluster", "ContainerInstance", "Hook", "FirstSeen", "Until", "NotBefore"];

#[derive(Serialize)]
struct Continuation<'d> {
    #[serde(rename = "DrainVersion")]
    version: u64,
    #[serde(flatten)]
    drain: &'d Drain,
}

/// Writes a drain as a continuation.
#[must_use]
pub fn write(drain: &Drain) -> String {
    serde_json::to_string(&Continuation { version: VERSION, drain }).unwrap_or_default()
}

/// The function wrote it; but whoever may publish to the topic may write one, too. So it is read as if anybody had.
pub(super) fn read(message: &Value, now: Timestamp) -> Result<Command, BadMessage> {
    let fields = Fields { kind: "continuation", message };
    fields.instance("EC2InstanceId")?;
    // Which field of it broke does not matter, and serde's words could quote it.
    let mut drain =
        if is_later(&fields)? { Drain::deserialize(core(message)) } else { Drain::deserialize(message) }
            .map_err(|_| fields.bad("a field", "is missing or of the wrong type"))?;
    drain.hook = drain.hook.map(|hook| fields.hook(hook)).transpose()?;
    let names = [
        ("Cluster", &drain.cluster),
        ("ContainerInstance", &drain.container_instance),
        ("WaitsFor", &drain.waits_for),
    ];
    for (field, name) in names {
        if !name.as_deref().is_none_or(super::is_name) {
            return Err(fields.bad(field, "is not a name or an ARN"));
        }
    }
    // Time that has not passed yet would keep the deadline from ever coming, and the drain going round.
    drain.first_seen = drain.first_seen.min(now);
    drain.launched_at = drain.launched_at.map(|at| at.min(now));
    drain.draining_since = drain.draining_since.map(|since| since.min(now));
    Ok(Command::Drain(Box::new(drain)))
}

/// Whether it was written by a later version than this. One without a version is of the first.
fn is_later(fields: &Fields) -> Result<bool, BadMessage> {
    let Some(version) = fields.message.get("DrainVersion") else { return Ok(false) };
    let version = version.as_u64().ok_or_else(|| fields.bad("DrainVersion", "is not a number"))?;
    if version > VERSION {
        tracing::info!(version, "continuation of a later version of this function: only its core is read");
    }
    Ok(version > VERSION)
}

fn core(message: &Value) -> Value {
    let field = |name: &str| Some((name.to_owned(), message.get(name)?.clone()));
    CORE.into_iter().filter_map(field).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::drain::{Count, Hook, Terms};

    /// One for each version, as it was written.
    const WRITTEN: [&str; 1] = [include_str!("continuations/1.json")];

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_780_000_000 + second).unwrap()
    }

    fn drain() -> Drain {
        let terms = Terms { heartbeat_seconds: 900, held_until: at(900), limit: at(90_000) };
        let text = str::to_owned;
        Drain {
            pass: 2,
            cluster: Some(text("prod")),
            container_instance: Some(text("arn:aws:ecs:eu-west-1:1:container-instance/prod/a")),
            hook: Some(Hook {
                group: text("g"),
                name: text("h"),
                token: Some(text("t")),
                terms: Some(terms),
            }),
            until: Some(at(120)),
            launched_at: Some(at(-600)),
            draining_since: Some(at(1)),
            count: Some(Count { tasks: 3, holds_from: at(12) }),
            waits_for: Some(text("arn:aws:ecs:eu-west-1:1:task/prod/b")),
            not_before: Some(at(15)),
            ..Drain::begin(text("i-0123"), at(0))
        }
    }

    fn taken(message: &Value) -> Result<Drain, BadMessage> {
        match read(message, at(1_000))? {
            Command::Drain(drain) => Ok(*drain),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_form_of_this_version_is_the_recorded_one() {
        let recorded: Value = serde_json::from_str(WRITTEN.last().unwrap()).unwrap();
        let written: Value = serde_json::from_str(&write(&drain())).unwrap();
        assert_eq!(written, recorded, "another form is another VERSION, and a file of its own");
        assert_eq!(written["DrainVersion"], VERSION);
        assert_eq!(WRITTEN.len() as u64, VERSION, "a file for each version");
    }

    #[test]
    fn every_version_up_to_this_is_read() {
        for (at, written) in WRITTEN.iter().enumerate() {
            let mut message: Value = serde_json::from_str(written).unwrap();
            assert_eq!(taken(&message).as_ref(), Ok(&drain()), "version {}", at + 1);
            if at == 0 {
                message.as_object_mut().unwrap().remove("DrainVersion");
                assert_eq!(taken(&message).as_ref(), Ok(&drain()), "without one");
            }
        }
    }

    #[test]
    fn of_a_later_version_the_core_is_read() {
        let mut message: Value = serde_json::from_str(&write(&drain())).unwrap();
        message["DrainVersion"] = json!(VERSION + 1);
        for field in ["LaunchedAt", "DrainingSince", "Count", "WaitsFor", "Unheard"] {
            message[field] = json!({"another": ["form"]});
        }
        let core = Drain { launched_at: None, draining_since: None, count: None, waits_for: None, ..drain() };
        assert_eq!(taken(&message), Ok(core));
        message["DrainVersion"] = json!(VERSION);
        assert!(taken(&message).is_err(), "this version has the form of this version");
    }

    #[test]
    fn what_has_no_core_or_no_version_is_refused() {
        let change = |field: &str, value: Value| {
            let mut message: Value = serde_json::from_str(&write(&drain())).unwrap();
            message["DrainVersion"] = json!(VERSION + 1);
            message[field] = value;
            taken(&message).map(|_| ()).map_err(|error| error.to_string())
        };
        for (field, value, expected) in [
            ("DrainVersion", json!("2"), "DrainVersion is not a number"),
            ("DrainVersion", json!(-1), "DrainVersion is not a number"),
            ("FirstSeen", json!(7), "a field is missing or of the wrong type"),
            ("Hook", json!("drain"), "a field is missing or of the wrong type"),
            ("Cluster", json!("a b"), "Cluster is not a name or an ARN"),
        ] {
            let refused = change(field, value.clone()).expect_err(field);
            assert!(refused.contains(expected), "{field} {value}: {refused}");
        }
    }
}
