//! The tasks of container instances, by last status.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use aws_helpers::fault::{Fault, Kind};
use aws_sdk_ecs::types;
use futures::future::join;
use futures::stream::{self, StreamExt};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::Clients;
use crate::drain::{ContainerInstance, Task};
use crate::pass::in_time;

/// Ids a call: `DescribeTasks`.
const IDS: usize = 100;
/// Instances at a time. ECS reads refill at 20 a second, and a crowd has several passes at once: more would only
/// throttle each other.
const SIDE_BY_SIDE: usize = 4;
/// From so many instances of one cluster on, [`Order::Together`] tries the lists of the whole cluster first.
const CROWD: usize = 20;
/// So many instances pay for one page of the cluster's lists: given up in vain, they have cost an eighth of the
/// instances' own two.
const INSTANCES_A_PAGE: usize = 4;

/// In which order an instance's two lists of tasks are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Side by side: where the instance is likely to be empty, and every round trip is waited for.
    AtOnce,
    /// The stopped ones first: if one of them has not stopped, the instance is not empty, and the other
    /// list is not read.
    StoppedFirst,
    /// By the lists of the whole cluster, if many instances are read so and these lists are short; else as above:
    /// where nothing ran to begin with, as in a group that was idle and is scaled to 0.
    Together,
}

/// The tasks of each container instance, by last status; a fault where that was not read in time. Those that are named
/// first are read first.
pub async fn tasks(
    clients: &Clients,
    instances: Vec<(&ContainerInstance, Order)>,
    until: Instant,
) -> HashMap<String, Result<Vec<Task>, Fault>> {
    let mut crowds: BTreeMap<&str, usize> = BTreeMap::new();
    for (instance, _) in instances.iter().filter(|(_, order)| *order == Order::Together) {
        *crowds.entry(&instance.cluster).or_default() += 1;
    }
    crowds.retain(|_, instances| *instances >= CROWD);
    let mut whole: HashMap<&str, HashMap<String, Vec<Task>>> = HashMap::new();
    for (cluster, instances) in crowds {
        let pages = instances / INSTANCES_A_PAGE;
        if let Some(Some(tasks)) = in_time(until, of_cluster(clients, cluster, pages)).await {
            whole.insert(cluster, tasks);
        }
    }
    let read = async |(instance, order): (&ContainerInstance, Order)| {
        let whole = whole.get(instance.cluster.as_str()).filter(|_| order == Order::Together);
        let tasks = if let Some(tasks) = whole {
            Ok(tasks.get(&instance.arn).cloned().unwrap_or_default())
        } else {
            let tasks = in_time(until, of_instance(clients, instance, order)).await;
            tasks.unwrap_or_else(|| Err(not_in_time()))
        };
        (instance.arn.clone(), tasks)
    };
    stream::iter(instances).map(read).buffer_unordered(SIDE_BY_SIDE).collect().await
}

/// The pass has no more time for it: a crowd uses up the rate of reads.
fn not_in_time() -> Fault {
    let (code, message) = ("NotInTime".to_owned(), "left to the next pass".to_owned());
    Fault { operation: "ecs:ListTasks", code, message, kind: Kind::Throttled }
}

/// The tasks of a whole cluster by container instance, if its lists have no more than so many pages: none if they
/// have, or if anything is missing.
async fn of_cluster(clients: &Clients, cluster: &str, pages: usize) -> Option<HashMap<String, Vec<Task>>> {
    let (mut arns, mut read) = (BTreeSet::new(), 0);
    // Running ones first: a task that changes sides meanwhile is in both.
    for desired in [types::DesiredStatus::Running, types::DesiredStatus::Stopped] {
        let request = clients.ecs.list_tasks().cluster(cluster).desired_status(desired);
        let mut answers = request.into_paginator().send();
        while let Some(page) = answers.next().await {
            let page = page.ok()?;
            read += 1;
            if read >= pages && page.next_token.is_some() {
                return None;
            }
            arns.extend(page.task_arns.unwrap_or_default());
        }
    }
    let mut tasks: HashMap<String, Vec<Task>> = HashMap::new();
    for described in describe(clients, cluster, &arns).await.ok()? {
        arns.remove(described.task_arn.as_deref().unwrap_or_default());
        let Some(instance) = described.container_instance_arn.clone() else { continue };
        tasks.entry(instance).or_default().extend(task(described));
    }
    // What is listed and not described could be anybody's.
    arns.is_empty().then_some(tasks)
}

