//! The reads: SDK answers → plain data. Writes nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_helpers::fault::Fault;
use aws_helpers::pace::{Pace, Queue};
use aws_sdk_cloudtrail::types::{Event, LookupAttribute, LookupAttributeKey};
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes};
use aws_sdk_ec2::types::{self, Filter, InstanceAttributeName, InstanceStateName};
use futures::stream::{self, StreamExt};
use jiff::Timestamp;
use serde_json::Value;

use crate::Clients;
use crate::instance::{Instance, State};
use crate::owner::{By, Key, Owner, Owners, Search};
use crate::state::{self, Item};

/// Instances a page: `DescribeInstances`.
const PAGE: i32 = 1_000;
/// Pages that are read one after the other. A larger fleet is read zone by zone, side by side: that costs
/// one more call, and one more page a zone.
const PAGES_IN_A_ROW: usize = 10;
/// Values of one filter: `DescribeInstances`.
const FILTER_VALUES: usize = 200;
/// Zones at a time. Filtered describes refill at 20 a second.
const SIDE_BY_SIDE: usize = 8;
/// Reads of an instance's attribute before they are paced: half a bucket of 100, which refills at 20 a second.
const ATTRIBUTES_AT_ONCE: usize = 50;
/// Between two of them then.
const ATTRIBUTES_PACE: Duration = Duration::from_millis(60);
/// Keys a call: `BatchGetItem`.
const KEYS: usize = 100;
/// Names in one filter: Auto Scaling's `DescribeTags`.
const GROUPS: usize = 50;
/// Events a page: `LookupEvents`.
const EVENTS: i32 = 50;

/// All items of the rules table, as JSON.
pub async fn rules(clients: &Clients, table: &str) -> Result<Vec<Value>, Fault> {
    let mut pages = clients.dynamodb.scan().table_name(table).into_paginator().send();
    let mut items = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| Fault::of("dynamodb:Scan", error))?;
        items.extend(page.items.unwrap_or_default().into_iter().map(|item| json(AttributeValue::M(item))));
    }
    Ok(items)
}

/// An attribute as JSON. Sets are lists; what JSON has no word for (binary) is an empty object, which no
/// attribute of a rule may be: what cannot be read must not pass for what is not there.
#[must_use]
pub fn json(value: AttributeValue) -> Value {
    let read = |number: String| serde_json::from_str(&number).unwrap_or(Value::String(number));
    match value {
        AttributeValue::S(text) => Value::String(text),
        AttributeValue::N(number) => read(number),
        AttributeValue::Bool(flag) => Value::Bool(flag),
        AttributeValue::L(values) => values.into_iter().map(json).collect(),
        AttributeValue::M(members) => members.into_iter().map(|(name, value)| (name, json(value))).collect(),
        AttributeValue::Ss(set) => set.into_iter().map(Value::String).collect(),
        AttributeValue::Ns(set) => set.into_iter().map(read).collect(),
        AttributeValue::Null(_) => Value::Null,
        _ => Value::Object(serde_json::Map::new()),
    }
}

/// Every instance of the VPCs (none: of all) that is neither terminated nor about to be, in the order of
/// their ids. A page that cannot be read fails the whole: half a fleet would be a wrong one.
pub async fn fleet(clients: &Clients, vpcs: &[String]) -> Result<Vec<Instance>, Fault> {
    let base = scope(vpcs);
    let mut found = Vec::new();
    let mut token = None;
    for _ in 0..PAGES_IN_A_ROW {
        let (instances, next) = page(clients, &base, token).await?;
        found.extend(instances);
        token = next;
        if token.is_none() {
            return Ok(sorted(found));
        }
    }
    // A large fleet: all of it is read again, by zone.
    let zones = zones(clients).await?;
    let mut answers = stream::iter(zones.into_iter().map(|zone| zone_of(clients, &base, zone)))
        .buffer_unordered(SIDE_BY_SIDE);
    found.clear();
    while let Some(instances) = answers.next().await {
        found.extend(instances?);
    }
    Ok(sorted(found))
}

