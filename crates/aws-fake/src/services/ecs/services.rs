//! Services: list, describe.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{cluster, failure, input, page_size};
use crate::{
    error::ApiError,
    services::{Answer, page},
    world::{
        World,
        clock::{Calendar, Moment},
        clusters::{Cluster, TaskCount},
        ecs::{Rollout, Service},
        names,
    },
};

/// Services of a page unless said. All other lists have pages of 100.
const PAGE: usize = 10;
/// Most services of one `DescribeServices`.
const MOST: usize = 10;

impl Service {
    fn strategy(&self) -> &'static str {
        if self.daemon { "DAEMON" } else { "REPLICA" }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct List {
    cluster: Option<String>,
    launch_type: Option<String>,
    scheduling_strategy: Option<String>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

/// Deleted services are not listed, although they can be described.
pub(super) fn list(world: &mut World, parameters: Value) -> Answer {
    let ask: List = input(parameters)?;
    let at = world.read_moment();
    let name = cluster(world, ask.cluster.as_deref(), at)?;
    let one_of = |name: &str, given: Option<&str>, allowed: &[&str]| match given {
        Some(given) if !allowed.contains(&given) => {
            Err(ApiError::invalid_parameter(format!("{name} cannot be {given}")))
        }
        _ => Ok(()),
    };
    let (launch_type, strategy) = (ask.launch_type.as_deref(), ask.scheduling_strategy.as_deref());
    one_of("launchType", launch_type, &["EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES"])?;
    one_of("schedulingStrategy", strategy, &["REPLICA", "DAEMON"])?;
    let Some(cluster) = world.clusters.get(&name) else { return Err(ApiError::cluster_not_found()) };
    let services = world.services_of(&name).iter().filter(|service| {
        service.status(cluster, at) == Some("ACTIVE")
            && launch_type.is_none_or(|launch_type| launch_type == "EC2")
            && strategy.is_none_or(|strategy| strategy == service.strategy())
    });
    let arns = services.map(|service| names::service_arn(&name, &service.name)).collect();
    let (arns, next) = page(arns, ask.next_token.as_deref(), page_size(ask.max_results, PAGE)?)?;
    Ok(json!({"serviceArns": arns, "nextToken": next}))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Describe {
    cluster: Option<String>,
    services: Vec<String>,
    #[serde(default)]
    include: Vec<Include>,
}

#[derive(Deserialize)]
enum Include {
    #[serde(rename = "TAGS")]
    Tags,
}

pub(super) fn describe(world: &mut World, parameters: Value) -> Answer {
    let ask: Describe = input(parameters)?;
    let at = world.read_moment();
    let name = cluster(world, ask.cluster.as_deref(), at)?;
    if !(1..=MOST).contains(&ask.services.len()) {
        return Err(ApiError::invalid_parameter(format!("services must have 1 to {MOST} items.")));
    }
    let Some(cluster) = world.clusters.get(&name) else { return Err(ApiError::cluster_not_found()) };
    let with_tags = ask.include.iter().any(|Include::Tags| true);
    let mut found = Vec::new();
    let mut failures = Vec::new();
    for given in &ask.services {
        let short = names::short_id(given);
        let arn = names::service_arn(&name, short);
        let mut services = world.services_of(&name).iter();
        let service = services.find(|service| service.name == short && (given == short || *given == arn));
        let described = service.and_then(|service| describe_one(world.calendar, cluster, service, at));
        match described {
            Some(mut described) => {
                if with_tags {
                    crate::json::put(&mut described, "tags", json!([]));
                }
                found.push(described);
            }
            None if given == short => failures.push(failure(&arn, "MISSING")),
            None => failures.push(failure(given, "MISSING")),
        }
    }
    Ok(json!({"services": found, "failures": failures}))
}

/// None when it did not exist at that moment.
fn describe_one(calendar: Calendar, cluster: &Cluster, service: &Service, at: Moment) -> Option<Value> {
    let tasks = cluster.service_tasks_at(&service.name, at);
    let desired = match service.status(cluster, at)? {
        "ACTIVE" if service.daemon => tasks.running + tasks.pending,
        _ => u32::try_from(service.tasks).unwrap_or(u32::MAX),
    };
    Some(json!({
        "serviceArn": names::service_arn(&cluster.name, &service.name),
        "serviceName": service.name,
        "clusterArn": names::cluster_arn(&cluster.name),
        "status": service.status(cluster, at),
        "desiredCount": desired,
        "runningCount": tasks.running,
        "pendingCount": tasks.pending,
        "launchType": "EC2",
        "schedulingStrategy": service.strategy(),
        "taskDefinition": names::task_definition_arn(&service.name, 1),
        "deploymentConfiguration": {
            "minimumHealthyPercent": service.minimum_healthy_percent,
            "maximumPercent": service.maximum_percent,
        },
        "deployments": deployments(calendar, service, tasks, desired, at),
        "events": [],
        "loadBalancers": [],
        "placementConstraints": [],
        "placementStrategy": [],
        "createdAt": calendar.epoch_seconds(service.created_at),
    }))
}

/// One deployment, or while the newest is not done the one before it too, which then still has the running tasks.
fn deployments(
    calendar: Calendar,
    service: &Service,
    tasks: TaskCount,
    desired: u32,
    at: Moment,
) -> Vec<Value> {
    let rollout = service.rollout.at(at).unwrap_or_default();
    let deployment = |number: u32, status: &str, rollout: Rollout, tasks: TaskCount| {
        json!({
            "id": format!("ecs-svc/{}", 9_223_370_556_150_183_302_u64 + u64::from(number)),
            "status": status,
            "rolloutState": rollout.name(),
            "rolloutStateReason": reason(rollout),
            "taskDefinition": names::task_definition_arn(&service.name, number),
            "desiredCount": desired,
            "runningCount": tasks.running,
            "pendingCount": tasks.pending,
            "failedTasks": if rollout == Rollout::Failed { 3 } else { 0 },
            "launchType": "EC2",
            "createdAt": calendar.epoch_seconds(service.created_at),
            "updatedAt": calendar.epoch_seconds(service.rollout.changed_at().min(at)),
        })
    };
    if rollout == Rollout::Completed {
        return vec![deployment(1, "PRIMARY", rollout, tasks)];
    }
    let (new, old) = (TaskCount { running: 0, ..tasks }, TaskCount { pending: 0, ..tasks });
    vec![deployment(2, "PRIMARY", rollout, new), deployment(1, "ACTIVE", Rollout::Completed, old)]
}

fn reason(rollout: Rollout) -> &'static str {
    match rollout {
        Rollout::Completed => "ECS deployment completed.",
        Rollout::InProgress => "ECS deployment in progress.",
        Rollout::Failed => "ECS deployment circuit breaker: tasks failed to start.",
    }
}
