//! `DescribeInstances`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    check_dry_run,
    filters::{Filter, MachineFilters},
    input, invalid, known,
};
use crate::{
    buckets::Bucket,
    error::ApiError,
    json::put,
    services::{Answer, from_text},
    world::{
        World,
        clock::{self, Moment},
        launches::{IMAGE, TYPE},
        machines::{Machine, MachineState, Tags},
        names::{self, ACCOUNT},
    },
};

/// Bounds of a page's size, and its size unless said.
const SMALLEST_PAGE: usize = 5;
const LARGEST_PAGE: usize = 1_000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Describe {
    #[serde(default)]
    instance_id: Vec<String>,
    #[serde(default)]
    filter: Vec<Filter>,
    #[serde(default, deserialize_with = "from_text")]
    max_results: Option<usize>,
    next_token: Option<String>,
    #[serde(default, deserialize_with = "from_text")]
    dry_run: Option<bool>,
}

/// Asking for everything at once is dearer: neither filter, nor ids, nor page size.
pub(super) fn bucket(parameters: &Value) -> Bucket {
    let narrowed = ["Filter", "InstanceId", "MaxResults"].iter().any(|name| parameters.get(name).is_some());
    if narrowed { Bucket::Ec2Instances } else { Bucket::Ec2AllInstances }
}

/// A machine as it was seen.
type Seen<'w> = (&'w Machine, MachineState, &'w Tags);

fn see(machine: &Machine, at: Moment) -> Option<Seen<'_>> {
    // Tags are as old as the instance, so they are there whenever it is.
    Some((machine, machine.seen(at)?, machine.tags.seen(at)?))
}

pub(super) fn describe(world: &mut World, parameters: Value) -> Answer {
    let ask: Describe = input(parameters)?;
    let at = world.read_moment();
    let filters = MachineFilters::new(ask.filter)?;
    let size = page_size(ask.max_results)?;
    if !ask.instance_id.is_empty() {
        if ask.max_results.is_some() || ask.next_token.is_some() {
            return Err(ApiError::refused(
                "InvalidParameterCombination",
                "The parameter instancesSet cannot be used with the parameter maxResults",
            ));
        }
        let ids = known(world, ask.instance_id, "instancesSet", at)?;
        check_dry_run(ask.dry_run)?;
        let seen = in_order(world, &ids, at);
        let fitting: Vec<_> = seen.into_iter().filter(|seen| filters.fit(seen.0, seen.1, seen.2)).collect();
        return Ok(answer(&fitting, None));
    }
    let last = ask.next_token.as_deref().map(read_token).transpose()?;
    check_dry_run(ask.dry_run)?;
    let (fitting, next) = page(world, &filters, last, size, at);
    Ok(answer(&fitting, next.as_deref()))
}

fn page_size(asked: Option<usize>) -> Result<usize, ApiError> {
    match asked {
        None => Ok(LARGEST_PAGE),
        Some(size) if (SMALLEST_PAGE..=LARGEST_PAGE).contains(&size) => Ok(size),
        Some(size) => Err(invalid(format!(
            "Value ( {size} ) for parameter maxResults is invalid. Expecting a value from {SMALLEST_PAGE} to {LARGEST_PAGE}."
        ))),
    }
}

/// Machines by id, in the order of the lists.
fn in_order<'w>(world: &'w World, ids: &[String], at: Moment) -> Vec<Seen<'w>> {
    let found = ids.iter().filter_map(|id| see(world.fleet.get(id)?, at));
    let mut found: Vec<_> = found.collect();
    found.sort_by_key(|(machine, ..)| (&machine.reservation, &machine.id));
    found.dedup_by_key(|(machine, ..)| &machine.id);
    found
}

