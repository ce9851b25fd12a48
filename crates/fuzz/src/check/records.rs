//! The envelope: its records, its answers, and that it changes nothing.

use aws_helpers::envelope::{self, Envelope};
use serde_json::{Value, json};

use super::{Asked, Violation, holds, unquoted};
use crate::quote::WORDS;

/// Checks an opened event against what can be seen of it from outside.
pub(super) fn check(event: &Value, opened: &Envelope) -> Result<(), Violation> {
    let whole = [event.clone()];
    let records = match event.get("Records") {
        Some(records) => records.as_array().map(Vec::as_slice).unwrap_or_default(),
        None => whole.as_slice(),
    };
    holds(records.len() == opened.records.len(), || format!("{} records", opened.records.len()))?;
    for (at, record) in opened.records.iter().enumerate() {
        match &record.message {
            Ok(message) => holds(message.is_object(), || format!("message {at} is no object"))?,
            Err(error) => {
                let say = |event: &Value| {
                    let record = envelope::open(event.clone()).ok()?.records.into_iter().nth(at)?;
                    record.message.err().map(|error| error.reason)
                };
                unquoted(&error.reason, event, WORDS, say)?;
                holds(error.place == record.place, || format!("{} is not {}", error.place, record.place))?;
            }
        }
    }
    let ids: Vec<Option<&str>> = records.iter().map(id).collect();
    if event.get("Records").is_some() {
        for ((at, record), id) in opened.records.iter().enumerate().zip(&ids) {
            let place = format!("Records[{at}]");
            let expected = match id.filter(|id| is_id(id)) {
                Some(id) => format!("{place} ({id})"),
                None => place,
            };
            holds(record.place == expected, || format!("{:?} is not {expected}", record.place))?;
        }
    }
    let batch = event.get("Records").is_some() && records.iter().any(|record| record.get("Sns").is_none());
    answers(opened, batch, &ids)
}

/// The id that SQS wants to hear.
fn id(record: &Value) -> Option<&str> {
    let from_topic = record.pointer("/Sns/Message").is_some();
    record.get("messageId").filter(|_| !from_topic)?.as_str()
}

/// Whether a message's id can stand in an error: SQS gives UUIDs.
fn is_id(id: &str) -> bool {
    (1..=100).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn answers(opened: &Envelope, batch: bool, ids: &[Option<&str>]) -> Result<(), Violation> {
    let count = ids.len();
    let failures = [vec![], (0..count).collect(), vec![count.saturating_sub(1)], vec![count]];
    for failed in failures {
        let told: Vec<(usize, String)> = failed.iter().map(|at| (*at, format!("no {at}"))).collect();
        let failed_ids: Option<Vec<&str>> = failed.iter().map(|at| *ids.get(*at)?).collect();
        let expected = match failed_ids {
            _ if !batch && failed.is_empty() => Ok(Value::Null),
            Some(ids) if batch => {
                let items: Vec<Value> = ids.into_iter().map(|id| json!({"itemIdentifier": id})).collect();
                Ok(json!({"batchItemFailures": items}))
            }
            _ => {
                let mut reasons: Vec<String> =
                    told.iter().take(10).map(|(_, reason)| reason.clone()).collect();
                reasons.extend((told.len() > 10).then(|| format!("and {} more", told.len() - 10)));
                Err(reasons.join("; "))
            }
        };
        let answer = opened.answer(&told);
        holds(answer == expected, || format!("answer to {failed:?} is {answer:?}"))?;
    }
    Ok(())
}

/// Checks that a message asks for the same in every envelope.
pub(super) fn wrapped(message: &Value, asked: &Asked) -> Result<(), Violation> {
    let text = message.to_string();
    let notification = json!({"Type": "Notification", "TopicArn": "t", "Message": text}).to_string();
    let is_notification = message.get("Type").and_then(Value::as_str) == Some("Notification");
    for (name, event) in [
        ("SNS", json!({"Records": [{"Sns": {"Message": text}}]})),
        ("SNS in SQS", json!({"Records": [{"messageId": "m", "body": notification}]})),
        // By itself it would be taken for an envelope.
        ("SQS", json!({"Records": [{"messageId": "m", "body": text}]})),
        ("EventBridge", message.clone()),
    ] {
        let itself = match name {
            "SQS" => is_notification,
            "EventBridge" => message.get("Records").is_some(),
            _ => false,
        };
        let opened = envelope::open(event).ok().and_then(|opened| opened.records.into_iter().next());
        let found = opened.and_then(|record| record.message.ok()).map(|message| Asked::of(&message));
        holds(itself || found.as_ref() == Some(asked), || {
            format!("in {name} it asks for {found:?}, and by itself for {asked:?}")
        })?;
    }
    Ok(())
}
