//! The reads: SDK answers → plain data. Writes nothing.

use aws_helpers::fault::Fault;
use aws_helpers::pace::Pace;
use aws_sdk_ecs::operation::list_container_instances::ListContainerInstancesOutput;
use aws_sdk_ecs::operation::list_container_instances::builders::ListContainerInstancesFluentBuilder;
use aws_sdk_ecs::operation::list_services::ListServicesOutput;
use aws_sdk_ecs::operation::list_tasks::ListTasksOutput;
use aws_sdk_ecs::types::{
    self, ClusterField, ContainerInstanceStatus, DeploymentRolloutState, DesiredStatus,
};
use aws_smithy_async::future::pagination_stream::PaginationStream;
use futures::future::join_all;
use jiff::Timestamp;

use crate::Clients;
use crate::clusters::Listed;
use crate::snapshot::{Cluster, Instances, Service, Sight, Size, Task};

/// Names a call: `DescribeClusters`, `DescribeContainerInstances`, `DescribeTasks`.
const NAMES: usize = 100;
/// Names a call: `DescribeServices`.
const SERVICES: usize = 10;

/// Counts of clusters by name or ARN, side by side, each hundred failing alone. Without names there is no call, since ECS
/// would take that for the cluster `default`. `statistics`: counts by launch type, too, which double the answer.
pub async fn clusters(clients: &Clients, names: &[String], statistics: bool) -> Sight {
    let calls = names.chunks(NAMES).map(async |names| {
        let request = clients.ecs.describe_clusters().set_clusters(Some(names.to_vec()));
        let include = statistics.then(|| vec![ClusterField::Statistics]);
        let answer = request.set_include(include).send().await;
        answer.map_err(|error| (names.len(), Fault::of("ecs:DescribeClusters", error)))
    });
    let mut sight = Sight::default();
    for answer in join_all(calls).await {
        match answer {
            Ok(answer) => {
                let failures = answer.failures.unwrap_or_default().into_iter();
                sight.missing.extend(failures.filter_map(|failure| Some(name_of(&failure.arn?).to_owned())));
                // A cluster that was deleted lingers as INACTIVE for a while.
                let active = answer.clusters.unwrap_or_default().into_iter();
                let active = active.filter(|one| one.status.as_deref() != Some("INACTIVE"));
                sight.clusters.extend(active.filter_map(cluster));
            }
            Err(failed) => sight.failed.push(failed),
        }
    }
    // One that is named twice, or by name and by ARN, is answered twice.
    sight.clusters.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    sight.clusters.dedup_by(|one, other| one.name == other.name);
    sight
}

fn cluster(cluster: types::Cluster) -> Option<Cluster> {
    let statistics = cluster.statistics.unwrap_or_default().into_iter();
    Some(Cluster {
        name: cluster.cluster_name?,
        running: cluster.running_tasks_count,
        pending: cluster.pending_tasks_count,
        services: cluster.active_services_count,
        instances: cluster.registered_container_instances_count,
        statistics: statistics.filter_map(|pair| Some((pair.name?, pair.value?))).collect(),
    })
}

/// The name of a cluster or service by its ARN, or by its name.
fn name_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

/// All clusters, with their tags where these are wanted.
pub async fn listed(clients: &Clients, tags: bool) -> Result<Vec<Listed>, Fault> {
    let pages = clients.ecs.list_clusters().into_paginator().items().send();
    let fault = |error| Fault::of("ecs:ListClusters", error);
    let arns: Vec<String> = pages.try_collect().await.map_err(fault)?;
    if !tags {
        let listed = arns.iter().map(|arn| Listed { name: name_of(arn).to_owned(), ..Listed::default() });
        return Ok(listed.collect());
    }
    let mut listed = Vec::new();
    for arns in arns.chunks(NAMES) {
        let request = clients.ecs.describe_clusters().set_clusters(Some(arns.to_vec()));
        let answer = request.include(ClusterField::Tags).send().await;
        let answer = answer.map_err(|error| Fault::of("ecs:DescribeClusters", error))?;
        for cluster in answer.clusters.unwrap_or_default() {
            let tags = cluster.tags.unwrap_or_default().into_iter();
            let tags = tags.filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default()))).collect();
            listed.extend(cluster.cluster_name.map(|name| Listed { name, tags }));
        }
    }
    Ok(listed)
}

/// A cluster's container instances: three lists.
pub async fn instances(clients: &Clients, cluster: &str, pace: &mut Pace) -> Result<Instances, Fault> {
    let list = clients.ecs.list_container_instances().cluster(cluster);
    let active = container_instances(list.clone().status(ContainerInstanceStatus::Active), pace).await?;
    let draining = container_instances(list.clone().status(ContainerInstanceStatus::Draining), pace).await?;
    // Without a status the list is of all that are registered.
    let disconnected = container_instances(list.filter("agentConnected == false"), pace).await?;
    Ok(Instances { active, draining: draining.len(), disconnected })
}

async fn container_instances(
    list: ListContainerInstancesFluentBuilder,
    pace: &mut Pace,
) -> Result<Vec<String>, Fault> {
    let fault = |error| Fault::of("ecs:ListContainerInstances", error);
    let part = |page: ListContainerInstancesOutput| (page.container_instance_arns, page.next_token);
    all(list.into_paginator().send(), fault, part, pace).await
}

