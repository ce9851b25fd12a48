//! The reads: SDK answers → plain data. Writes nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_helpers::batch::{self, Blame};
use aws_helpers::fault::{Fault, Kind};
use aws_sdk_autoscaling::types::LifecycleHook;
use aws_sdk_ecs::types;
use futures::stream::{self, StreamExt};

use crate::Clients;
use crate::drain::{ContainerInstance, Drain, Mark, Membership, Presence, Status};

mod tasks;

pub use tasks::{Order, tasks, waited_for};

/// Ids a call: `DescribeContainerInstances`.
const IDS: usize = 100;
/// Instance ids in one filter of `ListContainerInstances`: 1,907 characters. The cluster query language
/// allows 2,000 where its length is documented (`PlacementConstraint`).
const FILTER_IDS: usize = 90;
/// Ids a call: `DescribeAutoScalingInstances`.
const AUTO_SCALING_IDS: usize = 50;
/// Calls at a time. ECS reads refill at 20 a second: more would only wait for each other.
const SIDE_BY_SIDE: usize = 8;

/// Where each of the drains' instances is registered. A drain that knows its container instance costs
/// a hundredth of a describe; one that does not is looked up in its cluster, the configured ones, or all.
pub async fn presences(
    clients: &Clients,
    drains: &[&Drain],
    configured: &[String],
) -> HashMap<String, Presence> {
    let mut found = HashMap::new();
    let mut known: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut search: BTreeMap<Option<&str>, BTreeSet<&str>> = BTreeMap::new();
    for drain in drains {
        match (&drain.cluster, &drain.container_instance) {
            (Some(cluster), Some(arn)) => known.entry(cluster).or_default().push(arn.clone()),
            (cluster, _) => {
                search.entry(cluster.as_deref()).or_default().insert(&drain.instance);
            }
        }
    }
    let described = stream::iter(known)
        .map(|(cluster, arns)| describe(clients, cluster, arns))
        .buffer_unordered(SIDE_BY_SIDE);
    for (instances, failed) in described.collect::<Vec<_>>().await {
        found.extend(instances.into_iter().map(registered));
        for (arn, fault) in failed {
            let drain = drains.iter().find(|drain| drain.container_instance.as_ref() == Some(&arn));
            if let Some(drain) = drain.filter(|_| fault.kind != Kind::Gone) {
                found.insert(drain.instance.clone(), Presence::Unreadable(fault));
            }
        }
    }
    // A container instance that is no longer there may have registered anew, under another ARN.
    for drain in drains.iter().filter(|drain| drain.container_instance.is_some()) {
        if !found.contains_key(&drain.instance) {
            search.entry(drain.cluster.as_deref()).or_default().insert(&drain.instance);
        }
    }
    let anywhere = search.remove(&None).unwrap_or_default();
    let mut elsewhere = anywhere;
    for (cluster, instances) in search {
        let cluster = cluster.map(str::to_owned);
        let missing = find(clients, cluster.as_slice(), instances, false, &mut found).await;
        // The hook's metadata may name the wrong cluster. A drain that has been seen in its cluster was
        // in the right one.
        let seen = |id: &&str| {
            drains.iter().any(|drain| drain.instance == *id && drain.container_instance.is_some())
        };
        elsewhere.extend(missing.into_iter().filter(|id| !seen(id) && !found.contains_key(*id)));
    }
    if !elsewhere.is_empty() {
        let clusters = if configured.is_empty() { clusters(clients).await } else { Ok(configured.to_vec()) };
        let open = match clusters {
            Ok(clusters) => {
                // A configured name that ECS does not know is a mistake, and no proof of absence.
                find(clients, &clusters, elsewhere, !configured.is_empty(), &mut found).await;
                Vec::new()
            }
            Err(fault) => {
                elsewhere.into_iter().map(|id| (id.to_owned(), Presence::Unreadable(fault.clone()))).collect()
            }
        };
        found.extend(open);
    }
    for drain in drains {
        found.entry(drain.instance.clone()).or_insert(Presence::Absent);
    }
    found
}

