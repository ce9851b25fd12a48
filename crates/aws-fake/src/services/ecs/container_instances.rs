//! Container instances: list, describe, set their state, put attributes on them.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{MOST, cluster, failure, filters::Filter, ids, input, page_size, short};
use crate::{
    error::ApiError,
    services::{Answer, page},
    world::{
        World,
        clock::Moment,
        ecs::{ContainerInstance, Status},
        names,
        task::Size,
    },
};

/// Most container instances of one `UpdateContainerInstancesState`.
const MOST_UPDATED: usize = 10;
/// Most attributes of one `PutAttributes`, and most custom attributes of a container instance.
const MOST_ATTRIBUTES: usize = 10;
/// Longest name and longest value of an attribute.
const LONGEST: usize = 128;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct List {
    cluster: Option<String>,
    filter: Option<String>,
    status: Option<String>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

pub(super) fn list(world: &mut World, parameters: Value) -> Answer {
    let ask: List = input(parameters)?;
    let at = world.read_moment();
    let cluster = cluster(world, ask.cluster.as_deref(), at)?;
    let wanted = ask.filter.as_deref().map(Filter::read).transpose()?;
    let wanted = wanted.filter(|_| !world.settings.ignore_filters);
    let status = ask.status.as_deref().map(parse_status).transpose()?;
    let members = world.members_of(&cluster, at).filter(|member| {
        let now = member.status.at(at);
        let by_status = status.map_or(now != Some(Status::Inactive), |status| now == Some(status));
        by_status && wanted.as_ref().is_none_or(|wanted| wanted.takes(member, at))
    });
    let arns = members.map(|member| names::container_instance_arn(&cluster, &member.id)).collect();
    let (arns, next) = page(arns, ask.next_token.as_deref(), page_size(ask.max_results, MOST)?)?;
    Ok(json!({"containerInstanceArns": arns, "nextToken": next}))
}

fn parse_status(text: &str) -> Result<Status, ApiError> {
    let all = [Status::Active, Status::Draining, Status::Inactive];
    let found = all.into_iter().find(|status| status.name() == text);
    found.ok_or_else(|| ApiError::invalid_parameter(format!("status cannot be {text}")))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Describe {
    cluster: Option<String>,
    container_instances: Vec<String>,
    #[serde(default)]
    include: Vec<Include>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Include {
    Tags,
    ContainerInstanceHealth,
}

pub(super) fn describe(world: &mut World, parameters: Value) -> Answer {
    let ask: Describe = input(parameters)?;
    let at = world.read_moment();
    let cluster = cluster(world, ask.cluster.as_deref(), at)?;
    let ids = ids("containerInstances", &ask.container_instances, MOST)?;
    let mut found = Vec::new();
    let mut failures = Vec::new();
    for id in ids {
        let member = world.container_instances.get(&id).filter(|member| member.cluster == cluster);
        match member.and_then(|member| describe_one(world, member, at, &ask.include)) {
            Some(description) => found.push(description),
            None => failures.push(failure(&names::container_instance_arn(&cluster, &id), "MISSING")),
        }
    }
    Ok(json!({"containerInstances": found, "failures": failures}))
}

/// None when it did not exist at that moment.
fn describe_one(world: &World, member: &ContainerInstance, at: Moment, include: &[Include]) -> Option<Value> {
    let status = member.status.at(at)?;
    let wanted: Vec<_> = world.tasks_on(member, at).filter(|task| task.is_wanted(at)).collect();
    let pending = wanted.iter().filter(|task| task.last_status(at) != "RUNNING").count();
    let held = world.tasks_on(member, at).filter(|task| !task.is_stopped(at));
    let used = held.fold(Size::default(), |used, task| used.plus(task.size));
    let zone = world.instances.get(&member.instance).map(|instance| instance.zone);
    let mut attributes = vec![
        json!({"name": "ecs.availability-zone", "value": zone}),
        json!({"name": "ecs.instance-type", "value": "m6g.xlarge"}),
        json!({"name": "ecs.os-type", "value": "linux"}),
    ];
    attributes.extend(member.attributes.iter().map(|(name, value)| json!({"name": name, "value": value})));
    let health = include.contains(&Include::ContainerInstanceHealth);
    let health = health.then(|| json!({"overallStatus": "OK", "details": []}));
    Some(json!({
        "containerInstanceArn": names::container_instance_arn(&member.cluster, &member.id),
        "ec2InstanceId": member.instance,
        "status": status.name(),
        "runningTasksCount": wanted.len() - pending,
        "pendingTasksCount": pending,
        "agentConnected": member.connected.at(at).unwrap_or_default(),
        "attributes": attributes,
        "registeredAt": world.calendar.epoch_seconds(member.status.since()),
        "version": member.tasks.len(),
        "versionInfo": {"agentVersion": "1.98.0", "dockerVersion": "DockerVersion: 25.0.8"},
        "registeredResources": resources(member.size),
        "remainingResources": resources(member.size.minus(used)),
        "attachments": [],
        "tags": include.contains(&Include::Tags).then(|| json!([])),
        "healthStatus": health,
    }))
}

fn resources(size: Size) -> Value {
    let resource = |name: &str, value: u32| json!({"name": name, "type": "INTEGER", "integerValue": value, "doubleValue": 0.0, "longValue": 0});
    json!([resource("CPU", size.cpu), resource("MEMORY", size.memory)])
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UpdateState {
    cluster: Option<String>,
    container_instances: Vec<String>,
    status: String,
}

/// DRAINING is refused unless an instance is ACTIVE; being DRAINING already is no error.
/// The answer has the new status; its counts may be as old as those of any read, since nothing says that
/// they are not.
pub(super) fn update_state(world: &mut World, parameters: Value) -> Answer {
    let ask: UpdateState = input(parameters)?;
    let now = world.now();
    let cluster = cluster(world, ask.cluster.as_deref(), now)?;
    let status = match parse_status(&ask.status)? {
        Status::Inactive => return Err(ApiError::invalid_parameter("status must be ACTIVE or DRAINING")),
        status => status,
    };
    let ids = ids("containerInstances", &ask.container_instances, MOST_UPDATED)?;
    let mut updated = Vec::new();
    let mut failures = Vec::new();
    for id in ids {
        let arn = names::container_instance_arn(&cluster, &id);
        let member = world.container_instances.get(&id).filter(|member| member.cluster == cluster);
        match member.map(|member| member.status.latest()) {
            None => failures.push(failure(&arn, "MISSING")),
            Some(Status::Inactive) => failures.push(failure(&arn, "INACTIVE")),
            Some(_) => {
                world.set_status(&id, status);
                let seen_at = world.read_moment();
                let member = world.container_instances.get(&id);
                let mut answer = member.and_then(|member| describe_one(world, member, seen_at, &[]));
                if let Some(answer) = &mut answer {
                    answer["status"] = status.name().into();
                }
                updated.extend(answer);
            }
        }
    }
    Ok(json!({"containerInstances": updated, "failures": failures}))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PutAttributes {
    cluster: Option<String>,
    attributes: Vec<Attribute>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Attribute {
    name: String,
    value: Option<String>,
    target_type: Option<String>,
    target_id: String,
}

impl Attribute {
    /// Checks it against the API's limits and answers the container instance's short id.
    fn check(&self) -> Result<String, ApiError> {
        let fits = |text: &str, more: &str| {
            (1..=LONGEST).contains(&text.len())
                && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
        };
        if !fits(&self.name, "_-./\\") {
            return Err(ApiError::invalid_parameter(format!("Invalid attribute name: {}", self.name)));
        }
        let value = self.value.as_deref();
        if value.is_some_and(|value| !fits(value, "_-./\\@: ") || value.trim() != value) {
            return Err(ApiError::invalid_parameter(format!("Invalid attribute value of {}", self.name)));
        }
        let short_form = self.target_type.as_deref() == Some("container-instance");
        if !short_form && (self.target_type.is_some() || !self.target_id.starts_with("arn:")) {
            return Err(ApiError::invalid_parameter("targetType must be container-instance"));
        }
        short("targetId", &self.target_id)
    }
}

pub(super) fn put_attributes(world: &mut World, parameters: Value) -> Answer {
    let ask: PutAttributes = input(parameters)?;
    let cluster = cluster(world, ask.cluster.as_deref(), world.now())?;
    if !(1..=MOST_ATTRIBUTES).contains(&ask.attributes.len()) {
        return Err(ApiError::invalid_parameter("attributes must have 1 to 10 items."));
    }
    // All are checked before one is written: the call has its effect wholly or not at all.
    let targets: Vec<_> = ask.attributes.iter().map(Attribute::check).collect::<Result<_, _>>()?;
    for (target, attribute) in targets.iter().zip(&ask.attributes) {
        let member = world.container_instances.get(target).filter(|member| member.cluster == cluster);
        let member = member.filter(|member| member.status.latest() != Status::Inactive);
        let Some(member) = member else {
            let message = format!("Could not find the target {target}");
            return Err(ApiError::refused("TargetNotFoundException", message));
        };
        let own = targets.iter().zip(&ask.attributes).filter(|(other, _)| *other == target);
        let mut names: Vec<_> =
            own.map(|(_, attribute)| &attribute.name).chain(member.attributes.keys()).collect();
        names.sort();
        names.dedup();
        if names.len() > MOST_ATTRIBUTES {
            let message = format!("{target} has too many attributes with {}", attribute.name);
            return Err(ApiError::refused("AttributeLimitExceededException", message));
        }
    }
    let mut put = Vec::new();
    for (target, attribute) in targets.iter().zip(ask.attributes) {
        let arn = names::container_instance_arn(&cluster, target);
        put.push(json!({"name": attribute.name, "value": attribute.value, "targetId": arn, "targetType": "container-instance"}));
        if let Some(member) = world.container_instances.get_mut(target) {
            member.attributes.insert(attribute.name, attribute.value);
        }
    }
    Ok(json!({"attributes": put}))
}