/// These instances of the scope, as far as they are there.
pub async fn instances(clients: &Clients, vpcs: &[String], ids: &[String]) -> Result<Vec<Instance>, Fault> {
    let mut found = Vec::new();
    for ids in ids.chunks(FILTER_VALUES) {
        let mut filters = scope(vpcs);
        // A filter, since one unknown id among `InstanceIds` fails the call.
        filters.push(filter("instance-id", ids.to_vec()));
        found.extend(pages(clients, &filters).await?);
    }
    Ok(sorted(found))
}

fn sorted(mut instances: Vec<Instance>) -> Vec<Instance> {
    instances.sort_unstable_by(|one, other| one.id.cmp(&other.id));
    instances.dedup_by(|one, other| one.id == other.id);
    instances
}

fn filter(name: &str, values: Vec<String>) -> Filter {
    Filter::builder().name(name).set_values(Some(values)).build()
}

fn scope(vpcs: &[String]) -> Vec<Filter> {
    // With a filter, always: unfiltered calls draw from a smaller bucket.
    let states = [
        InstanceStateName::Pending,
        InstanceStateName::Running,
        InstanceStateName::Stopping,
        InstanceStateName::Stopped,
    ];
    let mut filters =
        vec![filter("instance-state-name", states.iter().map(|state| state.as_str().to_owned()).collect())];
    if !vpcs.is_empty() {
        filters.push(filter("vpc-id", vpcs.to_vec()));
    }
    filters
}

async fn zone_of(clients: &Clients, base: &[Filter], zones: Vec<String>) -> Result<Vec<Instance>, Fault> {
    let mut filters = base.to_vec();
    filters.push(filter("availability-zone", zones));
    pages(clients, &filters).await
}

async fn pages(clients: &Clients, filters: &[Filter]) -> Result<Vec<Instance>, Fault> {
    let mut found = Vec::new();
    let mut token = None;
    loop {
        let (instances, next) = page(clients, filters, token).await?;
        found.extend(instances);
        token = next;
        if token.is_none() {
            return Ok(found);
        }
    }
}

async fn page(
    clients: &Clients,
    filters: &[Filter],
    token: Option<String>,
) -> Result<(Vec<Instance>, Option<String>), Fault> {
    let request = clients.ec2.describe_instances().set_filters(Some(filters.to_vec())).max_results(PAGE);
    let answer = request.set_next_token(token).send().await;
    let answer = answer.map_err(|error| Fault::of("ec2:DescribeInstances", error))?;
    let reservations = answer.reservations.unwrap_or_default().into_iter();
    let instances = reservations.flat_map(|reservation| {
        let id = reservation.reservation_id.unwrap_or_default();
        let instances = reservation.instances.unwrap_or_default().into_iter();
        instances.filter_map(move |instance| read(id.clone(), instance))
    });
    Ok((instances.collect(), answer.next_token.filter(|token| !token.is_empty())))
}

/// The zones to read side by side: each that every account has by itself, and all others (local zones,
/// wavelength zones, whether opted in or not) together, so that no instance is in none.
async fn zones(clients: &Clients) -> Result<Vec<Vec<String>>, Fault> {
    let request = clients.ec2.describe_availability_zones().all_availability_zones(true);
    let answer = request.send().await.map_err(|error| Fault::of("ec2:DescribeAvailabilityZones", error))?;
    let (mut each, mut others) = (Vec::new(), Vec::new());
    for zone in answer.availability_zones.unwrap_or_default() {
        let Some(name) = zone.zone_name else { continue };
        let is_usual = zone.zone_type.as_deref().is_none_or(|kind| kind == "availability-zone");
        if is_usual { each.push(vec![name]) } else { others.push(name) }
    }
    each.extend(others.chunks(FILTER_VALUES).map(<[String]>::to_vec));
    Ok(each)
}

