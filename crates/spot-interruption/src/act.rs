//! The writes: a plan → the SDK's calls → what became of them. Decides nothing.

use aws_helpers::fault::Fault;
use aws_sdk_elasticloadbalancingv2::types::TargetDescription;

use crate::Clients;
use crate::decide::DrainRequest;

/// As a policy names it.
pub(crate) const PUBLISH: &str = "sns:Publish";
/// As a policy names it.
pub(crate) const DEREGISTER: &str = "elasticloadbalancing:DeregisterTargets";

/// Publishes a drain request.
pub async fn request_drain(clients: &Clients, topic: &str, request: &DrainRequest) -> Result<(), Fault> {
    let message = serde_json::to_string(request).unwrap_or_default();
    let answer = clients.sns.publish().topic_arn(topic).message(message).send().await;
    answer.map(drop).map_err(|error| Fault::of(PUBLISH, error))
}

/// Takes an instance out of a target group, at the port of the group. One that is not in it is no error
/// (ELB API, `DeregisterTargets`).
pub async fn deregister(clients: &Clients, target_group: &str, instance: &str) -> Result<(), Fault> {
    let target = TargetDescription::builder().id(instance).build();
    let request = clients.elb.deregister_targets().target_group_arn(target_group).targets(target);
    request.send().await.map(drop).map_err(|error| Fault::of(DEREGISTER, error))
}

/// Publishes a notice; `message` is an object with a text for each protocol.
pub async fn tell(clients: &Clients, topic: &str, subject: &str, message: &str) -> Result<(), Fault> {
    let request = clients.sns.publish().topic_arn(topic).subject(subject).message(message);
    let answer = request.message_structure("json").send().await;
    answer.map(drop).map_err(|error| Fault::of(PUBLISH, error))
}
