//! The writes: a plan → the SDK's calls → what became of them. Decides nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_helpers::batch::{self, Blame};
use aws_helpers::fault::{Fault, Kind};
use aws_helpers::pace::Queue;
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, ReturnValue, WriteRequest};
use aws_sdk_ec2::types::Tag;
use aws_sdk_sns::types::MessageAttributeValue;
use futures::stream::{self, StreamExt};
use jiff::{SignedDuration, Timestamp};

use crate::Clients;
use crate::decide::Memory;
use crate::owner::{Key, Owner};
use crate::settings::UntaggedAction;
use crate::state::{self, number, text};

/// Writes of tags at a time.
const SIDE_BY_SIDE: usize = 4;
/// Writes of tags refill at 10 a second, from a bucket of 100 (EC2, request throttling). Half of it is for
/// the account's others, who tag too.
const BURST: usize = 50;
/// Between two writes when the burst is used up.
const PACE: Duration = Duration::from_millis(125);
/// Puts a call: `BatchWriteItem`.
const PUTS: usize = 25;

/// Who holds a lock: an event, in one attempt of an invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The item of the scope, or of the launch.
    pub item: String,
    /// The event's id.
    pub event: String,
    /// The event's time.
    pub time: Timestamp,
    /// The invocation's id; a retry has the same.
    pub request: String,
    /// When the attempt is over at the latest.
    pub until: Timestamp,
    /// How long the item is kept.
    pub kept: SignedDuration,
}

/// Takes a lock; returns what earlier runs have left, or none if the lock is not to be had: the event has been
/// answered, or a later one has, or another attempt is at it.
///
/// One call serves as lock and read, and for a quiet run as the note of its end, too: then `quiet` is the
/// number of its instances. An attempt that was cut off loses the lock when its time is over. The last clause lets
/// in the same attempt again, whose answer was lost.
pub async fn lock(
    clients: &Clients,
    table: &str,
    holder: &Holder,
    now: Timestamp,
    quiet: Option<usize>,
) -> Result<Option<Memory>, Fault> {
    const TAKE: &str = "SET EventId = :event, EventTime = :time, RequestId = :request, LockedUntil = :until, \
                        Finished = :finished, ExpiresAt = :expires";
    let request = clients.dynamodb.update_item().table_name(table).key(state::ID, text(&holder.item));
    let request = match quiet {
        None => request.update_expression(TAKE),
        Some(instances) => request
            .update_expression(format!("{TAKE}, Instances = :instances"))
            .expression_attribute_values(":instances", number(instances)),
    };
    let answer = request
        .condition_expression(
            "attribute_not_exists(EventTime) OR (EventId <> :event AND EventTime <= :time) \
             OR (EventId = :event AND Finished = :no AND LockedUntil < :now) \
             OR (EventId = :event AND RequestId = :request AND LockedUntil = :until)",
        )
        .expression_attribute_values(":event", text(&holder.event))
        .expression_attribute_values(":time", number(holder.time.as_millisecond()))
        .expression_attribute_values(":request", text(&holder.request))
        .expression_attribute_values(":now", number(now.as_millisecond()))
        .expression_attribute_values(":until", number(holder.until.as_millisecond()))
        .expression_attribute_values(":no", AttributeValue::Bool(false))
        .expression_attribute_values(":finished", AttributeValue::Bool(quiet.is_some()))
        .expression_attribute_values(":expires", state::expiry(now, holder.kept))
        .return_values(ReturnValue::AllOld)
        .send()
        .await;
    let taken = taken(answer.map_err(|error| Fault::of("dynamodb:UpdateItem", error)))?;
    Ok(taken.map(|answer| state::memory(answer.attributes.as_ref(), &holder.event)))
}

/// Notes that a run has ended, and what it leaves to the next: nothing for a launch.
pub async fn finish(
    clients: &Clients,
    table: &str,
    holder: &Holder,
    left: Option<&Memory>,
) -> Result<(), Fault> {
    let request = clients.dynamodb.update_item().table_name(table).key(state::ID, text(&holder.item));
    let request = match left {
        None => request.update_expression("SET Finished = :yes"),
        Some(left) => request
            .update_expression(
                "SET Finished = :yes, Instances = :instances, Untagged = :untagged, Owed = :owed",
            )
            .expression_attribute_values(":instances", number(left.instances.unwrap_or_default()))
            .expression_attribute_values(":untagged", state::untagged(&left.untagged))
            .expression_attribute_values(":owed", state::owed(&left.owed)),
    };
    let answer = request
        .condition_expression("EventId = :event")
        .expression_attribute_values(":event", text(&holder.event))
        .expression_attribute_values(":yes", AttributeValue::Bool(true))
        .send()
        .await;
    taken(answer.map_err(|error| Fault::of("dynamodb:UpdateItem", error))).map(drop)
}