/// One page, and where the next one begins. Only what is on the page, and what the filters pass over on the way
/// to its end, is looked at.
fn page<'w>(
    world: &'w World,
    filters: &MachineFilters,
    last: Option<(String, String)>,
    size: usize,
    at: Moment,
) -> (Vec<Seen<'w>>, Option<String>) {
    let fits = |seen: &Seen<'_>| filters.fit(seen.0, seen.1, seen.2);
    if let Some(ids) = filters.ids() {
        let mut found = in_order(world, ids, at);
        found.retain(fits);
        found.retain(|(machine, ..)| {
            last.as_ref()
                .is_none_or(|(reservation, id)| (&machine.reservation, &machine.id) > (reservation, id))
        });
        return cut(found, size);
    }
    let seen = world.fleet.after(last).filter_map(|machine| see(machine, at));
    if world.settings.sparse_pages {
        let (mut found, next) = cut(seen.take(size + 1).collect(), size);
        found.retain(fits);
        return (found, next);
    }
    cut(seen.filter(fits).take(size + 1).collect(), size)
}

/// At most so many, and a token if there are more.
fn cut(mut found: Vec<Seen<'_>>, size: usize) -> (Vec<Seen<'_>>, Option<String>) {
    let more = found.len() > size;
    found.truncate(size);
    let last = found.last().filter(|_| more);
    let next = last.map(|(machine, ..)| format!("after:{}:{}", machine.reservation, machine.id));
    (found, next)
}

fn read_token(token: &str) -> Result<(String, String), ApiError> {
    let last = token.strip_prefix("after:").and_then(|last| last.split_once(':'));
    let last = last.map(|(reservation, id)| (reservation.to_owned(), id.to_owned()));
    last.ok_or_else(|| ApiError::refused("InvalidNextToken", "The specified NextToken is not valid"))
}

/// Instances together by their reservation, which may go on on the next page.
fn answer(seen: &[Seen<'_>], next: Option<&str>) -> Value {
    let reservations = seen.chunk_by(|(a, ..), (b, ..)| a.reservation == b.reservation);
    let reservations: Vec<_> = reservations.filter_map(describe_reservation).collect();
    json!({"reservationSet": reservations, "nextToken": next})
}

fn describe_reservation(seen: &[Seen<'_>]) -> Option<Value> {
    let (first, ..) = seen.first()?;
    let instances: Vec<_> =
        seen.iter().map(|(machine, state, tags)| describe_one(machine, *state, tags)).collect();
    Some(json!({
        "reservationId": first.reservation,
        "ownerId": ACCOUNT,
        "requesterId": first.requester,
        "groupSet": [],
        "instancesSet": instances,
    }))
}

pub(super) fn describe_one(machine: &Machine, state: MachineState, tags: &Tags) -> Value {
    let subnet = names::subnet_id(&machine.vpc, &machine.zone);
    let tags: Vec<_> = tags.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
    let mut described = json!({
        "instanceId": machine.id,
        "imageId": IMAGE,
        "instanceType": TYPE,
        "instanceState": {"code": state.code(), "name": state.name()},
        "launchTime": clock::milliseconds(machine.launched_at),
        "placement": {"availabilityZone": machine.zone, "tenancy": "default"},
        "instanceLifecycle": machine.spot.map(|_| "spot"),
        "rootDeviceType": if machine.instance_store { "instance-store" } else { "ebs" },
        "operator": {"managed": machine.operator.is_some(), "principal": machine.operator},
        "clientToken": machine.client_token,
        "tagSet": tags,
    });
    // A terminated instance has no network any more.
    if state != MachineState::Terminated {
        put(&mut described, "vpcId", machine.vpc.clone());
        let interfaces = json!([{
            "networkInterfaceId": names::interface_id(&machine.id),
            "vpcId": machine.vpc,
            "subnetId": subnet,
            "status": "in-use",
            "attachment": {
                "attachmentId": names::interface_id(&machine.id).replace("eni-", "eni-attach-"),
                "attachTime": clock::milliseconds(machine.attached_at),
                "deviceIndex": 0,
                "status": "attached",
                "deleteOnTermination": true,
            },
        }]);
        put(&mut described, "networkInterfaceSet", interfaces);
        put(&mut described, "subnetId", subnet);
    }
    described
}
