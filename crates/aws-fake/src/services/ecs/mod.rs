//! Amazon ECS: the operations, and what they share.

use serde_json::{Value, json};

use super::Operation;
use crate::{
    buckets::Bucket,
    error::ApiError,
    world::{World, clock::Moment, names},
};

mod clusters;
mod container_instances;
mod filters;
mod services;
mod tasks;

/// Items of a page at most, and ids of a describe call at most.
const MOST: usize = 100;

pub(super) fn find(operation: &str) -> Option<(Bucket, Operation)> {
    let found: (Bucket, Operation) = match operation {
        "ListClusters" => (Bucket::EcsClusterRead, clusters::list),
        "DescribeClusters" => (Bucket::EcsClusterRead, clusters::describe),
        "ListServices" => (Bucket::EcsServiceRead, services::list),
        "DescribeServices" => (Bucket::EcsServiceRead, services::describe),
        "ListContainerInstances" => (Bucket::EcsRead, container_instances::list),
        "DescribeContainerInstances" => (Bucket::EcsRead, container_instances::describe),
        "UpdateContainerInstancesState" => (Bucket::EcsWrite, container_instances::update_state),
        "PutAttributes" => (Bucket::EcsWrite, container_instances::put_attributes),
        "ListTasks" => (Bucket::EcsRead, tasks::list),
        "DescribeTasks" => (Bucket::EcsRead, tasks::describe),
        "StopTask" => (Bucket::EcsWrite, tasks::stop),
        _ => return None,
    };
    Some(found)
}

fn input<T: serde::de::DeserializeOwned>(parameters: Value) -> Result<T, ApiError> {
    super::input(parameters, "InvalidParameterException")
}

/// Name of the cluster that a call means; without one ECS takes `default`.
fn cluster(world: &World, name: Option<&str>, at: Moment) -> Result<String, ApiError> {
    let found = world.find_cluster(name.unwrap_or("default"), at);
    found.map(|cluster| cluster.name.clone()).ok_or_else(ApiError::cluster_not_found)
}

/// A page's size: 1 to 100 where it is said.
fn page_size(asked: Option<usize>, unless_said: usize) -> Result<usize, ApiError> {
    match asked {
        None => Ok(unless_said),
        Some(asked) if (1..=MOST).contains(&asked) => Ok(asked),
        Some(asked) => {
            Err(ApiError::invalid_parameter(format!("maxResults must be 1 to {MOST}, not {asked}")))
        }
    }
}

/// Short ids of a describe or update call: at least one, at most so many, each 32 hexadecimal digits
/// or an ARN that ends in them.
fn ids(name: &str, given: &[String], most: usize) -> Result<Vec<String>, ApiError> {
    if given.is_empty() {
        return Err(ApiError::invalid_parameter(format!("{name} cannot be empty.")));
    }
    if given.len() > most {
        return Err(ApiError::invalid_parameter(format!("{name} can have at most {most} items.")));
    }
    given.iter().map(|id| short(name, id)).collect()
}

/// The short form of one id.
fn short(name: &str, id: &str) -> Result<String, ApiError> {
    let short = names::short_id(id);
    let is_id = short.len() == 32 && short.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_arn = short.len() == id.len() || id.starts_with("arn:aws:ecs:");
    if is_id && is_arn {
        Ok(short.to_owned())
    } else {
        Err(ApiError::invalid_parameter(format!("{name}: invalid identifier {id}")))
    }
}

/// An entry of `failures[]`.
fn failure(arn: &str, reason: &str) -> Value {
    json!({"arn": arn, "reason": reason})
}
