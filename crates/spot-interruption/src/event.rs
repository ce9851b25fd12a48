//! A raw inner message → a [`Command`]. What is no notice of EC2's is skipped with a reason, and only what is
//! broken is an error.

use aws_helpers::envelope::{BadMessage, kind_name};
use jiff::Timestamp;
use serde_json::Value;

/// What a message asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// EC2 has something to say about a spot instance.
    Notice(Notice),
    /// Nothing, for this reason: acknowledge it.
    Skip(String),
}

/// What EC2 says about a spot instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The instance.
    pub instance: String,
    /// What it says.
    pub kind: Kind,
    /// When it said so.
    pub time: Timestamp,
    /// The account, if the event tells.
    pub account: Option<String>,
    /// The region, if the event tells.
    pub region: Option<String>,
}

/// The two notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The instance is interrupted in two minutes.
    Interruption(Action),
    /// It is likelier than others to be interrupted.
    Rebalance,
}

/// What becomes of an interrupted instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is terminated.
    Terminate,
    /// It is stopped.
    Stop,
    /// It hibernates, from the moment of the notice.
    Hibernate,
    /// A word that is not known here. The instance goes all the same.
    Interrupt,
}

impl Action {
    /// EC2's word, in the log and in notices.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Terminate => "terminate",
            Self::Stop => "stop",
            Self::Hibernate => "hibernate",
            Self::Interrupt => "interrupt",
        }
    }
}

/// Reads an inner message; `now` stands in for a time that a message does not carry.
pub fn classify(message: &Value, now: Timestamp) -> Result<Command, BadMessage> {
    let text = |field: &str| message.get(field).and_then(Value::as_str);
    match (text("source"), text("detail-type")) {
        (Some("aws.ec2"), Some("EC2 Spot Instance Interruption Warning")) => {
            const KIND: &str = "spot interruption warning";
            let action = match message.pointer("/detail/instance-action").and_then(Value::as_str) {
                Some("terminate") => Action::Terminate,
                Some("stop") => Action::Stop,
                Some("hibernate") => Action::Hibernate,
                _ => Action::Interrupt,
            };
            notice(message, KIND, Kind::Interruption(action), now)
        }
        (Some("aws.ec2"), Some("EC2 Instance Rebalance Recommendation")) => {
            notice(message, "rebalance recommendation", Kind::Rebalance, now)
        }
        (_, Some(detail_type)) => {
            Ok(Command::Skip(format!("event is no spot notice: {}", kind_name(detail_type))))
        }
        _ => Ok(Command::Skip("no event of EC2's".to_owned())),
    }
}

fn notice(message: &Value, told: &'static str, kind: Kind, now: Timestamp) -> Result<Command, BadMessage> {
    let bad = |problem| BadMessage { kind: told, field: "detail.instance-id", problem };
    let id = message.pointer("/detail/instance-id").and_then(Value::as_str);
    let id = id.filter(|id| !id.is_empty()).ok_or_else(|| bad("is missing or not a text"))?;
    if !is_instance(id) {
        return Err(bad("is not an instance id (i- and hexadecimal digits)"));
    }
    let text = |field: &str| message.get(field).and_then(Value::as_str);
    // A wrong time must cost no drain. One that lies ahead would move the deadline.
    let time = text("time").and_then(|time| time.parse().ok()).map_or(now, |time: Timestamp| time.min(now));
    Ok(Command::Notice(Notice {
        instance: id.to_owned(),
        kind,
        time,
        account: text("account").filter(|account| is_word(account)).map(str::to_owned),
        region: text("region").filter(|region| is_word(region)).map(str::to_owned),
    }))
}

/// `i-` and digits. The drainer puts the id into a filter expression, so it may hold nothing else.
fn is_instance(id: &str) -> bool {
    let tail = id.strip_prefix("i-").unwrap_or_default();
    (1..=32).contains(&tail.len()) && tail.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// An account or a region, which stand in notices.
fn is_word(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests;