/// Gives a lock back, so that the retry of a failed invocation need not wait for its end.
pub async fn release(clients: &Clients, table: &str, holder: &Holder) -> Result<(), Fault> {
    let request = clients.dynamodb.update_item().table_name(table).key(state::ID, text(&holder.item));
    let answer = request
        .condition_expression("EventId = :event")
        .update_expression("SET LockedUntil = :zero")
        .expression_attribute_values(":event", text(&holder.event))
        .expression_attribute_values(":zero", number(0))
        .send()
        .await;
    taken(answer.map_err(|error| Fault::of("dynamodb:UpdateItem", error))).map(drop)
}

/// None if the condition was not met.
fn taken<T>(answer: Result<T, Fault>) -> Result<Option<T>, Fault> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(fault) if fault.code == "ConditionalCheckFailedException" => Ok(None),
        Err(fault) => Err(fault),
    }
}

/// Remembers who launched what; returns what could not be.
pub async fn remember(
    clients: &Clients,
    table: &str,
    answers: &[(Key, Option<Owner>)],
    now: Timestamp,
) -> Result<(), Fault> {
    for answers in answers.chunks(PUTS) {
        let put = |(key, owner): &(Key, Option<Owner>)| {
            let item = state::owner_item(key, owner.as_ref(), now);
            let request = PutRequest::builder().set_item(Some(item)).build().ok()?;
            Some(WriteRequest::builder().put_request(request).build())
        };
        let mut puts: Vec<WriteRequest> = answers.iter().filter_map(put).collect();
        // What DynamoDB leaves unwritten is written again, some times over; then it is looked up anew.
        for _ in 0..4 {
            let answer = clients.dynamodb.batch_write_item().request_items(table, puts).send().await;
            let answer = answer.map_err(|error| Fault::of("dynamodb:BatchWriteItem", error))?;
            puts = answer.unprocessed_items.unwrap_or_default().remove(table).unwrap_or_default();
            if puts.is_empty() {
                break;
            }
        }
    }
    Ok(())
}

/// One call that creates or deletes tags: each tag on each instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Instance ids.
    pub ids: Vec<String>,
    /// Keys and values.
    pub tags: Vec<(String, String)>,
}

/// A tag that could not be written to an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwritten {
    /// The instance.
    pub id: String,
    /// The tag's key.
    pub key: String,
    /// Why.
    pub fault: Fault,
}

/// Creates tags, overwriting what is there; returns what could not be written. An instance that spoils a
/// call is left out of it, and so is a tag.
pub async fn create_tags(clients: &Clients, writes: Vec<Write>) -> Vec<Unwritten> {
    let call = async |ids: Vec<String>, tags: Vec<Tag>| {
        let request = clients.ec2.create_tags().set_resources(Some(ids)).set_tags(Some(tags));
        request.send().await.map(drop).map_err(|error| Fault::of("ec2:CreateTags", error))
    };
    each(writes, call).await
}

/// Deletes tags that still have their value; returns what could not be deleted.
pub async fn delete_tags(clients: &Clients, writes: Vec<Write>) -> Vec<Unwritten> {
    let call = async |ids: Vec<String>, tags: Vec<Tag>| {
        let request = clients.ec2.delete_tags().set_resources(Some(ids)).set_tags(Some(tags));
        request.send().await.map(drop).map_err(|error| Fault::of("ec2:DeleteTags", error))
    };
    each(writes, call).await
}

async fn each(
    writes: Vec<Write>,
    call: impl AsyncFn(Vec<String>, Vec<Tag>) -> Result<(), Fault>,
) -> Vec<Unwritten> {
    let (call, queue) = (&call, Queue::new(BURST, PACE));
    let answers = stream::iter(writes.into_iter().enumerate())
        .map(async |(place, write)| {
            queue.turn(place).await;
            let failed = one(&write.tags, write.ids, call).await;
            let is_of_a_tag = |(_, fault): &(String, Fault)| {
                write.tags.len() > 1 && fault.kind == Kind::Invalid && !is_of_an_instance(fault)
            };
            let (blamed, failed): (Vec<_>, Vec<_>) = failed.into_iter().partition(is_of_a_tag);
            let mut unwritten: Vec<Unwritten> = Vec::new();
            // One of the tags is refused, but not which: one after the other.
            if !blamed.is_empty() {
                let ids: Vec<String> = blamed.into_iter().map(|(id, _)| id).collect();
                for tag in &write.tags {
                    let failed = one(std::slice::from_ref(tag), ids.clone(), call).await;
                    unwritten.extend(failed.into_iter().map(|failed| unwritten_of(failed, &tag.0)));
                }
            }
            for failed in failed {
                unwritten.extend(write.tags.iter().map(|(key, _)| unwritten_of(failed.clone(), key)));
            }
            unwritten
        })
        .buffer_unordered(SIDE_BY_SIDE)
        .collect::<Vec<_>>();
    answers.await.into_iter().flatten().collect()
}