fn registered(instance: ContainerInstance) -> (String, Presence) {
    (instance.instance.clone(), Presence::Registered(instance))
}

/// All clusters of the region, by ARN.
async fn clusters(clients: &Clients) -> Result<Vec<String>, Fault> {
    let mut pages = clients.ecs.list_clusters().into_paginator().send();
    let mut arns = Vec::new();
    while let Some(page) = pages.next().await {
        arns.extend(
            page.map_err(|error| Fault::of("ecs:ListClusters", error))?.cluster_arns.unwrap_or_default(),
        );
    }
    Ok(arns)
}

/// Looks for instances in clusters, some clusters at a time, until all are found; returns the missing.
/// A cluster that is gone has nothing, unless it must be there.
async fn find<'i>(
    clients: &Clients,
    clusters: &[String],
    mut missing: BTreeSet<&'i str>,
    must_be_there: bool,
    found: &mut HashMap<String, Presence>,
) -> BTreeSet<&'i str> {
    for wave in clusters.chunks(SIDE_BY_SIDE) {
        if missing.is_empty() {
            break;
        }
        let ids: Vec<String> = missing.iter().map(|id| (*id).to_owned()).collect();
        let calls = wave.iter().flat_map(|cluster| ids.chunks(FILTER_IDS).map(move |ids| (cluster, ids)));
        let answers = stream::iter(calls.collect::<Vec<_>>())
            .map(|(cluster, ids)| list(clients, cluster, ids))
            .buffer_unordered(SIDE_BY_SIDE);
        for (instances, faults) in answers.collect::<Vec<_>>().await {
            for instance in instances {
                // An answer may hold what was not asked for: a page that ignores the filter.
                if missing.remove(instance.instance.as_str()) {
                    found.extend([registered(instance)]);
                }
            }
            for (id, fault) in faults {
                // Any other fault leaves the question open.
                if (must_be_there || fault.kind != Kind::Gone) && missing.contains(id.as_str()) {
                    found.insert(id, Presence::Unreadable(fault));
                }
            }
        }
    }
    missing
}

/// The container instances of up to a hundred EC2 instances in one cluster, and those that could not
/// be looked up.
async fn list(
    clients: &Clients,
    cluster: &str,
    ids: &[String],
) -> (Vec<ContainerInstance>, Vec<(String, Fault)>) {
    let filter = match ids {
        [id] => format!("ec2InstanceId=={id}"),
        ids => format!("ec2InstanceId in [{}]", ids.join(", ")),
    };
    let request = clients.ecs.list_container_instances().cluster(cluster).filter(filter);
    let mut pages = request.into_paginator().send();
    let mut arns = Vec::new();
    let open = |fault: &Fault| ids.iter().map(|id| (id.clone(), fault.clone())).collect::<Vec<_>>();
    while let Some(page) = pages.next().await {
        match page {
            Ok(page) => arns.extend(page.container_instance_arns.unwrap_or_default()),
            Err(error) => {
                return (Vec::new(), open(&Fault::of("ecs:ListContainerInstances", error)));
            }
        }
    }
    let (instances, failed) = describe(clients, cluster, arns).await;
    let faults = failed.first().map(|(_, fault)| open(fault)).unwrap_or_default();
    (instances, faults)
}

/// Describes container instances, a hundred a call; one that spoils a call is found and left out. What
/// ECS does not have (any more), and what is INACTIVE, is in neither list.
pub async fn describe(
    clients: &Clients,
    cluster: &str,
    arns: Vec<String>,
) -> (Vec<ContainerInstance>, Vec<(String, Fault)>) {
    let call = async |arns: &[String]| {
        let request = clients.ecs.describe_container_instances().cluster(cluster);
        let answer = request.set_container_instances(Some(arns.to_vec())).send().await;
        answer.map_err(|error| Fault::of("ecs:DescribeContainerInstances", error))
    };
    let blame = |fault: &Fault| if fault.kind == Kind::Invalid { Blame::Some } else { Blame::None };
    let (mut instances, mut failed) = (Vec::new(), Vec::new());
    for chunk in batch::split(arns, IDS, usize::MAX, |_| 0) {
        let (answers, faults) = batch::isolate(chunk, call, blame).await;
        let described = answers.into_iter().flat_map(|answer| answer.container_instances.unwrap_or_default());
        instances.extend(described.filter_map(|instance| container_instance(cluster, instance)));
        failed.extend(faults);
    }
    (instances, failed)
}

