//! A raw inner message → a [`Command`]. Every trigger that can reach the topic or the queues has its
//! place here; what is no trigger is skipped with a reason, and only what is broken is an error.

use aws_helpers::envelope::{BadMessage, kind_name};
use jiff::Timestamp;
use serde_json::Value;

use crate::drain::{Drain, Hook, TaskStopped};
use crate::settings::is_cluster;

pub mod continuation;

/// What a message asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Begin a drain, or go on with it.
    Drain(Box<Drain>),
    /// A task has stopped: if its instance is draining, it may have been the last.
    TaskStopped(TaskStopped),
    /// EC2 has terminated this instance: if a hook waits for it, it need not.
    Terminated(String),
    /// Nothing, for this reason: acknowledge it.
    Skip(String),
}

/// The lifecycle transition that a drain begins with.
const TERMINATING: &str = "autoscaling:EC2_INSTANCE_TERMINATING";

/// Reads an inner message; `now` stands in for a time that a message does not carry.
pub fn classify(message: &Value, now: Timestamp) -> Result<Command, BadMessage> {
    let text = |field: &str| message.get(field).and_then(Value::as_str);
    if message.get("DrainPass").is_some() {
        return continuation::read(message, now);
    }
    if message.get("DrainRequest").is_some() {
        return request(message, now);
    }
    if let Some(detail_type) = text("detail-type") {
        let null = Value::Null;
        let detail = message.get("detail").unwrap_or(&null);
        return match (text("source"), detail_type) {
            (Some("aws.autoscaling"), "EC2 Instance-terminate Lifecycle Action") => {
                lifecycle(detail, text("time"), now)
            }
            (Some("aws.ecs"), "ECS Task State Change") => task_state(detail),
            (Some("aws.ec2"), "EC2 Instance State-change Notification") => instance_state(detail),
            _ => Ok(Command::Skip(format!("event is not for the drainer: {}", kind_name(detail_type)))),
        };
    }
    if text("LifecycleTransition").is_some() {
        return lifecycle(message, text("Time"), now);
    }
    Ok(Command::Skip(match text("Event") {
        Some("autoscaling:TEST_NOTIFICATION") => "test notification: the hook is attached".to_owned(),
        Some(event) => format!("notice of the group, nothing to drain: {}", kind_name(event)),
        None => "no lifecycle message, continuation or drain request".to_owned(),
    }))
}

fn lifecycle(message: &Value, time: Option<&str>, now: Timestamp) -> Result<Command, BadMessage> {
    let fields = Fields { kind: "lifecycle message", message };
    let transition = fields.text("LifecycleTransition")?;
    if transition != TERMINATING {
        return Ok(Command::Skip(format!(
            "transition is not the terminating one: {}",
            kind_name(&transition)
        )));
    }
    let hook = Hook {
        group: fields.text("AutoScalingGroupName")?,
        name: fields.text("LifecycleHookName")?,
        token: fields.text("LifecycleActionToken").ok(),
        terms: None,
    };
    let hook = fields.hook(hook)?;
    let first_seen = time.and_then(|time| time.parse().ok()).map_or(now, |time: Timestamp| time.min(now));
    let cluster = fields.text("NotificationMetadata").ok().and_then(|metadata| cluster_of(&metadata));
    let drain = Drain::begin(fields.instance("EC2InstanceId")?, first_seen);
    Ok(Command::Drain(Box::new(Drain { cluster, hook: Some(hook), ..drain })))
}

/// The cluster that a hook's metadata names: `{"cluster":"prod"}`. Metadata of another shape is for
/// somebody else.
fn cluster_of(metadata: &str) -> Option<String> {
    let metadata: Value = serde_json::from_str(metadata).ok()?;
    let cluster = metadata.get("cluster")?.as_str()?;
    (is_name(cluster) && is_cluster(cluster)).then(|| cluster.to_owned())
}