fn unwritten_of((id, fault): (String, Fault), key: &str) -> Unwritten {
    Unwritten { id, key: key.to_owned(), fault }
}

async fn one(
    tags: &[(String, String)],
    ids: Vec<String>,
    call: impl AsyncFn(Vec<String>, Vec<Tag>) -> Result<(), Fault>,
) -> Vec<(String, Fault)> {
    let tags: Vec<Tag> =
        tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
    let call = async |ids: &[String]| {
        let answer = call(ids.to_vec(), tags.clone()).await;
        answer.map_err(|fault| Refusal::of(fault, ids))
    };
    let (_, failed) = batch::isolate(ids, call, Refusal::blame).await;
    failed.into_iter().map(|(id, refusal)| (id, refusal.fault)).collect()
}

/// A failed call, and which of its instances it names.
#[derive(Clone, Debug)]
struct Refusal {
    fault: Fault,
    named: Vec<usize>,
}

impl Refusal {
    fn of(fault: Fault, ids: &[String]) -> Self {
        let is_id = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let words: Vec<&str> =
            fault.message.split(|c| !is_id(c)).filter(|word| word.starts_with("i-")).collect();
        let named = (0..ids.len()).filter(|at| ids.get(*at).is_some_and(|id| words.contains(&id.as_str())));
        let named = named.collect();
        Self { fault, named }
    }

    fn blame(&self) -> Blame {
        match self.fault.kind {
            Kind::Gone | Kind::Invalid if !self.named.is_empty() => Blame::Items(self.named.clone()),
            Kind::Gone => Blame::Some,
            Kind::Invalid if is_of_an_instance(&self.fault) => Blame::Some,
            _ => Blame::None,
        }
    }
}

/// Whether a refusal is about an instance, and not about the tags, which would be refused for each half of
/// the batch alike.
fn is_of_an_instance(fault: &Fault) -> bool {
    [
        "InvalidInstanceID",
        "InvalidID",
        "TagLimitExceeded",
        "Incorrect",
        "OperationNotPermitted",
        "UnsupportedOperation",
    ]
    .iter()
    .any(|code| fault.code.starts_with(code))
}

/// Stops or terminates instances, given with their zones: one protected instance fails its whole zone, so
/// each zone has calls of its own. Returns those on which it failed.
pub async fn end_instances(
    clients: &Clients,
    action: UntaggedAction,
    instances: Vec<(String, String)>,
) -> Vec<(String, Fault)> {
    let mut by_zone: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (zone, id) in instances {
        by_zone.entry(zone).or_default().push(id);
    }
    let mut failed = Vec::new();
    // The cap keeps each call below the 1,000 ids that it may hold.
    for ids in by_zone.into_values() {
        let call = async |ids: &[String]| {
            let answer = match action {
                UntaggedAction::Report => Ok(()),
                UntaggedAction::Stop => {
                    let request = clients.ec2.stop_instances().set_instance_ids(Some(ids.to_vec()));
                    request.send().await.map(drop).map_err(|error| Fault::of("ec2:StopInstances", error))
                }
                UntaggedAction::Terminate => {
                    let request = clients.ec2.terminate_instances().set_instance_ids(Some(ids.to_vec()));
                    request.send().await.map(drop).map_err(|error| Fault::of("ec2:TerminateInstances", error))
                }
            };
            answer.map_err(|fault| Refusal::of(fault, ids))
        };
        let (_, lost) = batch::isolate(ids, call, Refusal::blame).await;
        failed.extend(lost.into_iter().map(|(id, refusal)| (id, refusal.fault)));
    }
    failed
}

/// Publishes a report: text for people, JSON for machines, and attributes to filter by.
pub async fn publish(
    clients: &Clients,
    topic: &str,
    subject: &str,
    message: &str,
    attributes: &[(&str, String)],
) -> Result<(), Fault> {
    const OPERATION: &str = "sns:Publish";
    let mut request = clients.sns.publish().topic_arn(topic).subject(subject).message(message);
    for (name, value) in attributes {
        let attribute = MessageAttributeValue::builder().data_type("String").string_value(value).build();
        request = request.message_attributes(*name, attribute.map_err(|error| unsent(OPERATION, &error))?);
    }
    let answer = request.message_structure("json").send().await;
    answer.map(drop).map_err(|error| Fault::of(OPERATION, error))
}

/// A request that lacks what its model requires.
pub(crate) fn unsent(operation: &'static str, error: &dyn std::error::Error) -> Fault {
    Fault { operation, code: "NotSent".to_owned(), message: error.to_string(), kind: Kind::Invalid }
}

#[cfg(test)]
mod tests;
