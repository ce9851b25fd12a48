//! Elastic Load Balancing, version 2: target groups and their targets. All are of the kind `instance`.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{Answer, Operation, from_text, page};
use crate::{
    buckets::Bucket,
    error::ApiError,
    world::{
        World,
        clock::Moment,
        machines::MachineState,
        names::{self, ACCOUNT, REGION},
        targets::{HEALTH_CHECKS, TargetGroup, TargetState},
    },
};

/// Most target groups of a page.
const MOST_GROUPS: usize = 400;
/// Most targets of a group, unless AWS raises it
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-limits.html>).
const MOST_TARGETS: usize = 1_000;

pub(super) fn find(operation: &str) -> Option<(Bucket, Operation)> {
    let found: (Bucket, Operation) = match operation {
        "DescribeTargetGroups" => (Bucket::ElbRead, describe_groups),
        "DescribeTargetHealth" => (Bucket::ElbRead, describe_health),
        "RegisterTargets" => (Bucket::ElbRegister, register),
        "DeregisterTargets" => (Bucket::ElbRegister, deregister),
        _ => return None,
    };
    Some(found)
}

fn input<T: DeserializeOwned>(parameters: Value) -> Result<T, ApiError> {
    super::input(parameters, "ValidationError")
}

fn groups_not_found() -> ApiError {
    ApiError::refused("TargetGroupNotFound", "One or more target groups not found")
}

/// The target group of this ARN. What is no ARN of one here is another mistake than one that is not there.
fn group<'w>(world: &'w World, arn: &str) -> Result<&'w TargetGroup, ApiError> {
    check_arn(arn, "targetgroup")?;
    world.target_groups.get(arn).ok_or_else(groups_not_found)
}

fn check_arn(arn: &str, kind: &str) -> Result<(), ApiError> {
    let here = format!("arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:{kind}/");
    if arn.starts_with(&here) {
        return Ok(());
    }
    let kind = if kind == "targetgroup" { "target group" } else { "load balancer" };
    Err(ApiError::validation(format!("'{arn}' is not a valid {kind} ARN")))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct DescribeGroups {
    load_balancer_arn: Option<String>,
    #[serde(default, deserialize_with = "super::list")]
    target_group_arns: Vec<String>,
    #[serde(default, deserialize_with = "super::list")]
    names: Vec<String>,
    marker: Option<String>,
    #[serde(default, deserialize_with = "from_text")]
    page_size: Option<usize>,
}

fn describe_groups(world: &mut World, parameters: Value) -> Answer {
    let ask: DescribeGroups = input(parameters)?;
    let arns = ask.chosen(world)?;
    let size = ask.page_size.unwrap_or(MOST_GROUPS);
    if !(1..=MOST_GROUPS).contains(&size) {
        return Err(ApiError::validation(format!("PageSize must be 1 to {MOST_GROUPS}, not {size}")));
    }
    let bad_marker = |_| ApiError::validation("The marker is not valid");
    let (arns, next) = page(arns, ask.marker.as_deref(), size).map_err(bad_marker)?;
    let groups = arns.iter().filter_map(|arn| world.target_groups.get(arn));
    let groups: Vec<_> = groups.map(describe_group).collect();
    Ok(json!({"TargetGroups": groups, "NextMarker": next}))
}

impl DescribeGroups {
    /// The target groups that are asked for, by one of three ways.
    fn chosen(&self, world: &World) -> Result<Vec<String>, ApiError> {
        let ways =
            [self.load_balancer_arn.is_some(), !self.target_group_arns.is_empty(), !self.names.is_empty()];
        if ways.into_iter().filter(|way| *way).count() > 1 {
            let message = "Target group names, target group ARNs, and a load balancer ARN cannot be \
                           specified at the same time";
            return Err(ApiError::validation(message));
        }
        if let Some(balancer) = &self.load_balancer_arn {
            check_arn(balancer, "loadbalancer")?;
            if *balancer != names::load_balancer_arn() {
                let message = "One or more load balancers not found";
                return Err(ApiError::refused("LoadBalancerNotFound", message));
            }
        }
        for arn in &self.target_group_arns {
            group(world, arn)?;
        }
        let known = |name: &String| world.target_groups.contains_key(&names::target_group_arn(name));
        if !self.names.iter().all(known) {
            return Err(groups_not_found());
        }
        let named = self.names.iter().map(|name| names::target_group_arn(name));
        let mut chosen: Vec<_> = self.target_group_arns.iter().cloned().chain(named).collect();
        if !ways.iter().skip(1).any(|way| *way) {
            chosen.extend(world.target_groups.keys().cloned());
        }
        Ok(chosen)
    }
}

fn describe_group(group: &TargetGroup) -> Value {
    json!({
        "TargetGroupArn": group.arn,
        "TargetGroupName": group.name,
        "Protocol": "HTTP",
        "ProtocolVersion": "HTTP1",
        "Port": group.port,
        "VpcId": group.vpc,
        "HealthCheckProtocol": "HTTP",
        "HealthCheckPort": "traffic-port",
        "HealthCheckEnabled": true,
        "HealthCheckIntervalSeconds": HEALTH_CHECKS.as_secs(),
        "HealthCheckTimeoutSeconds": 5,
        "HealthyThresholdCount": 5,
        "UnhealthyThresholdCount": 2,
        "HealthCheckPath": "/",
        "Matcher": {"HttpCode": "200"},
        "LoadBalancerArns": [names::load_balancer_arn()],
        "TargetType": "instance",
        "IpAddressType": "ipv4",
    })
}

/// A target of a call.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Target {
    id: String,
    #[serde(default, deserialize_with = "from_text")]
    port: Option<u16>,
    availability_zone: Option<String>,
    quic_server_id: Option<String>,
}

