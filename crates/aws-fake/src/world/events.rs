//! What leaves the World: notifications for topics, and events for the bus, in AWS's shapes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    World,
    clock::{self, Moment},
    hooks::LifecycleAction,
    machines::MachineState,
    names::{self, ACCOUNT, REGION},
    task::Task,
    trail::TrailEvent,
};
use crate::json::given;

/// Something that leaves, and when.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// When it left.
    pub at: Moment,
    /// What and where to.
    pub what: Departure,
}

/// Where something goes.
#[derive(Clone, Debug)]
pub enum Departure {
    /// To a topic.
    Notification {
        /// ARN of the topic.
        topic: String,
        /// The subject, if there is one.
        subject: Option<String>,
        /// The message; with `is_json` an object with a text for each protocol.
        message: String,
        /// Whether each protocol has a text of its own.
        is_json: bool,
        /// The message's attributes.
        attributes: Attributes,
    },
    /// To the event bus: the whole envelope.
    Event(Value),
}

/// Attributes of a message, by name.
pub type Attributes = BTreeMap<String, MessageAttribute>;

/// An attribute of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageAttribute {
    /// `String`, `Number`, …
    pub data_type: String,
    /// Its value; binary ones are not kept.
    pub value: Option<String>,
}

/// A message as it was published.
#[derive(Clone, Debug)]
pub struct Published {
    /// When.
    pub at: Moment,
    /// ARN of the topic.
    pub topic: String,
    /// The subject, if there is one.
    pub subject: Option<String>,
    /// The message; with `is_json` an object with a text for each protocol.
    pub message: String,
    /// Whether each protocol has a text of its own.
    pub is_json: bool,
    /// The message's attributes.
    pub attributes: Attributes,
}

impl Published {
    /// What a subscriber of this protocol gets.
    pub fn text_for(&self, protocol: &str) -> String {
        text_for(&self.message, self.is_json, protocol)
    }
}

/// What a subscriber of this protocol gets of a message.
pub(crate) fn text_for(message: &str, is_json: bool, protocol: &str) -> String {
    let parts: Value = if is_json { serde_json::from_str(message).unwrap_or_default() } else { Value::Null };
    let part = parts.get(protocol).or_else(|| parts.get("default")).and_then(Value::as_str);
    part.unwrap_or(message).to_owned()
}

/// The message of a terminating instance's lifecycle action.
pub(crate) fn lifecycle_message(world: &mut World, action: &LifecycleAction) -> String {
    let message = given(json!({
        "LifecycleHookName": action.hook.name,
        "AccountId": ACCOUNT,
        "RequestId": names::uuid(&mut world.rng),
        "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
        "AutoScalingGroupName": action.group,
        "Service": "AWS Auto Scaling",
        "Time": world.calendar.rfc3339(world.now),
        "EC2InstanceId": action.instance,
        "NotificationMetadata": action.hook.metadata,
        "LifecycleActionToken": action.token,
    }));
    message.to_string()
}

/// The one message that a new hook sends to its target.
pub(crate) fn test_notification(world: &mut World, group: &str) -> String {
    let message = json!({
        "AccountId": ACCOUNT,
        "RequestId": names::uuid(&mut world.rng),
        "AutoScalingGroupARN": names::group_arn(group),
        "AutoScalingGroupName": group,
        "Service": "AWS Auto Scaling",
        "Event": "autoscaling:TEST_NOTIFICATION",
        "Time": world.calendar.rfc3339(world.now),
    });
    message.to_string()
}

/// The same lifecycle action as an event. Auto Scaling emits it whether or not the hook has a target.
pub(crate) fn lifecycle_event(world: &mut World, action: &LifecycleAction) -> Departure {
    let detail = given(json!({
        "LifecycleActionToken": action.token,
        "AutoScalingGroupName": action.group,
        "LifecycleHookName": action.hook.name,
        "EC2InstanceId": action.instance,
        "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
        "NotificationMetadata": action.hook.metadata,
        "Origin": "AutoScalingGroup",
        "Destination": "EC2",
    }));
    let resource = names::group_arn(&action.group);
    envelope(world, "aws.autoscaling", "EC2 Instance-terminate Lifecycle Action", &[resource], &detail)
}

