//! A raw inner message → a [`Command`]. What is no trigger is skipped with a reason; only what is broken is
//! an error.

use aws_helpers::envelope::BadMessage;
use jiff::Timestamp;
use serde_json::Value;

use crate::instance::Frame;
use crate::owner::{Owner, identity};
use crate::rules::is_vpc;

/// What a message asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Check every instance in scope.
    Run(Run),
    /// Tag what has just been launched.
    Launch(Launch),
    /// Nothing, for this reason: acknowledge it.
    Skip(String),
}

/// A run over every instance in scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The event's id; none in a hand-made event.
    pub id: Option<String>,
    /// What the functions are computed from.
    pub frame: Frame,
    /// VPCs to look in instead of the setting's.
    pub vpcs: Option<Vec<String>>,
    /// Whether only the plan is wanted.
    pub dry_run: bool,
}

/// Instances that have just been launched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// The event's id.
    pub id: String,
    /// CloudTrail's id of the call.
    pub trail_id: Option<String>,
    /// What the functions are computed from.
    pub frame: Frame,
    /// The instances; empty where the event was too large to name them.
    pub instances: Vec<String>,
    /// Who launched them; none where the event names nobody.
    pub owner: Option<Owner>,
}

/// Fields of a hand-made event, all of them optional.
const BY_HAND: [&str; 2] = ["dryRun", "vpcIds"];

/// Reads an inner message; `now` bounds a time that it carries, and stands in for one that it does not.
pub fn classify(message: &Value, now: Timestamp) -> Result<Command, BadMessage> {
    let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str);
    let by_hand = message.as_object().is_some_and(|fields| {
        !fields.is_empty() && fields.keys().all(|name| BY_HAND.contains(&name.as_str()))
    });
    if by_hand {
        return run(message, Frame { now, account: None, region: None }, None);
    }
    let Some(detail_type) = text("/detail-type") else {
        return Ok(Command::Skip(
            "neither an event nor a run by hand, which has dryRun, vpcIds or both and nothing else"
                .to_owned(),
        ));
    };
    match (text("/source"), detail_type) {
        (Some("aws.events" | "aws.scheduler"), "Scheduled Event") => {
            let frame = frame("scheduled event", message, now)?;
            let id = event_id("scheduled event", message)?;
            run(message.get("detail").unwrap_or(&Value::Null), frame, Some(id))
        }
        (Some("aws.ec2"), "AWS API Call via CloudTrail") => launch(message, now),
        _ => Ok(Command::Skip("event is not for the tag policy".to_owned())),
    }
}

fn run(wishes: &Value, frame: Frame, id: Option<String>) -> Result<Command, BadMessage> {
    const KIND: &str = "run";
    let bad = |field, problem| BadMessage { kind: KIND, field, problem };
    let dry_run = match wishes.get("dryRun") {
        None => false,
        Some(dry_run) => dry_run.as_bool().ok_or_else(|| bad("dryRun", "is neither true nor false"))?,
    };
    let vpcs = match wishes.get("vpcIds") {
        None => None,
        Some(ids) => {
            let ids = ids.as_array().into_iter().flatten().map(|id| id.as_str().filter(|id| is_vpc(id)));
            let ids: Option<Vec<String>> = ids.map(|id| id.map(str::to_owned)).collect();
            let ids = ids.filter(|ids| !ids.is_empty());
            Some(ids.ok_or_else(|| bad("vpcIds", "is not a list of one or more VPC ids"))?)
        }
    };
    Ok(Command::Run(Run { id, frame, vpcs, dry_run }))
}

fn launch(message: &Value, now: Timestamp) -> Result<Command, BadMessage> {
    const KIND: &str = "launch event";
    let detail = message.get("detail").unwrap_or(&Value::Null);
    let text = |pointer: &str| detail.pointer(pointer).and_then(Value::as_str);
    if required(KIND, detail, "/eventName", "detail.eventName")? != "RunInstances" {
        return Ok(Command::Skip("event is of another call than RunInstances".to_owned()));
    }
    if text("/errorCode").is_some() {
        return Ok(Command::Skip("the launch failed".to_owned()));
    }
    let items = detail.pointer("/responseElements/instancesSet/items").and_then(Value::as_array);
    let ids = items.into_iter().flatten().filter_map(|item| item.get("instanceId")?.as_str());
    Ok(Command::Launch(Launch {
        id: event_id(KIND, message)?,
        trail_id: text("/eventID").map(str::to_owned),
        frame: frame(KIND, message, now)?,
        instances: ids.filter(|id| is_instance(id)).map(str::to_owned).collect(),
        owner: identity(detail.get("userIdentity").unwrap_or(&Value::Null)),
    }))
}

fn required(
    kind: &'static str,
    message: &Value,
    pointer: &str,
    field: &'static str,
) -> Result<String, BadMessage> {
    let text = message.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
    text.map(str::to_owned).ok_or(BadMessage { kind, field, problem: "is missing or not a text" })
}

/// The event's id, a UUID. It becomes the key of an item, which takes 2,048 bytes, and stands in the log: so it must look
/// like an id.
fn event_id(kind: &'static str, message: &Value) -> Result<String, BadMessage> {
    let id = required(kind, message, "/id", "id")?;
    let valid =
        id.len() <= 100 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if valid {
        Ok(id)
    } else {
        Err(BadMessage { kind, field: "id", problem: "is not an id (at most 100 letters, digits, -_.)" })
    }
}

/// The event's time, account and region. A time ahead of the clock would let a grace pass that has not.
fn frame(kind: &'static str, message: &Value, now: Timestamp) -> Result<Frame, BadMessage> {
    let time = required(kind, message, "/time", "time")?;
    let time: Timestamp =
        time.parse().map_err(|_| BadMessage { kind, field: "time", problem: "is not an RFC 3339 date" })?;
    let text = |field: &str| message.get(field).and_then(Value::as_str).map(str::to_owned);
    Ok(Frame { now: time.min(now), account: text("account"), region: text("region") })
}

/// Whether a word is the id of an instance.
pub(crate) fn is_instance(word: &str) -> bool {
    let tail = word.strip_prefix("i-").unwrap_or_default();
    (1..=32).contains(&tail.len()) && tail.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests;