impl Target {
    /// Instance and port. Zones are for IP addresses, server ids for QUIC.
    fn check(self, group: &TargetGroup) -> Result<(String, u16), ApiError> {
        if !self.id.starts_with("i-") {
            return Err(ApiError::validation(format!("Instance ID '{}' is not valid", self.id)));
        }
        if self.port == Some(0) {
            return Err(ApiError::validation("Port '0' must be between 1 and 65535"));
        }
        if self.availability_zone.is_some() || self.quic_server_id.is_some() {
            return Err(ApiError::validation(
                "You cannot specify an Availability Zone or a QUIC server ID for this target group",
            ));
        }
        Ok((self.id, self.port.unwrap_or(group.port)))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Change {
    target_group_arn: String,
    #[serde(deserialize_with = "super::list")]
    targets: Vec<Target>,
}

impl Change {
    fn check(self, world: &World) -> Result<(String, Vec<(String, u16)>), ApiError> {
        let group = group(world, &self.target_group_arn)?;
        if self.targets.is_empty() {
            return Err(ApiError::validation("At least one target must be specified"));
        }
        let targets: Result<_, _> = self.targets.into_iter().map(|target| target.check(group)).collect();
        Ok((self.target_group_arn, targets?))
    }
}

/// All of them, or none. An instance must be running, and in the group's VPC.
fn register(world: &mut World, parameters: Value) -> Answer {
    let (arn, targets) = input::<Change>(parameters)?.check(world)?;
    let (now, group) = (world.now(), group(world, &arn)?);
    check_each(&targets, "instances do not exist", |id| machine(world, id, now).is_some())?;
    let runs = |id: &str| machine(world, id, now) == Some(MachineState::Running);
    check_each(&targets, "targets are not in a running state and cannot be registered", runs)?;
    let is_inside = |id: &str| world.machine(id).is_some_and(|machine| machine.vpc == group.vpc);
    check_each(&targets, &format!("targets are not in the target group VPC '{}'", group.vpc), is_inside)?;
    let stays = |(id, port): &&(String, u16)| group.state_at(id, *port, now).is_some_and(TargetState::stays);
    let new = targets.iter().filter(|target| !stays(target)).count();
    if group.staying(now) + new > MOST_TARGETS {
        let message = format!("A target group can have at most {MOST_TARGETS} targets");
        return Err(ApiError::refused("TooManyTargets", message));
    }
    for (id, port) in targets {
        world.register_target_at(&arn, &id, port, HEALTH_CHECKS);
    }
    Ok(json!({}))
}

/// One target that is not fit fails the call, which names them all.
fn check_each(targets: &[(String, u16)], wrong: &str, is_fit: impl Fn(&str) -> bool) -> Result<(), ApiError> {
    let unfit = targets.iter().filter(|(id, _)| !is_fit(id));
    let unfit: Vec<_> = unfit.map(|(id, _)| format!("'{id}'")).collect();
    if unfit.is_empty() {
        return Ok(());
    }
    Err(ApiError::refused("InvalidTarget", format!("The following {wrong}: {}", unfit.join(", "))))
}

/// EC2's state of an instance.
fn machine(world: &World, id: &str, at: Moment) -> Option<MachineState> {
    world.machine(id)?.seen(at)
}

/// One that is not registered is no mistake, whether or not there is such an instance
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeregisterTargets.html>); nor is one
/// that is registered at another port.
fn deregister(world: &mut World, parameters: Value) -> Answer {
    let (arn, targets) = input::<Change>(parameters)?.check(world)?;
    for (id, port) in targets {
        world.deregister_target(&arn, &id, port);
    }
    Ok(json!({}))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct DescribeHealth {
    target_group_arn: String,
    #[serde(default, deserialize_with = "super::list")]
    targets: Vec<Target>,
    #[serde(default, deserialize_with = "super::list")]
    include: Vec<Include>,
}

/// What can be told besides.
#[derive(Clone, Copy, Deserialize)]
enum Include {
    AnomalyDetection,
    All,
}

/// All that are registered or drain, or those that are asked for: registered or not.
fn describe_health(world: &mut World, parameters: Value) -> Answer {
    let ask: DescribeHealth = input(parameters)?;
    let at = world.read_moment();
    let group = group(world, &ask.target_group_arn)?;
    let asked: Result<Vec<_>, _> = ask.targets.into_iter().map(|target| target.check(group)).collect();
    let mut asked = asked?;
    if asked.is_empty() {
        let known = group.targets.iter().filter(|(_, state)| {
            state.at(at).is_some_and(|state| state.stays() || state == TargetState::Draining)
        });
        asked = known.map(|(target, _)| target.clone()).collect();
    }
    let anomalies = ask.include.iter().any(|what| matches!(what, Include::AnomalyDetection | Include::All));
    let told = asked.iter().map(|(id, port)| {
        json!({
            "Target": {"Id": id, "Port": port},
            "HealthCheckPort": port.to_string(),
            "TargetHealth": health(world, group, id, *port, at),
            "AnomalyDetection": anomalies.then(|| json!({"Result": "normal", "MitigationInEffect": "no"})),
        })
    });
    let told: Vec<_> = told.collect();
    Ok(json!({"TargetHealthDescriptions": told}))
}

fn health(world: &World, group: &TargetGroup, id: &str, port: u16, at: Moment) -> Value {
    let state = group.state_at(id, port, at).unwrap_or(TargetState::Gone);
    let runs = machine(world, id, at) == Some(MachineState::Running);
    let (state, reason, description) = match state {
        TargetState::Gone => {
            ("unused", "Target.NotRegistered", "Target is not registered to the target group")
        }
        TargetState::Draining => {
            ("draining", "Target.DeregistrationInProgress", "Target deregistration is in progress")
        }
        _ if !runs => ("unused", "Target.InvalidState", "Target is in the stopped state"),
        TargetState::Initial => {
            ("initial", "Elb.RegistrationInProgress", "Target registration is in progress")
        }
        TargetState::Healthy => return json!({"State": "healthy"}),
    };
    json!({"State": state, "Reason": reason, "Description": description})
}