/// An instance as the policy needs it; none if it is on its way out.
fn read(reservation: String, instance: types::Instance) -> Option<Instance> {
    let state = match instance.state?.name? {
        InstanceStateName::Pending => State::Pending,
        InstanceStateName::Running => State::Running,
        InstanceStateName::Stopping => State::Stopping,
        InstanceStateName::Stopped => State::Stopped,
        _ => return None,
    };
    let attached = instance.network_interfaces.unwrap_or_default().into_iter().find_map(|interface| {
        let attachment = interface.attachment.filter(|attachment| attachment.device_index == Some(0));
        attachment?.attach_time
    });
    // Without an interface the last launch: later, and so on the safe side of every grace.
    let first_launch = attached.or(instance.launch_time).map(|time| time.secs());
    let operator = instance.operator.filter(|operator| operator.managed == Some(true));
    let tags = instance.tags.unwrap_or_default().into_iter();
    Some(Instance {
        id: instance.instance_id?,
        reservation,
        vpc: instance.vpc_id,
        zone: instance.placement.and_then(|placement| placement.availability_zone).unwrap_or_default(),
        state,
        first_launch: first_launch
            .and_then(|time| Timestamp::from_second(time).ok())
            .unwrap_or(Timestamp::MAX),
        tags: tags.filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default()))).collect(),
        spot: instance.instance_lifecycle.is_some_and(|lifecycle| lifecycle.as_str() == "spot"),
        instance_store: instance.root_device_type.is_some_and(|kind| kind.as_str() == "instance-store"),
        operator: operator.map(|operator| operator.principal.unwrap_or_else(|| "an AWS service".to_owned())),
    })
}

/// Which of these instances are protected against being stopped or terminated: either protection counts,
/// since its user meant to keep the instance.
pub async fn protected(clients: &Clients, ids: &[String]) -> Result<BTreeSet<String>, Fault> {
    let asked = ids.iter().flat_map(|id| {
        [InstanceAttributeName::DisableApiTermination, InstanceAttributeName::DisableApiStop]
            .map(|attribute| (id, attribute))
    });
    let queue = Queue::new(ATTRIBUTES_AT_ONCE, ATTRIBUTES_PACE);
    let answers = stream::iter(asked.enumerate())
        .map(async |(place, (id, attribute))| {
            queue.turn(place).await;
            let request = clients.ec2.describe_instance_attribute().instance_id(id).attribute(attribute);
            let answer = request.send().await;
            let answer = answer.map_err(|error| Fault::of("ec2:DescribeInstanceAttribute", error))?;
            let on = [answer.disable_api_termination, answer.disable_api_stop]
                .into_iter()
                .flatten()
                .any(|flag| flag.value == Some(true));
            Ok(on.then(|| id.clone()))
        })
        .buffer_unordered(SIDE_BY_SIDE)
        .collect::<Vec<_>>();
    answers.await.into_iter().filter_map(Result::transpose).collect()
}

/// An item of the state table.
pub async fn item(clients: &Clients, table: &str, id: &str) -> Result<Option<Item>, Fault> {
    let request = clients.dynamodb.get_item().table_name(table).key(state::ID, state::text(id));
    let answer = request.consistent_read(true).send().await;
    Ok(answer.map_err(|error| Fault::of("dynamodb:GetItem", error))?.item)
}

/// What is remembered of these launchers.
pub async fn owners(clients: &Clients, table: &str, keys: &[Key], now: Timestamp) -> Result<Owners, Fault> {
    let mut owners = Owners::new();
    for keys in keys.chunks(KEYS) {
        let ids: BTreeSet<String> = keys.iter().map(state::owner_id).collect();
        let mut asked: Vec<Item> =
            ids.into_iter().map(|id| Item::from([(state::ID.to_owned(), state::text(id))])).collect();
        // What DynamoDB leaves unread is asked for again, some times over; then the look-up is made anew.
        for _ in 0..4 {
            let request = KeysAndAttributes::builder().set_keys(Some(asked)).build();
            let Ok(request) = request else { break };
            let answer = clients.dynamodb.batch_get_item().request_items(table, request).send().await;
            let answer = answer.map_err(|error| Fault::of("dynamodb:BatchGetItem", error))?;
            let items = answer.responses.unwrap_or_default().remove(table).unwrap_or_default();
            owners.extend(items.iter().filter_map(|item| state::owner(item, now)));
            let left = answer.unprocessed_keys.unwrap_or_default().remove(table);
            asked = left.map(|left| left.keys).unwrap_or_default();
            if asked.is_empty() {
                break;
            }
        }
    }
    Ok(owners)
}

