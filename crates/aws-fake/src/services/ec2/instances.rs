//! `DescribeInstances`.

use serde::Deserialize;
use serde_json::Value;

use super::{
    check_dry_run,
    filters::{Filter, MachineFilters},
    input, invalid, known,
};
use crate::{
    buckets::Bucket,
    error::ApiError,
    json::{object, put},
    services::{Answer, from_text},
    world::{
        World,
        clock::{self, Moment},
        launches::IMAGE,
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
        let seen = in_order(world, ids.iter().map(String::as_str), at);
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
fn in_order<'w, 'i>(world: &'w World, ids: impl Iterator<Item = &'i str>, at: Moment) -> Vec<Seen<'w>> {
    let found = ids.filter_map(|id| see(world.fleet.get(id)?, at));
    let mut found: Vec<_> = found.collect();
    found.sort_by_key(|(machine, ..)| (&machine.reservation, &machine.id));
    found.dedup_by_key(|(machine, ..)| &machine.id);
    found
}

/// One page, and where the next one begins. Only what is on the page, and what the filters pass over on the
/// way to its end, is looked at.
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
    object([("reservationSet", reservations.into()), ("nextToken", next.into())])
}

fn describe_reservation(seen: &[Seen<'_>]) -> Option<Value> {
    let (first, ..) = seen.first()?;
    let instances: Vec<_> =
        seen.iter().map(|(machine, state, tags)| describe_one(machine, *state, tags)).collect();
    Some(object([
        ("reservationId", text(&first.reservation)),
        ("ownerId", text(ACCOUNT)),
        ("requesterId", first.requester.as_deref().into()),
        ("groupSet", Value::Array(Vec::new())),
        ("instancesSet", instances.into()),
    ]))
}

fn text(text: &str) -> Value {
    text.into()
}

pub(super) fn describe_one(machine: &Machine, state: MachineState, tags: &Tags) -> Value {
    let tags: Vec<_> =
        tags.iter().map(|(key, value)| object([("key", text(key)), ("value", text(value))])).collect();
    let mut described = object([
        ("instanceId", text(&machine.id)),
        ("imageId", text(IMAGE)),
        ("instanceType", text(&machine.instance_type)),
        ("instanceState", object([("code", state.code().into()), ("name", text(state.name()))])),
        ("launchTime", clock::milliseconds(machine.launched_at).into()),
        ("placement", object([("availabilityZone", text(&machine.zone)), ("tenancy", text("default"))])),
        ("instanceLifecycle", machine.spot.map(|_| "spot").into()),
        ("rootDeviceType", text(if machine.instance_store { "instance-store" } else { "ebs" })),
        (
            "operator",
            object([
                ("managed", machine.operator.is_some().into()),
                ("principal", machine.operator.as_deref().into()),
            ]),
        ),
        ("clientToken", machine.client_token.as_deref().into()),
        ("tagSet", tags.into()),
    ]);
    // A terminated instance has no network any more.
    if state != MachineState::Terminated {
        let subnet = names::subnet_id(&machine.vpc, &machine.zone);
        put(&mut described, "networkInterfaceSet", vec![interface(machine, &subnet)]);
        put(&mut described, "vpcId", machine.vpc.as_str());
        put(&mut described, "subnetId", subnet);
    }
    described
}

/// The primary network interface, which is attached when an instance is launched first.
fn interface(machine: &Machine, subnet: &str) -> Value {
    let id = names::interface_id(&machine.id);
    let attachment = object([
        ("attachmentId", id.replace("eni-", "eni-attach-").into()),
        ("attachTime", clock::milliseconds(machine.attached_at).into()),
        ("deviceIndex", 0.into()),
        ("status", text("attached")),
        ("deleteOnTermination", true.into()),
    ]);
    object([
        ("networkInterfaceId", id.into()),
        ("vpcId", text(&machine.vpc)),
        ("subnetId", text(subnet)),
        ("status", text("in-use")),
        ("attachment", attachment),
    ])
}