fn request(message: &Value, now: Timestamp) -> Result<Command, BadMessage> {
    let fields = Fields { kind: "drain request", message };
    let cluster = match message.get("Cluster") {
        None => None,
        Some(_) => Some(
            fields
                .text("Cluster")
                .ok()
                .filter(|name| is_name(name) && is_cluster(name))
                .ok_or_else(|| fields.bad("Cluster", "is not the name or ARN of a cluster"))?,
        ),
    };
    let (until, launched_at) = (fields.time("Until")?, fields.time("LaunchedAt")?);
    if until.is_some_and(|until| until <= now) {
        // A late copy: what was said of the instance's end then says nothing of it now.
        return Ok(Command::Skip("drain request: its time is over".to_owned()));
    }
    let launched_at = launched_at.map(|at| at.min(now));
    let drain = Drain::begin(fields.instance("EC2InstanceId")?, now);
    Ok(Command::Drain(Box::new(Drain { cluster, until, launched_at, ..drain })))
}

/// Whether a text can be a name or an ARN of AWS's, and can stand in the log: the longest ARN of a task has 340 characters.
fn is_name(text: &str) -> bool {
    (1..=512).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn task_state(detail: &Value) -> Result<Command, BadMessage> {
    let fields = Fields { kind: "task event", message: detail };
    if fields.text("lastStatus")? != "STOPPED" {
        return Ok(Command::Skip("task event: the task has not stopped yet".to_owned()));
    }
    if detail.get("containerInstanceArn").is_none() {
        return Ok(Command::Skip("task event: the task ran on no container instance".to_owned()));
    }
    Ok(Command::TaskStopped(TaskStopped {
        cluster: fields.name("clusterArn")?,
        container_instance: fields.name("containerInstanceArn")?,
        task: fields.name("taskArn")?,
    }))
}

fn instance_state(detail: &Value) -> Result<Command, BadMessage> {
    let fields = Fields { kind: "instance event", message: detail };
    if fields.text("state")? != "terminated" {
        return Ok(Command::Skip("instance event: the instance has not been terminated".to_owned()));
    }
    fields.instance("instance-id").map(Command::Terminated)
}

struct Fields<'m> {
    kind: &'static str,
    message: &'m Value,
}

impl Fields<'_> {
    fn bad(&self, field: &'static str, problem: &'static str) -> BadMessage {
        BadMessage { kind: self.kind, field, problem }
    }

    fn text(&self, field: &'static str) -> Result<String, BadMessage> {
        let text = self.message.get(field).and_then(Value::as_str).filter(|text| !text.is_empty());
        text.map(str::to_owned).ok_or_else(|| self.bad(field, "is missing or not a text"))
    }

    /// A name or an ARN.
    fn name(&self, field: &'static str) -> Result<String, BadMessage> {
        let text = self.text(field)?;
        if is_name(&text) { Ok(text) } else { Err(self.bad(field, "is not a name or an ARN")) }
    }

    /// The instance id. It goes into a filter expression, so it may hold nothing but letters and digits.
    fn instance(&self, field: &'static str) -> Result<String, BadMessage> {
        let id = self.text(field)?;
        let tail = id.strip_prefix("i-").unwrap_or_default();
        let valid = (1..=32).contains(&tail.len()) && tail.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if valid { Ok(id) } else { Err(self.bad(field, "is not an instance id (i- and hexadecimal digits)")) }
    }

    /// A hook whose names can be such: a group's may hold anything but control characters, and has 255 at most; a token is
    /// a UUID (Auto Scaling, `LifecycleHook` and `CompleteLifecycleAction`).
    fn hook(&self, hook: Hook) -> Result<Hook, BadMessage> {
        let is_group = !hook.group.chars().any(char::is_control) && hook.group.chars().count() <= 255;
        let is_token = |token: &String| is_name(token) && token.len() <= 64;
        if !is_group || hook.group.is_empty() {
            Err(self.bad("the name of the group", "is not one"))
        } else if !is_name(&hook.name) {
            Err(self.bad("the name of the hook", "is not one"))
        } else if !hook.token.as_ref().is_none_or(is_token) {
            Err(self.bad("the token", "is not one"))
        } else {
            Ok(hook)
        }
    }

    /// A date, where there is one.
    fn time(&self, field: &'static str) -> Result<Option<Timestamp>, BadMessage> {
        let read = |value: &Value| value.as_str()?.parse().ok();
        let value = self.message.get(field);
        value
            .map(|value| read(value).ok_or_else(|| self.bad(field, "is not a date as RFC 3339 writes it")))
            .transpose()
    }
}

#[cfg(test)]
mod tests;