/// The ARNs of all pages of a list, each read in its turn.
async fn all<P, E>(
    mut pages: PaginationStream<Result<P, E>>,
    fault: impl Fn(E) -> Fault,
    part: impl Fn(P) -> (Option<Vec<String>>, Option<String>),
    pace: &mut Pace,
) -> Result<Vec<String>, Fault> {
    let mut all = Vec::new();
    loop {
        pace.turn().await;
        let Some(answer) = pages.next().await else { return Ok(all) };
        let (some, next) = part(answer.map_err(&fault)?);
        all.extend(some.unwrap_or_default());
        if next.is_none() {
            return Ok(all);
        }
    }
}

/// What container instances have left. Those without an agent cannot take a task, and have nothing.
pub async fn rooms(
    clients: &Clients,
    cluster: &str,
    arns: &[String],
    pace: &mut Pace,
) -> Result<Vec<Size>, Fault> {
    let mut rooms = Vec::new();
    for arns in arns.chunks(NAMES) {
        pace.turn().await;
        let request = clients.ecs.describe_container_instances().cluster(cluster);
        let answer = request.set_container_instances(Some(arns.to_vec())).send().await;
        let answer = answer.map_err(|error| Fault::of("ecs:DescribeContainerInstances", error))?;
        let instances = answer.container_instances.unwrap_or_default().into_iter();
        rooms.extend(instances.filter(|instance| instance.agent_connected).map(|instance| {
            let left = |name: &str| {
                let mut resources = instance.remaining_resources().iter();
                resources.find(|one| one.name() == Some(name)).map_or(0, |one| one.integer_value.into())
            };
            Size { cpu: left("CPU"), memory: left("MEMORY") }
        }));
    }
    Ok(rooms)
}

/// A cluster's services.
pub async fn services(clients: &Clients, cluster: &str, pace: &mut Pace) -> Result<Vec<Service>, Fault> {
    let pages = clients.ecs.list_services().cluster(cluster).max_results(100).into_paginator().send();
    let fault = |error| Fault::of("ecs:ListServices", error);
    let part = |page: ListServicesOutput| (page.service_arns, page.next_token);
    let listed = all(pages, fault, part, pace).await?;
    let mut services = Vec::new();
    for arns in listed.chunks(SERVICES) {
        pace.turn().await;
        let request = clients.ecs.describe_services().cluster(cluster);
        let answer = request.set_services(Some(arns.to_vec())).send().await;
        let answer = answer.map_err(|error| Fault::of("ecs:DescribeServices", error))?;
        services.extend(answer.services.unwrap_or_default().into_iter().filter_map(service));
    }
    Ok(services)
}

fn service(service: types::Service) -> Option<Service> {
    let rollouts = |state: &DeploymentRolloutState| {
        service.deployments().iter().filter(|one| one.rollout_state.as_ref() == Some(state)).count()
    };
    Some(Service {
        running: service.running_count,
        pending: service.pending_count,
        desired: service.desired_count,
        in_progress: rollouts(&DeploymentRolloutState::InProgress),
        rolled_wrong: rollouts(&DeploymentRolloutState::Failed),
        name: service.service_name?,
    })
}

/// A cluster's tasks that run or shall run.
pub async fn tasks(clients: &Clients, cluster: &str, pace: &mut Pace) -> Result<Vec<Task>, Fault> {
    let request = clients.ecs.list_tasks().cluster(cluster).desired_status(DesiredStatus::Running);
    let pages = request.into_paginator().send();
    let fault = |error| Fault::of("ecs:ListTasks", error);
    let listed = all(pages, fault, |page: ListTasksOutput| (page.task_arns, page.next_token), pace).await?;
    let mut tasks = Vec::new();
    for arns in listed.chunks(NAMES) {
        pace.turn().await;
        let request = clients.ecs.describe_tasks().cluster(cluster);
        let answer = request.set_tasks(Some(arns.to_vec())).send().await;
        let answer = answer.map_err(|error| Fault::of("ecs:DescribeTasks", error))?;
        tasks.extend(answer.tasks.unwrap_or_default().iter().map(task));
    }
    Ok(tasks)
}

/// Sizes are of the task where it has any, and of its containers otherwise.
fn task(task: &types::Task) -> Task {
    let of_containers = |part: fn(&types::Container) -> Option<&str>| -> i64 {
        task.containers().iter().filter_map(|one| part(one)?.parse::<i64>().ok()).sum()
    };
    let whole = |text: Option<&str>| text.and_then(|text| text.parse().ok());
    let cpu = whole(task.cpu()).unwrap_or_else(|| of_containers(types::Container::cpu));
    let memory = whole(task.memory()).unwrap_or_else(|| {
        let soft = of_containers(types::Container::memory_reservation);
        if soft > 0 { soft } else { of_containers(types::Container::memory) }
    });
    let pending = matches!(task.last_status(), Some("PROVISIONING" | "PENDING" | "ACTIVATING"));
    let created = task.created_at.filter(|_| pending);
    let since = created.and_then(|at| Timestamp::from_second(at.secs()).ok());
    Task { size: Size { cpu, memory }, pending_since: since }
}
