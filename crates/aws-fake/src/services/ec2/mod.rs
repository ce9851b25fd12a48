//! Amazon EC2: the operations, and what they share.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Operation, throttled};
use crate::{
    buckets::Bucket,
    error::ApiError,
    wire::Service,
    world::{World, clock::Moment},
};

mod attributes;
mod filters;
mod instances;
mod launch;
mod power;
mod tags;
mod zones;

/// Most ids of one call
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateTags.html>, the others likewise).
const MOST_IDS: usize = 1_000;

pub(super) fn find(operation: &str, parameters: &Value) -> Option<(Bucket, Operation)> {
    let found: (Bucket, Operation) = match operation {
        "DescribeInstances" => (instances::bucket(parameters), instances::describe),
        "DescribeAvailabilityZones" => (Bucket::Ec2Zones, zones::describe),
        "DescribeInstanceAttribute" => (Bucket::Ec2Attributes, attributes::describe),
        "ModifyInstanceAttribute" => (Bucket::Ec2Modify, attributes::modify),
        "RunInstances" => (Bucket::Ec2Run, launch::run),
        "CreateTags" => (Bucket::Ec2CreateTags, tags::create),
        "DeleteTags" => (Bucket::Ec2DeleteTags, tags::delete),
        "StopInstances" => (Bucket::Ec2Stop, power::stop),
        "TerminateInstances" => (Bucket::Ec2Terminate, power::terminate),
        _ => return None,
    };
    Some(found)
}

/// An operation's input. EC2 has different words for what is unknown, what is missing and what is wrong.
fn input<T: DeserializeOwned>(parameters: Value) -> Result<T, ApiError> {
    serde_json::from_value(parameters).map_err(|error| {
        let message = error.to_string();
        let code = if message.starts_with("unknown field") {
            "UnknownParameter"
        } else if message.starts_with("missing field") {
            "MissingParameter"
        } else {
            "InvalidParameterValue"
        };
        ApiError::refused(code, message)
    })
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::refused("InvalidParameterValue", message)
}

fn missing(parameter: &str) -> ApiError {
    ApiError::refused("MissingParameter", format!("The request must contain the parameter {parameter}"))
}

/// With `DryRun` a call that would be done is answered by an error of this name.
fn check_dry_run(dry_run: Option<bool>) -> Result<(), ApiError> {
    if dry_run == Some(true) {
        return Err(ApiError {
            status: 412,
            code: "DryRunOperation".to_owned(),
            message: "Request would have succeeded, but DryRun flag is set.".to_owned(),
        });
    }
    Ok(())
}

/// Takes a token for each instance from a call's second bucket.
fn take_by_instance(world: &mut World, bucket: Bucket, instances: usize) -> Result<(), ApiError> {
    let tokens = u32::try_from(instances).unwrap_or(u32::MAX);
    if world.settings.throttling && !world.buckets.take_some(bucket, tokens, world.now) {
        return Err(throttled(Service::Ec2));
    }
    Ok(())
}

/// The ids of a call, each once: well formed, not too many, and known at this moment. One that is not known
/// fails the whole call, which names them all.
fn known(world: &World, ids: Vec<String>, parameter: &str, at: Moment) -> Result<Vec<String>, ApiError> {
    if ids.is_empty() {
        return Err(missing(parameter));
    }
    if ids.len() > MOST_IDS {
        return Err(invalid(format!("{parameter} can have at most {MOST_IDS} items, not {}", ids.len())));
    }
    let mut distinct: Vec<String> = Vec::with_capacity(ids.len());
    let mut seen = std::collections::BTreeSet::new();
    for id in ids {
        check_form(&id)?;
        if seen.insert(id.clone()) {
            distinct.push(id);
        }
    }
    let is_known = |id: &&String| world.fleet.get(id).is_some_and(|machine| machine.seen(at).is_some());
    let unknown: Vec<_> = distinct.iter().filter(|id| !is_known(id)).map(String::as_str).collect();
    if unknown.is_empty() { Ok(distinct) } else { Err(not_found(&unknown)) }
}

fn check_form(id: &str) -> Result<(), ApiError> {
    let digits = id.strip_prefix("i-").unwrap_or_default();
    let is_id = [8, 17].contains(&digits.len())
        && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if is_id {
        Ok(())
    } else {
        Err(ApiError::refused("InvalidInstanceID.Malformed", format!("Invalid id: \"{id}\"")))
    }
}

fn not_found(ids: &[&str]) -> ApiError {
    let message = match ids {
        [id] => format!("The instance ID '{id}' does not exist"),
        ids => format!("The instance IDs '{}' do not exist", ids.join(", ")),
    };
    ApiError::refused("InvalidInstanceID.NotFound", message)
}

/// A tag of a call.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Tag {
    key: Option<String>,
    value: Option<String>,
}