/// `ListTasks` filters by *desired* status, RUNNING unless told otherwise: both are asked, since a task
/// on its way out is listed only under STOPPED.
async fn of_instance(
    clients: &Clients,
    instance: &ContainerInstance,
    order: Order,
) -> Result<Vec<Task>, Fault> {
    let running = || list(clients, instance, types::DesiredStatus::Running);
    let stopped = || list(clients, instance, types::DesiredStatus::Stopped);
    if order == Order::AtOnce || instance.wanted_tasks > 0 {
        let (running, stopped) = join(running(), stopped()).await;
        // A task that changes sides between the two answers is in both, or missed: see `unaccounted`.
        let arns = running?.into_iter().chain(stopped?).collect();
        return described(clients, &instance.cluster, arns).await;
    }
    let mut tasks = described(clients, &instance.cluster, stopped().await?.into_iter().collect()).await?;
    if tasks.iter().all(|task| task.stopped) {
        let arns = running().await?.into_iter().collect();
        tasks.extend(described(clients, &instance.cluster, arns).await?);
    }
    Ok(tasks)
}

async fn list(
    clients: &Clients,
    instance: &ContainerInstance,
    desired: types::DesiredStatus,
) -> Result<Vec<String>, Fault> {
    let request = clients.ecs.list_tasks().cluster(&instance.cluster).container_instance(&instance.arn);
    let mut pages = request.desired_status(desired).into_paginator().send();
    let mut arns = Vec::new();
    while let Some(page) = pages.next().await {
        arns.extend(page.map_err(|error| Fault::of("ecs:ListTasks", error))?.task_arns.unwrap_or_default());
    }
    Ok(arns)
}

async fn described(clients: &Clients, cluster: &str, arns: BTreeSet<String>) -> Result<Vec<Task>, Fault> {
    let described = describe(clients, cluster, &arns).await?;
    let mut tasks: Vec<Task> = described.into_iter().filter_map(task).collect();
    // What is listed and not described has not been seen STOPPED.
    let found: HashSet<String> = tasks.iter().map(|task| task.arn.clone()).collect();
    tasks.extend(arns.into_iter().filter(|arn| !found.contains(arn)).map(unread));
    Ok(tasks)
}

/// Describes tasks of one cluster, a hundred a call.
async fn describe(
    clients: &Clients,
    cluster: &str,
    arns: &BTreeSet<String>,
) -> Result<Vec<types::Task>, Fault> {
    let arns: Vec<String> = arns.iter().cloned().collect();
    let mut tasks = Vec::with_capacity(arns.len());
    for chunk in arns.chunks(IDS) {
        let request = clients.ecs.describe_tasks().cluster(cluster);
        let answer = request.set_tasks(Some(chunk.to_vec())).send().await;
        let answer = answer.map_err(|error| Fault::of("ecs:DescribeTasks", error))?;
        tasks.extend(answer.tasks.unwrap_or_default());
    }
    Ok(tasks)
}

/// One task of each of many drains, by cluster and ARN, as it is now: a hundred a call. One that ECS does not have any
/// more is left out, and so is a whole call that one of them spoils: the instances' lists then tell.
pub async fn waited_for(
    clients: &Clients,
    arns: BTreeMap<&str, BTreeSet<String>>,
) -> HashMap<String, Result<Task, Fault>> {
    let mut found = HashMap::new();
    for (cluster, arns) in arns {
        match describe(clients, cluster, &arns).await {
            Ok(tasks) => {
                found.extend(tasks.into_iter().filter_map(task).map(|task| (task.arn.clone(), Ok(task))));
            }
            Err(fault) if matches!(fault.kind, Kind::Throttled | Kind::Unavailable) => {
                found.extend(arns.into_iter().map(|arn| (arn, Err(fault.clone()))));
            }
            Err(_) => {}
        }
    }
    found
}

fn unread(arn: String) -> Task {
    Task { arn, group: "unknown".to_owned(), wanted: false, stopped: false, stopping_at: None }
}

fn task(described: types::Task) -> Option<Task> {
    Some(Task {
        arn: described.task_arn?,
        group: described.group.unwrap_or_default(),
        wanted: described.desired_status.as_deref() != Some("STOPPED"),
        stopped: described.last_status.as_deref() == Some("STOPPED"),
        stopping_at: described.stopping_at.and_then(|at| Timestamp::from_second(at.secs()).ok()),
    })
}
