//! The writes: a plan → the SDK's calls → what became of them. Decides nothing.

use std::collections::HashMap;
use std::time::Duration;

use aws_helpers::batch::{self, Blame};
use aws_helpers::fault::{Fault, Kind};
use aws_helpers::pace::Queue;
use aws_sdk_ecs::types::{Attribute, ContainerInstanceStatus, TargetType};
use aws_sdk_sns::types::{BatchResultErrorEntry, PublishBatchRequestEntry};
use futures::stream::{self, StreamExt};

use crate::Clients;
use crate::drain::{ContainerInstance, Drain, Hook, Mark};
use crate::event::continuation;
use crate::observe;
use crate::settings::Outcome;

/// Container instances a call: `UpdateContainerInstancesState`. Attributes a call: `PutAttributes`.
const TEN: usize = 10;
/// Bytes a call: `PublishBatch`, ten messages together.
const PUBLISH_BYTES: usize = 256 * 1024;
/// As a policy names it: it covers `PublishBatch`.
const PUBLISH: &str = "sns:Publish";
/// Between two calls that leave marks, in one pass.
const BETWEEN_MARKS: Duration = Duration::from_millis(250);
/// Calls at a time. ECS writes refill at 40 a second, from a bucket of 100.
const SIDE_BY_SIDE: usize = 8;

/// What an action's end looks like: completed, timed out or given up by somebody else. Auto Scaling's
/// model has no error of its own for it.
const OVER: (&str, &str) = ("ValidationError", "No active Lifecycle Action found with");

/// Sets container instances of one cluster to DRAINING, ten a call. Returns those that now are, as the
/// answer shows them, and why others are not.
pub async fn set_draining(
    clients: &Clients,
    cluster: &str,
    arns: Vec<String>,
) -> (Vec<ContainerInstance>, Vec<String>) {
    let calls = batch::split(arns, TEN, usize::MAX, |_| 0);
    let answers = stream::iter(calls)
        .map(|arns| {
            let request = clients.ecs.update_container_instances_state().cluster(cluster);
            let request = request.status(ContainerInstanceStatus::Draining);
            request.set_container_instances(Some(arns)).send()
        })
        .buffer_unordered(SIDE_BY_SIDE)
        .collect::<Vec<_>>();
    let (mut done, mut refused) = (Vec::new(), Vec::new());
    for answer in answers.await {
        match answer.map_err(|error| Fault::of("ecs:UpdateContainerInstancesState", error)) {
            Err(fault) => refused.push(fault.to_string()),
            Ok(answer) => {
                let instances = answer.container_instances.unwrap_or_default().into_iter();
                done.extend(instances.filter_map(|instance| observe::container_instance(cluster, instance)));
                // A 200 answer can hold refusals.
                refused.extend(answer.failures.unwrap_or_default().into_iter().map(|failure| {
                    let arn = failure.arn.unwrap_or_default();
                    format!(
                        "ecs:UpdateContainerInstancesState refused {arn}: {}",
                        failure.reason.unwrap_or_default()
                    )
                }));
            }
        }
    }
    (done, refused)
}

/// Stops tasks; returns what could not be stopped. A task that is gone already is no failure.
pub async fn stop_tasks(clients: &Clients, cluster: &str, arns: Vec<String>) -> Vec<Fault> {
    stream::iter(arns)
        .map(|arn| {
            let request = clients.ecs.stop_task().cluster(cluster).task(arn);
            request.reason("The instance is leaving its Auto Scaling group (Fleetkeeper)").send()
        })
        .buffer_unordered(SIDE_BY_SIDE)
        .filter_map(async |answer| answer.err().map(|error| Fault::of("ecs:StopTask", error)))
        .collect()
        .await
}

/// Whether a lifecycle action took what it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It did.
    Yes,
    /// It is over already, which is as good.
    Over,
}

/// Completes a lifecycle action.
pub async fn complete(
    clients: &Clients,
    instance: &str,
    hook: &Hook,
    outcome: Outcome,
) -> Result<Taken, Fault> {
    let request = clients.autoscaling.complete_lifecycle_action();
    let answer = request
        .auto_scaling_group_name(&hook.group)
        .lifecycle_hook_name(&hook.name)
        .set_lifecycle_action_token(hook.token.clone())
        .instance_id(instance)
        .lifecycle_action_result(outcome.as_str())
        .send()
        .await;
    taken(answer.map_err(|error| Fault::of("autoscaling:CompleteLifecycleAction", error)))
}

