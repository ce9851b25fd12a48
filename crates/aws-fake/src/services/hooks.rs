//! Amazon EC2 Auto Scaling: lifecycle hooks and lifecycle actions.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Answer,
    autoscaling::{group, input},
    from_text,
};
use crate::{
    error::ApiError,
    world::{
        World,
        hooks::{ActionKey, ActionResult, EndedBy, Hook},
    },
};

/// The only transition that this World holds instances at.
const TERMINATING: &str = "autoscaling:EC2_INSTANCE_TERMINATING";
/// Heartbeat timeout unless said, in seconds.
const DEFAULT_HEARTBEAT: u64 = 3_600;
/// Longest `NotificationMetadata`.
const LONGEST_METADATA: usize = 4_000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Put {
    lifecycle_hook_name: String,
    auto_scaling_group_name: String,
    lifecycle_transition: Option<String>,
    #[serde(rename = "RoleARN")]
    role_arn: Option<String>,
    #[serde(rename = "NotificationTargetARN")]
    notification_target_arn: Option<String>,
    notification_metadata: Option<String>,
    #[serde(default, deserialize_with = "from_text")]
    heartbeat_timeout: Option<u64>,
    default_result: Option<String>,
}

/// Creates or changes a hook. What is not given stays as it was, as when AWS changes one.
pub(super) fn put(world: &mut World, parameters: Value) -> Answer {
    let ask: Put = input(parameters)?;
    let any_topic = world.settings.any_topic;
    let known_topic =
        ask.notification_target_arn.as_ref().is_none_or(|topic| any_topic || world.topics.contains(topic));
    let group = group(world, &ask.auto_scaling_group_name)?;
    let old = group.hooks.get(&ask.lifecycle_hook_name).cloned();
    check(&ask, old.as_ref(), known_topic)?;
    let default_result = ask.default_result.as_deref().map(ActionResult::parse).transpose()?;
    let heartbeat = ask.heartbeat_timeout.map(Duration::from_secs);
    let fallback = Hook {
        name: ask.lifecycle_hook_name,
        target: None,
        role: None,
        metadata: None,
        heartbeat: Duration::from_secs(DEFAULT_HEARTBEAT),
        default_result: ActionResult::Abandon,
    };
    let old = old.unwrap_or(fallback);
    let hook = Hook {
        target: ask.notification_target_arn.clone().or(old.target),
        role: ask.role_arn.or(old.role),
        metadata: ask.notification_metadata.or(old.metadata),
        heartbeat: heartbeat.unwrap_or(old.heartbeat),
        default_result: default_result.unwrap_or(old.default_result),
        name: old.name,
    };
    group.hooks.insert(hook.name.clone(), hook);
    if let Some(target) = ask.notification_target_arn {
        world.test_hook(&ask.auto_scaling_group_name, &target);
    }
    Ok(json!({}))
}

fn check(ask: &Put, old: Option<&Hook>, known_topic: bool) -> Result<(), ApiError> {
    let refuse = |message: &str| Err(ApiError::validation(message));
    if old.is_none() && ask.lifecycle_transition.is_none() {
        return refuse("LifecycleTransition is required to create a lifecycle hook");
    }
    if ask.lifecycle_transition.as_deref().is_some_and(|transition| transition != TERMINATING) {
        return refuse("This World has only hooks for autoscaling:EC2_INSTANCE_TERMINATING");
    }
    if ask.heartbeat_timeout.is_some_and(|seconds| !(30..=7_200).contains(&seconds)) {
        return refuse("HeartbeatTimeout must be between 30 and 7200 seconds");
    }
    if ask.notification_metadata.as_ref().is_some_and(|metadata| metadata.len() > LONGEST_METADATA) {
        return refuse("NotificationMetadata is longer than 4000 characters");
    }
    let has_role = ask.role_arn.is_some() || old.is_some_and(|old| old.role.is_some());
    if ask.notification_target_arn.is_some() && !has_role {
        return refuse("RoleARN is required with NotificationTargetARN");
    }
    if !known_topic {
        return refuse("Unable to publish test message to notification target");
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Describe {
    auto_scaling_group_name: String,
    #[serde(default, deserialize_with = "super::list")]
    lifecycle_hook_names: Vec<String>,
}

pub(super) fn describe(world: &mut World, parameters: Value) -> Answer {
    let ask: Describe = input(parameters)?;
    let group = group(world, &ask.auto_scaling_group_name)?;
    let wanted = ask.lifecycle_hook_names;
    let hooks = group.hooks.values().filter(|hook| wanted.is_empty() || wanted.contains(&hook.name));
    let hooks: Vec<_> = hooks.map(|hook| describe_one(&group.name, hook)).collect();
    Ok(json!({"LifecycleHooks": hooks}))
}

fn describe_one(group: &str, hook: &Hook) -> Value {
    json!({
        "LifecycleHookName": hook.name,
        "AutoScalingGroupName": group,
        "LifecycleTransition": TERMINATING,
        "NotificationTargetARN": hook.target,
        "RoleARN": hook.role,
        "NotificationMetadata": hook.metadata,
        "HeartbeatTimeout": hook.heartbeat.as_secs(),
        "GlobalTimeout": hook.global_timeout().as_secs(),
        "DefaultResult": hook.default_result.name(),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Complete {
    lifecycle_hook_name: String,
    auto_scaling_group_name: String,
    lifecycle_action_token: Option<String>,
    lifecycle_action_result: String,
    instance_id: Option<String>,
}

pub(super) fn complete(world: &mut World, parameters: Value) -> Answer {
    let ask: Complete = input(parameters)?;
    let result = ActionResult::parse(&ask.lifecycle_action_result)?;
    group(world, &ask.auto_scaling_group_name)?;
    let token = world.find_action(ActionKey {
        group: &ask.auto_scaling_group_name,
        hook: &ask.lifecycle_hook_name,
        instance: ask.instance_id.as_deref(),
        token: ask.lifecycle_action_token.as_deref(),
    })?;
    world.end_action(&token, result, EndedBy::Call);
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Heartbeat {
    lifecycle_hook_name: String,
    auto_scaling_group_name: String,
    lifecycle_action_token: Option<String>,
    instance_id: Option<String>,
}

pub(super) fn heartbeat(world: &mut World, parameters: Value) -> Answer {
    let ask: Heartbeat = input(parameters)?;
    group(world, &ask.auto_scaling_group_name)?;
    let token = world.find_action(ActionKey {
        group: &ask.auto_scaling_group_name,
        hook: &ask.lifecycle_hook_name,
        instance: ask.instance_id.as_deref(),
        token: ask.lifecycle_action_token.as_deref(),
    })?;
    world.heartbeat(&token);
    Ok(json!({}))
}
