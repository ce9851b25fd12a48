//! Clusters: list, describe.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{MOST, failure, input, page_size};
use crate::{
    error::ApiError,
    json::{object, put},
    services::{Answer, page},
    world::{
        World,
        clock::Moment,
        clusters::{Cluster, Counts, Life},
        names,
    },
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct List {
    max_results: Option<usize>,
    next_token: Option<String>,
}

pub(super) fn list(world: &mut World, parameters: Value) -> Answer {
    let ask: List = input(parameters)?;
    let at = world.read_moment();
    let active = world.clusters.values().filter(|cluster| cluster.life.at(at) == Some(Life::Active));
    let arns = active.map(|cluster| names::cluster_arn(&cluster.name)).collect();
    let (arns, next) = page(arns, ask.next_token.as_deref(), page_size(ask.max_results, MOST)?)?;
    Ok(json!({"clusterArns": arns, "nextToken": next}))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Describe {
    #[serde(default)]
    clusters: Vec<String>,
    #[serde(default)]
    include: Vec<Include>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Include {
    Attachments,
    Configurations,
    Settings,
    Statistics,
    Tags,
}

/// Without names it describes `default`. A missing cluster is no error, and neither is a deleted one.
pub(super) fn describe(world: &mut World, parameters: Value) -> Answer {
    let mut ask: Describe = input(parameters)?;
    if ask.clusters.len() > MOST {
        return Err(ApiError::invalid_parameter(format!("clusters can have at most {MOST} items.")));
    }
    if ask.clusters.is_empty() {
        ask.clusters.push("default".to_owned());
    }
    let at = world.read_moment();
    let mut found = Vec::new();
    let mut failures = Vec::new();
    for given in &ask.clusters {
        let name = name(given)?;
        let cluster = world.clusters.get(name).filter(|_| names::is_here(given));
        match cluster.and_then(|cluster| describe_one(world, cluster, at, &ask.include)) {
            Some(description) => found.push(description),
            None if given == name => failures.push(failure(&names::cluster_arn(name), "MISSING")),
            None => failures.push(failure(given, "MISSING")),
        }
    }
    Ok(object([("clusters", found.into()), ("failures", failures.into())]))
}

/// The name in a cluster's name or ARN: up to 255 letters, digits, hyphens and underscores.
fn name(given: &str) -> Result<&str, ApiError> {
    let name = if given.starts_with("arn:") {
        given.split_once(":cluster/").map(|(_, name)| name).unwrap_or_default()
    } else {
        given
    };
    let is_name = (1..=255).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if is_name { Ok(name) } else { Err(ApiError::invalid_parameter(format!("Invalid identifier: {given}"))) }
}

/// None when it did not exist at that moment, or was forgotten by then.
fn describe_one(world: &World, cluster: &Cluster, at: Moment, include: &[Include]) -> Option<Value> {
    let (status, counts) = match cluster.life.at(at)? {
        Life::Active => ("ACTIVE", counts(world, cluster, at)),
        Life::Inactive => ("INACTIVE", Counts::default()),
        Life::Gone => return None,
    };
    let is_asked = |what| include.contains(&what);
    let mut described = object([
        ("clusterArn", names::cluster_arn(&cluster.name).into()),
        ("clusterName", cluster.name.as_str().into()),
        ("status", status.into()),
        ("runningTasksCount", counts.running.into()),
        ("pendingTasksCount", counts.pending.into()),
        ("activeServicesCount", counts.services.into()),
        ("registeredContainerInstancesCount", counts.instances.into()),
        ("capacityProviders", json!([])),
        ("defaultCapacityProviderStrategy", json!([])),
        ("settings", json!([])),
        ("statistics", json!([])),
        ("tags", json!([])),
    ]);
    if is_asked(Include::Statistics) {
        put(&mut described, "statistics", statistics(&counts));
    }
    if is_asked(Include::Tags) {
        let tags = cluster.tags.iter().map(|(key, value)| pair("key", key, value.clone()));
        put(&mut described, "tags", tags.collect::<Vec<_>>());
    }
    if is_asked(Include::Attachments) {
        put(&mut described, "attachments", json!([]));
    }
    Some(described)
}

fn pair(kind: &str, name: &str, value: String) -> Value {
    object([(kind, name.into()), ("value", value.into())])
}

/// What is said of a cluster: what is in it, unless it is set.
fn counts(world: &World, cluster: &Cluster, at: Moment) -> Counts {
    let set = cluster.counts.seen(at).and_then(Option::as_ref);
    set.cloned().unwrap_or_else(|| {
        let tasks = cluster.tasks_at(at);
        let (active, draining) = services(world, cluster, at);
        Counts {
            running: tasks.running,
            pending: tasks.pending,
            services: active,
            instances: cluster.members_at(at),
            statistics: [("drainingEC2ServiceCount".to_owned(), draining)].into(),
        }
    })
}

/// How many of its services are ACTIVE, and how many DRAINING.
fn services(world: &World, cluster: &Cluster, at: Moment) -> (u32, u32) {
    world.services_of(&cluster.name).iter().fold((0, 0), |(active, draining), service| {
        match service.status(cluster, at) {
            Some("ACTIVE") => (active + 1, draining),
            Some("DRAINING") => (active, draining + 1),
            _ => (active, draining),
        }
    })
}

/// The numbers by launch type: EC2 where nobody says otherwise. The names and their odd case are those of the
/// API's reference (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Cluster.html>).
fn statistics(counts: &Counts) -> Vec<Value> {
    let known = [
        ("runningEC2TasksCount", counts.running),
        ("RunningFargateTasksCount", 0),
        ("pendingEC2TasksCount", counts.pending),
        ("pendingFargateTasksCount", 0),
        ("activeEC2ServiceCount", counts.services),
        ("activeFargateServiceCount", 0),
        ("drainingEC2ServiceCount", 0),
        ("drainingFargateServiceCount", 0),
    ];
    let set = counts.statistics.iter().map(|(name, value)| (name.as_str(), *value));
    let others = known.into_iter().filter(|(name, _)| !counts.statistics.contains_key(*name));
    others.chain(set).map(|(name, value)| pair("name", name, value.to_string())).collect()
}