/// The creators of Auto Scaling groups, where a group's tag names them.
pub async fn creators(clients: &Clients, groups: &[String], key: &str) -> Result<Owners, Fault> {
    let mut owners = Owners::new();
    for groups in groups.chunks(GROUPS) {
        let named = |name: &str, values: &[String]| {
            let filter = aws_sdk_autoscaling::types::Filter::builder().name(name);
            filter.set_values(Some(values.to_vec())).build()
        };
        let request = clients.autoscaling.describe_tags();
        let request = request.filters(named("auto-scaling-group", groups));
        let mut pages = request.filters(named("key", &[key.to_owned()])).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| Fault::of("autoscaling:DescribeTags", error))?;
            owners.extend(page.tags.unwrap_or_default().into_iter().filter_map(|tag| {
                let group = tag.resource_id?;
                let name = tag.value.filter(|value| !value.is_empty())?;
                let source = format!("AutoScalingGroup:{group}");
                Some((Key::Group(group), Some(Owner { name, source })))
            }));
        }
    }
    Ok(owners)
}

/// One page of a search in CloudTrail, at CloudTrail's pace: the events' records, and where to go on.
pub async fn trail(
    clients: &Clients,
    pace: &mut Pace,
    search: &Search,
    token: Option<String>,
) -> Result<(Vec<Value>, Option<String>), Fault> {
    let (key, value) = match &search.by {
        By::Resource(name) => (LookupAttributeKey::ResourceName, name.as_str()),
        By::Event(name) => (LookupAttributeKey::EventName, *name),
    };
    let date = |moment: Timestamp| aws_sdk_cloudtrail::primitives::DateTime::from_secs(moment.as_second());
    let request = clients.cloudtrail.lookup_events().lookup_attributes(attribute(key, value)?);
    let request = request
        .set_start_time(search.window.map(|(from, _)| date(from)))
        .set_end_time(search.window.map(|(_, to)| date(to)))
        .max_results(EVENTS)
        .set_next_token(token);
    pace.turn().await;
    let answer = request.send().await.map_err(|error| Fault::of(LOOKUP, error))?;
    let events = answer.events.unwrap_or_default();
    Ok((events.iter().filter_map(record).collect(), answer.next_token.filter(|token| !token.is_empty())))
}

const LOOKUP: &str = "cloudtrail:LookupEvents";

/// The instances that a call launched whose event was too large to name them.
pub async fn launched(clients: &Clients, pace: &mut Pace, trail_id: &str) -> Result<Vec<String>, Fault> {
    let request = clients.cloudtrail.lookup_events();
    let request = request.lookup_attributes(attribute(LookupAttributeKey::EventId, trail_id)?);
    pace.turn().await;
    let answer = request.send().await.map_err(|error| Fault::of(LOOKUP, error))?;
    let resources =
        answer.events.unwrap_or_default().into_iter().flat_map(|event| event.resources.unwrap_or_default());
    let instances =
        resources.filter(|resource| resource.resource_type.as_deref() == Some("AWS::EC2::Instance"));
    Ok(instances.filter_map(|resource| resource.resource_name).collect())
}

fn attribute(key: LookupAttributeKey, value: &str) -> Result<LookupAttribute, Fault> {
    let attribute = LookupAttribute::builder().attribute_key(key).attribute_value(value).build();
    attribute.map_err(|error| crate::act::unsent(LOOKUP, &error))
}

fn record(event: &Event) -> Option<Value> {
    serde_json::from_str(event.cloud_trail_event.as_deref()?).ok()
}
