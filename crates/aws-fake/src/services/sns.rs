//! Amazon SNS: publishing.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Operation};
use crate::{
    error::ApiError,
    world::{World, names},
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

/// An attribute of a message. They are checked and counted, nothing here filters by them.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Attribute {
    data_type: String,
    string_value: Option<String>,
}

type Attributes = BTreeMap<String, Attribute>;

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

fn check_message(message: &str) -> Result<(), ApiError> {
    if message.is_empty() { Err(invalid("Invalid parameter: Empty message")) } else { Ok(()) }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Publish {
    topic_arn: String,
    message: String,
    subject: Option<String>,
    #[serde(default)]
    message_attributes: Attributes,
}

fn publish(world: &mut World, parameters: Value) -> Answer {
    let ask: Publish = super::input(parameters, "InvalidParameter")?;
    check_topic(world, &ask.topic_arn)?;
    check_message(&ask.message)?;
    if size(&ask.message, &ask.message_attributes) > LONGEST {
        return Err(invalid("Invalid parameter: Message too long"));
    }
    world.notify(&ask.topic_arn, ask.subject, ask.message);
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
        if let Err(error) = check_message(&entry.message) {
            failed.push(
                json!({"Id": entry.id, "Code": error.code, "Message": error.message, "SenderFault": true}),
            );
            continue;
        }
        world.notify(&ask.topic_arn, entry.subject, entry.message);
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
