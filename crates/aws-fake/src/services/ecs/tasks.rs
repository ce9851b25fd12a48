//! Tasks: list, describe, stop.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{MOST, cluster, failure, ids, input, page_size, short};
use crate::{
    error::ApiError,
    services::{Answer, page},
    world::{
        World,
        clock::{Calendar, Moment},
        names,
        task::Task,
    },
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct List {
    cluster: Option<String>,
    container_instance: Option<String>,
    desired_status: Option<String>,
    service_name: Option<String>,
    launch_type: Option<String>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

/// Lists by *desired* status, RUNNING unless asked otherwise: a task that is still stopping is found only
/// among the STOPPED ones.
pub(super) fn list(world: &mut World, parameters: Value) -> Answer {
    let ask: List = input(parameters)?;
    let at = world.read_moment();
    let cluster = cluster(world, ask.cluster.as_deref(), at)?;
    let desired = ask.desired_status.as_deref().unwrap_or("RUNNING");
    if !["RUNNING", "PENDING", "STOPPED"].contains(&desired) {
        return Err(ApiError::invalid_parameter(format!("desiredStatus cannot be {desired}")));
    }
    let is_ec2 = ask.launch_type.as_deref().is_none_or(|launch_type| launch_type == "EC2");
    let arns = members(world, &cluster, ask.container_instance.as_deref(), at)?
        .filter(|task| is_ec2 && task.desired_status(at) == desired)
        .filter(|task| {
            ask.service_name.as_deref().is_none_or(|name| task.owner.is_service(names::short_id(name)))
        })
        .map(|task| names::task_arn(&cluster, &task.id))
        .collect();
    let (arns, next) = page(arns, ask.next_token.as_deref(), page_size(ask.max_results, MOST)?)?;
    Ok(json!({"taskArns": arns, "nextToken": next}))
}

/// The known tasks of a cluster, or of one of its container instances.
fn members<'w>(
    world: &'w World,
    cluster: &'w str,
    only: Option<&str>,
    at: Moment,
) -> Result<Box<dyn Iterator<Item = &'w Task> + 'w>, ApiError> {
    let Some(only) = only else {
        let all = world.tasks.values();
        return Ok(Box::new(all.filter(move |task| task.cluster == cluster && task.is_known(at))));
    };
    let id = short("containerInstance", only)?;
    let member = world.container_instances.get(&id).filter(|member| member.cluster == cluster);
    let member =
        member.ok_or_else(|| ApiError::invalid_parameter("The container instance was not found."))?;
    Ok(Box::new(world.tasks_on(member, at)))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Describe {
    cluster: Option<String>,
    tasks: Vec<String>,
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
    let cluster = cluster(world, ask.cluster.as_deref(), at)?;
    let mut found = Vec::new();
    let mut failures = Vec::new();
    for id in ids("tasks", &ask.tasks, MOST)? {
        let task = world.tasks.get(&id).filter(|task| task.cluster == cluster && task.is_known(at));
        match task {
            Some(task) => found.push(describe_one(world.calendar, task, at, !ask.include.is_empty())),
            None => failures.push(failure(&names::task_arn(&cluster, &id), "MISSING")),
        }
    }
    Ok(json!({"tasks": found, "failures": failures}))
}

fn describe_one(calendar: Calendar, task: &Task, at: Moment, tags: bool) -> Value {
    let seconds = |moment: Moment| (moment <= at).then(|| calendar.epoch_seconds(moment));
    let stop = task.stop.as_ref().filter(|stop| stop.at <= at);
    let started = task.runs_at <= stop.map_or(at, |stop| stop.at);
    json!({
        "taskArn": names::task_arn(&task.cluster, &task.id),
        "clusterArn": names::cluster_arn(&task.cluster),
        "containerInstanceArn": task.container_instance_arn(),
        "group": task.owner.group(),
        "startedBy": task.owner.started_by(),
        "launchType": "EC2",
        "desiredStatus": task.desired_status(at),
        "lastStatus": task.last_status(at),
        "createdAt": calendar.epoch_seconds(task.created_at),
        "startedAt": seconds(task.runs_at).filter(|_| started),
        "stoppingAt": stop.and_then(|stop| seconds(stop.at)),
        "stoppedAt": stop.and_then(|stop| seconds(stop.done_at)),
        "stopCode": stop.and_then(|stop| stop.code),
        "stoppedReason": stop.map(|stop| &stop.reason),
        "cpu": task.size.cpu.to_string(),
        "memory": task.size.memory.to_string(),
        "containers": [container(task)],
        "tags": tags.then(|| json!([])),
    })
}

/// A task's one container, which takes all that the task does.
fn container(task: &Task) -> Value {
    let arn = names::task_arn(&task.cluster, &task.id);
    json!({
        "containerArn": format!("{}/{}", arn.replace(":task/", ":container/"), task.id),
        "taskArn": arn,
        "name": task.owner.name(),
        "cpu": task.size.cpu.to_string(),
        "memory": task.size.memory.to_string(),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StopTask {
    cluster: Option<String>,
    task: String,
    reason: Option<String>,
}

pub(super) fn stop(world: &mut World, parameters: Value) -> Answer {
    let ask: StopTask = input(parameters)?;
    let now = world.now();
    let cluster = cluster(world, ask.cluster.as_deref(), now)?;
    let id = short("task", &ask.task)?;
    let known = |world: &World| {
        let task = world.tasks.get(&id).filter(|task| task.cluster == cluster && task.is_known(now));
        task.map(|task| describe_one(world.calendar, task, now, false))
    };
    if known(world).is_none() {
        return Err(ApiError::invalid_parameter("The referenced task was not found."));
    }
    world.stop_task(&id, Some("UserInitiated"), ask.reason.as_deref().unwrap_or("Task stopped by user"));
    Ok(json!({"task": known(world)}))
}
