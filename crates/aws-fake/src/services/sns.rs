//! Amazon SNS: publishing.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Operation};
use crate::{
    error::ApiError,
    world::{MessageAttribute, World, names},
};

/// Longest message, and longest batch together, in bytes.
const LONGEST: usize = 256 * 1_024;
/// Most entries of a batch.
const MOST_ENTRIES: usize = 10;
/// Longest id of a batch's entry.
const LONGEST_ID: usize = 80;

pub(super) fn find(operation: &str) -> Option<Operation> {
    let found: Operation = match operation {
        "Publish" => publish,
        "PublishBatch" => publish_batch,
        _ => return None,
    };
    Some(found)
}

/// A subject is shorter than this, in characters.
const SUBJECT_LIMIT: usize = 100;

/// An attribute of a message. They are checked and counted, nothing here filters by them.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Attribute {
    data_type: String,
    string_value: Option<String>,
}

type Attributes = std::collections::BTreeMap<String, Attribute>;

fn kept(attributes: Attributes) -> crate::world::Attributes {
    let kept = attributes.into_iter().map(|(name, given)| {
        (name, MessageAttribute { data_type: given.data_type, value: given.string_value })
    });
    kept.collect()
}

/// What counts against the size limit: the message and its attributes.
fn size(message: &str, attributes: &Attributes) -> usize {
    let attributes = attributes.iter().map(|(name, attribute)| {
        name.len() + attribute.data_type.len() + attribute.string_value.as_ref().map_or(0, String::len)
    });
    message.len() + attributes.sum::<usize>()
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::refused("InvalidParameter", message)
}

fn check_topic(world: &World, topic: &str) -> Result<(), ApiError> {
    if world.settings.any_topic || world.topics.contains(topic) {
        return Ok(());
    }
    Err(ApiError { status: 404, code: "NotFound".to_owned(), message: "Topic does not exist".to_owned() })
}

/// The message itself, its subject and its structure
/// (<https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>). Answers whether each protocol has a text
/// of its own.
fn check_message(message: &str, subject: Option<&str>, structure: Option<&str>) -> Result<bool, ApiError> {
    if message.is_empty() {
        return Err(invalid("Invalid parameter: Empty message"));
    }
    if subject.is_some_and(|subject| !is_subject(subject)) {
        return Err(invalid("Invalid parameter: Subject"));
    }
    match structure {
        None => Ok(false),
        Some("json") => check_parts(message).map(|()| true),
        Some(_) => Err(invalid("Invalid parameter: MessageStructure must be json")),
    }
}

/// ASCII that begins with a letter, a digit or a mark, without line breaks and control characters.
fn is_subject(subject: &str) -> bool {
    let printed = subject.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    printed && !subject.starts_with(' ') && (1..SUBJECT_LIMIT).contains(&subject.len())
}

/// An object with texts, of which `default` is one.
fn check_parts(message: &str) -> Result<(), ApiError> {
    let wrong = |what: &str| invalid(format!("Invalid parameter: Message Structure - {what}"));
    let Ok(Value::Object(parts)) = serde_json::from_str(message) else {
        return Err(wrong("JSON message body failed to parse"));
    };
    if !parts.get("default").is_some_and(Value::is_string) {
        return Err(wrong("No default entry in JSON message body"));
    }
    if parts.values().all(Value::is_string) {
        Ok(())
    } else {
        Err(wrong("JSON message body failed to parse"))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Publish {
    topic_arn: String,
    message: String,
    message_structure: Option<String>,
    subject: Option<String>,
    #[serde(default)]
    message_attributes: Attributes,
}

fn publish(world: &mut World, parameters: Value) -> Answer {
    let ask: Publish = super::input(parameters, "InvalidParameter")?;
    check_topic(world, &ask.topic_arn)?;
    let is_json = check_message(&ask.message, ask.subject.as_deref(), ask.message_structure.as_deref())?;
    if size(&ask.message, &ask.message_attributes) > LONGEST {
        return Err(invalid("Invalid parameter: Message too long"));
    }
    world.publish_as(&ask.topic_arn, ask.subject, ask.message, is_json, kept(ask.message_attributes));
    Ok(json!({"MessageId": names::uuid(&mut world.rng)}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct PublishBatch {
    topic_arn: String,
    #[serde(default, deserialize_with = "super::list")]
    publish_batch_request_entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Entry {
    id: String,
    message: String,
    message_structure: Option<String>,
    subject: Option<String>,
    #[serde(default)]
    message_attributes: Attributes,
}

fn publish_batch(world: &mut World, parameters: Value) -> Answer {
    let ask: PublishBatch = super::input(parameters, "InvalidParameter")?;
    check_topic(world, &ask.topic_arn)?;
    let entries = ask.publish_batch_request_entries;
    check_batch(&entries)?;
    let mut successful = Vec::new();
    let mut failed = Vec::new();
    for entry in entries {
        let checked =
            check_message(&entry.message, entry.subject.as_deref(), entry.message_structure.as_deref());
        let is_json = match checked {
            Ok(is_json) => is_json,
            Err(error) => {
                failed.push(
                    json!({"Id": entry.id, "Code": error.code, "Message": error.message, "SenderFault": true}),
                );
                continue;
            }
        };
        let attributes = kept(entry.message_attributes);
        world.publish_as(&ask.topic_arn, entry.subject, entry.message, is_json, attributes);
        successful.push(json!({"Id": entry.id, "MessageId": names::uuid(&mut world.rng)}));
    }
    Ok(json!({"Successful": successful, "Failed": failed}))
}

fn check_batch(entries: &[Entry]) -> Result<(), ApiError> {
    let refuse = |code: &str, message: &str| Err(ApiError::refused(code, message));
    if entries.is_empty() {
        return refuse("EmptyBatchRequest", "The batch request doesn't contain any entries.");
    }
    if entries.len() > MOST_ENTRIES {
        return refuse(
            "TooManyEntriesInBatchRequest",
            "The batch request contains more entries than permissible.",
        );
    }
    let is_id = |id: &str| {
        (1..=LONGEST_ID).contains(&id.len())
            && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    if entries.iter().any(|entry| !is_id(&entry.id)) {
        return refuse("InvalidBatchEntryId", "The Id of a batch entry doesn't abide by the specification.");
    }
    let mut ids: Vec<_> = entries.iter().map(|entry| &entry.id).collect();
    ids.sort();
    ids.dedup();
    if ids.len() < entries.len() {
        return refuse(
            "BatchEntryIdsNotDistinct",
            "Two or more batch entries in the request have the same Id.",
        );
    }
    let total: usize = entries.iter().map(|entry| size(&entry.message, &entry.message_attributes)).sum();
    if total > LONGEST {
        return refuse(
            "BatchRequestTooLong",
            "The length of all the batch messages put together is more than the limit.",
        );
    }
    Ok(())
}