/// Records a heartbeat for a lifecycle action.
pub async fn heartbeat(clients: &Clients, instance: &str, hook: &Hook) -> Result<Taken, Fault> {
    let request = clients.autoscaling.record_lifecycle_action_heartbeat();
    let answer = request
        .auto_scaling_group_name(&hook.group)
        .lifecycle_hook_name(&hook.name)
        .set_lifecycle_action_token(hook.token.clone())
        .instance_id(instance)
        .send()
        .await;
    taken(answer.map_err(|error| Fault::of("autoscaling:RecordLifecycleActionHeartbeat", error)))
}

fn taken<T>(answer: Result<T, Fault>) -> Result<Taken, Fault> {
    match answer {
        Ok(_) => Ok(Taken::Yes),
        Err(fault) if fault.says(OVER.0, OVER.1) => Ok(Taken::Over),
        Err(fault) => Err(fault),
    }
}

/// Publishes continuations, ten a call; returns those that were not taken, by their place in `drains`.
pub async fn publish(clients: &Clients, topic: &str, drains: &[Drain]) -> HashMap<usize, Fault> {
    let mut failed = HashMap::new();
    let mut entries = Vec::with_capacity(drains.len());
    for (at, drain) in drains.iter().enumerate() {
        let message = continuation::write(drain);
        let size = message.len();
        match PublishBatchRequestEntry::builder().id(at.to_string()).message(message).build() {
            Ok(entry) => entries.push((at, size, entry)),
            Err(error) => drop(failed.insert(at, unsent(PUBLISH, &error))),
        }
    }
    let calls = batch::split(entries, TEN, PUBLISH_BYTES, |(_, size, _)| *size);
    let answers = stream::iter(calls)
        .map(async |entries| {
            let places: Vec<usize> = entries.iter().map(|(at, ..)| *at).collect();
            let request = clients.sns.publish_batch().topic_arn(topic);
            let entries = entries.into_iter().map(|(.., entry)| entry).collect();
            let answer = request.set_publish_batch_request_entries(Some(entries)).send().await;
            match answer.map_err(|error| Fault::of(PUBLISH, error)) {
                Err(fault) => places.into_iter().map(|at| (at, fault.clone())).collect(),
                Ok(answer) => {
                    answer.failed.unwrap_or_default().into_iter().filter_map(unpublished).collect::<Vec<_>>()
                }
            }
        })
        .buffer_unordered(SIDE_BY_SIDE)
        .collect::<Vec<_>>();
    failed.extend(answers.await.into_iter().flatten());
    failed
}

/// A 200 answer can hold refusals; `sender_fault` says whose they are.
fn unpublished(entry: BatchResultErrorEntry) -> Option<(usize, Fault)> {
    let kind = if entry.sender_fault { Kind::Invalid } else { Kind::Unavailable };
    let message = entry.message.unwrap_or_default();
    Some((entry.id.parse().ok()?, Fault { operation: PUBLISH, code: entry.code, message, kind }))
}

/// Leaves marks on container instances of one cluster, ten a call; returns those that could not be left,
/// by ARN. One instance that is gone, or has its ten attributes already, spoils nobody else's.
pub async fn mark(clients: &Clients, cluster: &str, marks: Vec<(String, Mark)>) -> Vec<(String, Fault)> {
    const OPERATION: &str = "ecs:PutAttributes";
    let attribute = |(arn, mark): &(String, Mark)| {
        let attribute = Attribute::builder().name(Mark::ATTRIBUTE).value(mark.to_value());
        attribute.target_type(TargetType::ContainerInstance).target_id(arn).build()
    };
    let call = async |marks: &[(String, Mark)]| {
        let attributes = marks.iter().map(attribute).collect::<Result<Vec<_>, _>>();
        let attributes = attributes.map_err(|error| unsent(OPERATION, &error))?;
        let request = clients.ecs.put_attributes().cluster(cluster).set_attributes(Some(attributes));
        request.send().await.map_err(|error| Fault::of(OPERATION, error))
    };
    let blame = |fault: &Fault| match fault.kind {
        Kind::Invalid | Kind::Gone => Blame::Some,
        _ => Blame::None,
    };
    // DRAINING draws on the same bucket, and other passes may just be setting it: marks leave it most of the refill.
    let queue = Queue::new(1, BETWEEN_MARKS);
    stream::iter(batch::split(marks, TEN, usize::MAX, |_| 0).into_iter().enumerate())
        .map(async |(place, marks)| {
            queue.turn(place).await;
            batch::isolate(marks, call, blame).await.1
        })
        .buffer_unordered(SIDE_BY_SIDE)
        .flat_map(stream::iter)
        .map(|((arn, _), fault)| (arn, fault))
        .collect()
        .await
}

/// A request that lacks what its model requires.
fn unsent(operation: &'static str, error: &dyn std::error::Error) -> Fault {
    Fault { operation, code: "NotSent".to_owned(), message: error.to_string(), kind: Kind::Invalid }
}