/// Reads one container instance; none if it is INACTIVE, which ECS shows for a while after the end.
pub(crate) fn container_instance(
    cluster: &str,
    described: types::ContainerInstance,
) -> Option<ContainerInstance> {
    let status = match described.status.as_deref()? {
        "ACTIVE" => Status::Active,
        "DRAINING" => Status::Draining,
        "INACTIVE" => return None,
        _ => Status::Other,
    };
    let wanted = described.running_tasks_count.max(0).saturating_add(described.pending_tasks_count.max(0));
    let mut attributes = described.attributes.unwrap_or_default().into_iter();
    let mark = attributes.find(|attribute| attribute.name == Mark::ATTRIBUTE);
    Some(ContainerInstance {
        cluster: cluster.to_owned(),
        arn: described.container_instance_arn?,
        instance: described.ec2_instance_id?,
        status,
        wanted_tasks: usize::try_from(wanted).unwrap_or(usize::MAX),
        connected: described.agent_connected,
        mark: mark.and_then(|mark| Mark::from_value(mark.value.as_deref()?)),
    })
}

/// What Auto Scaling says of each instance, fifty a call.
pub async fn memberships(clients: &Clients, ids: Vec<String>) -> HashMap<String, Result<Membership, Fault>> {
    let mut found = HashMap::new();
    for ids in batch::split(ids, AUTO_SCALING_IDS, usize::MAX, |_| 0) {
        let request = clients.autoscaling.describe_auto_scaling_instances();
        let answer = request.set_instance_ids(Some(ids.clone())).send().await;
        match answer.map_err(|error| Fault::of("autoscaling:DescribeAutoScalingInstances", error)) {
            Err(fault) => found.extend(ids.into_iter().map(|id| (id, Err(fault.clone())))),
            Ok(answer) => {
                // Instances that no group has are left out of the answer.
                found.extend(ids.into_iter().map(|id| (id, Ok(Membership::Gone))));
                for instance in answer.auto_scaling_instances.unwrap_or_default() {
                    let group = instance.auto_scaling_group_name.unwrap_or_default();
                    let state = instance.lifecycle_state.as_deref().unwrap_or_default();
                    // Instances of a warm pool have the same states with a prefix.
                    let membership = match state.strip_prefix("Warmed:").unwrap_or(state) {
                        "Terminated" | "Terminating:Proceed" | "Terminating:Retained" => Membership::Gone,
                        state => Membership::Member { group, waiting: state == "Terminating:Wait" },
                    };
                    if let Some(id) = instance.instance_id {
                        found.insert(id, Ok(membership));
                    }
                }
            }
        }
    }
    found
}

/// The hooks of a group at whose instances' end it waits.
pub async fn terminate_hooks(clients: &Clients, group: &str) -> Result<Vec<LifecycleHook>, Fault> {
    let request = clients.autoscaling.describe_lifecycle_hooks().auto_scaling_group_name(group);
    let answer = request.send().await;
    let hooks =
        answer.map_err(|error| Fault::of("autoscaling:DescribeLifecycleHooks", error))?.lifecycle_hooks;
    let ends = |hook: &LifecycleHook| {
        hook.lifecycle_transition.as_deref() == Some("autoscaling:EC2_INSTANCE_TERMINATING")
    };
    Ok(hooks.unwrap_or_default().into_iter().filter(ends).collect())
}