/// A call that CloudTrail hands to the event bus.
pub(crate) fn trail_event(world: &mut World, call: &TrailEvent) -> Departure {
    let source = call.source.split('.').next().unwrap_or_default();
    envelope(world, &format!("aws.{source}"), "AWS API Call via CloudTrail", &[], &call.to_json())
}

/// EC2's warning of a spot instance's interruption. Its ARN has the zone and no account. None when there is no
/// such machine.
pub(crate) fn interruption_warning(world: &mut World, instance: &str, action: &str) -> Option<Departure> {
    let zone = world.machine(instance)?.zone.clone();
    let resource = format!("arn:aws:ec2:{zone}:instance/{instance}");
    let detail = json!({"instance-id": instance, "instance-action": action});
    Some(ec2_event(world, "EC2 Spot Instance Interruption Warning", resource, &detail))
}

/// EC2's recommendation to move off a spot instance.
pub(crate) fn rebalance_recommendation(world: &mut World, instance: &str) -> Departure {
    let detail = json!({"instance-id": instance});
    ec2_event(world, "EC2 Instance Rebalance Recommendation", names::instance_arn(instance), &detail)
}

/// A machine's new state.
pub(crate) fn state_change(world: &mut World, instance: &str, state: MachineState) -> Departure {
    let detail = json!({"instance-id": instance, "state": state.name()});
    ec2_event(world, "EC2 Instance State-change Notification", names::instance_arn(instance), &detail)
}

/// EC2 writes whole seconds. Its ids are drawn apart, so that they change nothing about the drains of a seed.
fn ec2_event(world: &mut World, kind: &str, resource: String, detail: &Value) -> Departure {
    let id = names::uuid(&mut world.ids);
    let time = clock::seconds(world.calendar.date(world.now));
    sealed(&id, &time, "aws.ec2", kind, &[resource], detail)
}

fn envelope(world: &mut World, source: &str, kind: &str, resources: &[String], detail: &Value) -> Departure {
    let (id, time) = (names::uuid(&mut world.rng), world.calendar.rfc3339(world.now));
    sealed(&id, &time, source, kind, resources, detail)
}

fn sealed(id: &str, time: &str, source: &str, kind: &str, resources: &[String], detail: &Value) -> Departure {
    Departure::Event(json!({
        "version": "0",
        "id": id,
        "detail-type": kind,
        "source": source,
        "account": ACCOUNT,
        "time": time,
        "region": REGION,
        "resources": resources,
        "detail": detail,
    }))
}

impl World {
    /// Sends a message to a topic.
    pub(crate) fn notify(&mut self, topic: &str, subject: Option<String>, message: String) {
        self.publish_as(topic, subject, message, false, Attributes::new());
    }

    /// Sends a message to a topic, with all that a message can have.
    pub(crate) fn publish_as(
        &mut self,
        topic: &str,
        subject: Option<String>,
        message: String,
        is_json: bool,
        attributes: Attributes,
    ) {
        self.record("published", given(json!({"topic": topic, "subject": subject})));
        let (at, topic) = (self.now, topic.to_owned());
        self.published.push(Published {
            at,
            topic: topic.clone(),
            subject: subject.clone(),
            message: message.clone(),
            is_json,
            attributes: attributes.clone(),
        });
        self.send(Departure::Notification { topic, subject, message, is_json, attributes });
    }

    /// The event of a task that is STOPPED.
    pub(crate) fn task_event(&mut self, task: &str) -> Option<Departure> {
        let task: Task = self.tasks.get(task)?.clone();
        let stop = task.stop.as_ref()?;
        let arn = names::task_arn(&task.cluster, &task.id);
        let name = names::short_id(&task.owner.group().replace(':', "/")).to_owned();
        let detail = given(json!({
            "clusterArn": names::cluster_arn(&task.cluster),
            "containerInstanceArn": task.container_instance_arn(),
            "taskArn": arn,
            "group": task.owner.group(),
            "startedBy": task.owner.started_by(),
            "launchType": "EC2",
            "desiredStatus": "STOPPED",
            "lastStatus": "STOPPED",
            "stopCode": stop.code,
            "stoppedReason": stop.reason,
            "stoppingAt": self.calendar.rfc3339(stop.at),
            "stoppedAt": self.calendar.rfc3339(stop.done_at),
            "containers": [{"name": name, "lastStatus": "STOPPED", "exitCode": 0}],
            "version": 6,
        }));
        Some(envelope(self, "aws.ecs", "ECS Task State Change", &[arn], &detail))
    }
}
