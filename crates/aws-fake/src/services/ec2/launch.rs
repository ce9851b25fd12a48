//! `RunInstances`: as much of it as a scenario needs.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Tag, check_dry_run, input, instances, invalid, missing, tags, take_by_instance};
use crate::{
    buckets::Bucket,
    error::ApiError,
    services::{Answer, from_text},
    world::{
        World,
        launches::Launch,
        machines::Tags,
        names::{self, ACCOUNT},
    },
};

/// Most instances of one launch.
const MOST: usize = 1_000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Run {
    image_id: Option<String>,
    instance_type: Option<String>,
    #[serde(deserialize_with = "from_text")]
    min_count: Option<usize>,
    #[serde(deserialize_with = "from_text")]
    max_count: Option<usize>,
    subnet_id: Option<String>,
    placement: Option<Placement>,
    client_token: Option<String>,
    #[serde(default)]
    tag_specification: Vec<TagSpecification>,
    #[serde(default, deserialize_with = "from_text")]
    disable_api_termination: Option<bool>,
    #[serde(default, rename = "DryRun", deserialize_with = "from_text")]
    only_asks: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Placement {
    availability_zone: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct TagSpecification {
    resource_type: String,
    #[serde(default)]
    tag: Vec<Tag>,
}

/// Launches instances. CloudTrail has it and the event bus is told, also when it fails.
pub(super) fn run(world: &mut World, parameters: Value) -> Answer {
    let answer = launch(world, parameters);
    if let Err(error) = &answer {
        let caller = world.settings.caller.clone();
        world.launch_failed(&caller, &format!("Client.{}", error.code));
    }
    answer
}

fn launch(world: &mut World, parameters: Value) -> Answer {
    let ask: Run = input(parameters)?;
    let launch = understand(world, &ask)?;
    check_dry_run(ask.only_asks)?;
    take_by_instance(world, Bucket::Ec2Launched, launch.count)?;
    let ids = world.launch(&launch);
    let machines: Vec<_> = ids.iter().filter_map(|id| world.fleet.get(id)).collect();
    let described = machines.iter().filter_map(|machine| {
        let state = machine.seen(world.now)?;
        Some(instances::describe_one(machine, state, machine.tags.newest()))
    });
    let described: Vec<_> = described.collect();
    let reservation = machines.first().map(|machine| &machine.reservation);
    Ok(json!({
        "reservationId": reservation,
        "ownerId": ACCOUNT,
        "groupSet": [],
        "instancesSet": described,
    }))
}

fn understand(world: &World, ask: &Run) -> Result<Launch, ApiError> {
    let image = ask.image_id.as_deref().ok_or_else(|| missing("ImageId"))?;
    if !image.starts_with("ami-") {
        return Err(ApiError::refused("InvalidAMIID.Malformed", format!("Invalid id: \"{image}\"")));
    }
    let (least, most) = (ask.min_count.unwrap_or_default(), ask.max_count.unwrap_or_default());
    if least < 1 || most < least {
        return Err(invalid(format!("minCount {least} and maxCount {most} do not go together")));
    }
    if most > MOST {
        let message =
            format!("You have requested more instances ({most}) than your current limit of {MOST} allows");
        return Err(ApiError::refused("InstanceLimitExceeded", message));
    }
    let mut launch = Launch::by(world.settings.caller.clone());
    (launch.vpc, launch.zone) = place(world, ask, launch.vpc, launch.zone)?;
    launch.count = most;
    launch.client_token.clone_from(&ask.client_token);
    launch.tags = instance_tags(&ask.tag_specification)?;
    launch.termination_protected = ask.disable_api_termination == Some(true);
    if let Some(instance_type) = &ask.instance_type {
        launch.instance_type.clone_from(instance_type);
    }
    Ok(launch)
}

/// VPC and zone: of the subnet, or as placed.
fn place(world: &World, ask: &Run, vpc: String, zone: String) -> Result<(String, String), ApiError> {
    let wanted = ask.placement.as_ref().and_then(|placement| placement.availability_zone.as_deref());
    if let Some(zone) = wanted.filter(|zone| !world.zones.contains(*zone)) {
        return Err(invalid(format!("Invalid availability zone: [{zone}]")));
    }
    let Some(subnet) = &ask.subnet_id else { return Ok((vpc, wanted.map_or(zone, str::to_owned))) };
    let places = world.vpcs.iter().flat_map(|vpc| world.zones.iter().map(move |zone| (vpc, zone)));
    let mut found = places.filter(|(vpc, zone)| names::subnet_id(vpc, zone) == *subnet);
    match found.next() {
        Some((vpc, zone)) if wanted.is_none_or(|wanted| wanted == zone) => Ok((vpc.clone(), zone.clone())),
        Some(_) => Err(invalid(format!("The subnet {subnet} is in another availability zone"))),
        None => {
            let message = format!("The subnet ID '{subnet}' does not exist");
            Err(ApiError::refused("InvalidSubnetID.NotFound", message))
        }
    }
}

/// The tags for instances; those for volumes and network interfaces are checked and let go.
fn instance_tags(specifications: &[TagSpecification]) -> Result<Tags, ApiError> {
    let mut tags = Tags::new();
    for TagSpecification { resource_type, tag } in specifications {
        let checked = tags::check(tag.clone())?;
        match resource_type.as_str() {
            "instance" => tags.extend(checked),
            "volume" | "network-interface" => {}
            other => {
                return Err(invalid(format!(
                    "'{other}' is not a valid taggable resource type for this operation."
                )));
            }
        }
    }
    Ok(tags)
}
