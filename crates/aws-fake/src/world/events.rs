//! What leaves the World: notifications for topics, and events for the bus, in AWS's shapes.

use serde_json::{Value, json};

use super::{
    World,
    clock::Moment,
    hooks::LifecycleAction,
    names::{self, ACCOUNT, REGION},
    task::Task,
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
        /// The message.
        message: String,
    },
    /// To the event bus: the whole envelope.
    Event(Value),
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
    envelope(world, "aws.autoscaling", "EC2 Instance-terminate Lifecycle Action", &resource, &detail)
}

fn envelope(world: &mut World, source: &str, kind: &str, resource: &str, detail: &Value) -> Departure {
    Departure::Event(json!({
        "version": "0",
        "id": names::uuid(&mut world.rng),
        "detail-type": kind,
        "source": source,
        "account": ACCOUNT,
        "time": world.calendar.rfc3339(world.now),
        "region": REGION,
        "resources": [resource],
        "detail": detail,
    }))
}

impl World {
    /// Sends a message to a topic.
    pub(crate) fn notify(&mut self, topic: &str, subject: Option<String>, message: String) {
        self.record("published", json!({"topic": topic}));
        self.send(Departure::Notification { topic: topic.to_owned(), subject, message });
    }

    /// The event of a task that is STOPPED.
    pub(crate) fn task_event(&mut self, task: &str) -> Option<Departure> {
        let task: Task = self.tasks.get(task)?.clone();
        let stop = task.stop.as_ref()?;
        let arn = names::task_arn(&task.cluster, &task.id);
        let name = names::short_id(&task.owner.group().replace(':', "/")).to_owned();
        let detail = given(json!({
            "clusterArn": names::cluster_arn(&task.cluster),
            "containerInstanceArn": names::container_instance_arn(&task.cluster, &task.container_instance),
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
        Some(envelope(self, "aws.ecs", "ECS Task State Change", &arn, &detail))
    }
}
