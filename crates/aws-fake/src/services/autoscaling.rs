//! Amazon EC2 Auto Scaling: groups and their instances. Hooks are in [`super::hooks`].

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Operation, from_text, group_tags, hooks, page};
use crate::{
    error::ApiError,
    world::{
        World,
        clock::Moment,
        groups::{Group, Instance, LifecycleState},
        names,
    },
};

/// Most ids, and most instances of a page, of `DescribeAutoScalingInstances`.
const MOST_INSTANCES: usize = 50;
/// Most groups of a page.
const MOST_GROUPS: usize = 100;

pub(super) fn find(operation: &str) -> Option<Operation> {
    let found: Operation = match operation {
        "PutLifecycleHook" => hooks::put,
        "DescribeLifecycleHooks" => hooks::describe,
        "CompleteLifecycleAction" => hooks::complete,
        "RecordLifecycleActionHeartbeat" => hooks::heartbeat,
        "DescribeAutoScalingGroups" => describe_groups,
        "DescribeAutoScalingInstances" => describe_instances,
        "SetDesiredCapacity" => set_desired_capacity,
        "TerminateInstanceInAutoScalingGroup" => terminate_instance,
        "DescribeTags" => group_tags::describe,
        "CreateOrUpdateTags" => group_tags::create,
        _ => return None,
    };
    Some(found)
}

pub(super) fn input<T: serde::de::DeserializeOwned>(parameters: Value) -> Result<T, ApiError> {
    super::input(parameters, "ValidationError")
}

/// The group of this name.
pub(super) fn group<'w>(world: &'w mut World, name: &str) -> Result<&'w mut Group, ApiError> {
    let missing = || {
        ApiError::validation(format!("AutoScalingGroup name not found - AutoScalingGroup '{name}' not found"))
    };
    world.groups.get_mut(name).ok_or_else(missing)
}

pub(super) fn page_size(asked: Option<usize>, most: usize) -> Result<usize, ApiError> {
    let size = asked.unwrap_or(most.min(50));
    if (1..=most).contains(&size) {
        Ok(size)
    } else {
        Err(ApiError::validation(format!("MaxRecords must be 1 to {most}, not {size}")))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct DescribeGroups {
    #[serde(default, deserialize_with = "super::list")]
    auto_scaling_group_names: Vec<String>,
    #[serde(default, deserialize_with = "from_text")]
    max_records: Option<usize>,
    next_token: Option<String>,
}

fn describe_groups(world: &mut World, parameters: Value) -> Answer {
    let ask: DescribeGroups = input(parameters)?;
    let at = world.read_moment();
    let wanted = ask.auto_scaling_group_names;
    let names = world.groups.keys().filter(|name| wanted.is_empty() || wanted.contains(name));
    let names = names.cloned().collect();
    let (names, next) = page(names, ask.next_token.as_deref(), page_size(ask.max_records, MOST_GROUPS)?)?;
    let groups = names.iter().filter_map(|name| world.groups.get(name));
    let groups: Vec<_> = groups.map(|group| describe_group(world, group, at)).collect();
    Ok(json!({"AutoScalingGroups": groups, "NextToken": next}))
}

fn describe_group(world: &World, group: &Group, at: Moment) -> Value {
    // The warm pool has a description of its own.
    let inside = |instance: &&Instance| instance.state.at(at) != Some(LifecycleState::Warmed);
    let instances = world.instances_of(&group.name, at).filter(inside).map(|instance| {
        let health = if instance.exists { "Healthy" } else { "Unhealthy" };
        describe_instance(instance, at, health, None)
    });
    let instances: Vec<_> = instances.collect();
    json!({
        "AutoScalingGroupName": group.name,
        "AutoScalingGroupARN": names::group_arn(&group.name),
        "MinSize": group.min,
        "MaxSize": group.max,
        "DesiredCapacity": group.desired,
        "CapacityRebalance": group.capacity_rebalance,
        "DefaultCooldown": 300,
        "AvailabilityZones": ["us-east-1a", "us-east-1b", "us-east-1c"],
        "HealthCheckType": "EC2",
        "HealthCheckGracePeriod": 300,
        "CreatedTime": world.calendar.rfc3339(Moment::ZERO),
        "Instances": instances,
        "Tags": group_tags::of_group(group),
    })
}

fn describe_instance(instance: &Instance, at: Moment, health: &str, group: Option<&str>) -> Value {
    json!({
        "InstanceId": instance.id,
        "InstanceType": "m6g.xlarge",
        "AvailabilityZone": instance.zone,
        "LifecycleState": instance.state.at(at).map(LifecycleState::name),
        "HealthStatus": health,
        "AutoScalingGroupName": group,
        "ProtectedFromScaleIn": false,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct DescribeInstances {
    #[serde(default, deserialize_with = "super::list")]
    instance_ids: Vec<String>,
    #[serde(default, deserialize_with = "from_text")]
    max_records: Option<usize>,
    next_token: Option<String>,
}

/// Ids that are not known are left out without an error.
fn describe_instances(world: &mut World, parameters: Value) -> Answer {
    let ask: DescribeInstances = input(parameters)?;
    let wanted = ask.instance_ids;
    if wanted.len() > MOST_INSTANCES {
        let message =
            format!("The number of instance ids that may be passed in is limited to {MOST_INSTANCES}");
        return Err(ApiError::validation(message));
    }
    let at = world.read_moment();
    let listed = world.instances.values().filter(|instance| instance.is_listed(at));
    let listed = listed.filter(|instance| wanted.is_empty() || wanted.contains(&instance.id));
    let ids = listed.map(|instance| instance.id.clone()).collect();
    let (ids, next) = page(ids, ask.next_token.as_deref(), page_size(ask.max_records, MOST_INSTANCES)?)?;
    let instances = ids.iter().filter_map(|id| world.instances.get(id)).map(|instance| {
        // This operation names the group, and writes the health status in capitals.
        let health = if instance.exists { "HEALTHY" } else { "UNHEALTHY" };
        describe_instance(instance, at, health, Some(&instance.group))
    });
    let instances: Vec<_> = instances.collect();
    Ok(json!({"AutoScalingInstances": instances, "NextToken": next}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct SetDesiredCapacity {
    auto_scaling_group_name: String,
    #[serde(deserialize_with = "from_text")]
    desired_capacity: Option<usize>,
    #[serde(default, deserialize_with = "from_text")]
    honor_cooldown: Option<bool>,
}

fn set_desired_capacity(world: &mut World, parameters: Value) -> Answer {
    let ask: SetDesiredCapacity = input(parameters)?;
    // A virtual group never cools down, so that it can always be honoured.
    let _ = ask.honor_cooldown;
    let wanted = ask.desired_capacity.unwrap_or_default();
    let group = group(world, &ask.auto_scaling_group_name)?;
    if wanted < group.min {
        let message = format!(
            "New SetDesiredCapacity value {wanted} is below min value {} for the AutoScalingGroup.",
            group.min
        );
        return Err(ApiError::validation(message));
    }
    if wanted > group.max {
        let message = format!(
            "New SetDesiredCapacity value {wanted} is above max value {} for the AutoScalingGroup.",
            group.max
        );
        return Err(ApiError::validation(message));
    }
    group.desired = wanted;
    world.reconcile(&ask.auto_scaling_group_name);
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct TerminateInstance {
    instance_id: String,
    #[serde(deserialize_with = "from_text")]
    should_decrement_desired_capacity: Option<bool>,
}

fn terminate_instance(world: &mut World, parameters: Value) -> Answer {
    let ask: TerminateInstance = input(parameters)?;
    let known = world.instances.get(&ask.instance_id).filter(|instance| instance.is_listed(world.now()));
    let Some(instance) = known else {
        let message =
            format!("Instance Id not found - No managed instance found for instance ID: {}", ask.instance_id);
        return Err(ApiError::validation(message));
    };
    let (name, was, stays) = (instance.group.clone(), instance.state.latest(), instance.stays());
    let group = group(world, &name)?;
    if ask.should_decrement_desired_capacity == Some(true) && stays {
        if group.desired <= group.min {
            let message = format!(
                "Currently, desiredSize equals minSize ({}). Terminating instance without replacement will violate \
                 group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's min size.",
                group.min
            );
            return Err(ApiError::validation(message));
        }
        group.desired -= 1;
    }
    world.begin_termination(&ask.instance_id);
    let activity = names::uuid(&mut world.rng);
    Ok(json!({"Activity": {
        "ActivityId": activity,
        "AutoScalingGroupName": name,
        "Description": format!("Terminating EC2 instance: {}", ask.instance_id),
        "Cause": format!("At {} instance {} was taken out of service in response to a user request.",
            world.calendar.rfc3339(world.now()), ask.instance_id),
        "StartTime": world.calendar.rfc3339(world.now()),
        "StatusCode": "InProgress",
        "Progress": 0,
        "Details": json!({"from": was.name()}).to_string(),
    }}))
}
