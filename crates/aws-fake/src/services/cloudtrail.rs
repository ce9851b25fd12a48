//! AWS CloudTrail: `LookupEvents`.
//!
//! <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html>

use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Operation};
use crate::{
    error::ApiError,
    world::{
        World, clock,
        trail::{TrailEvent, TrailKey},
    },
};

/// Most events of a page, and how many unless said.
const MOST: usize = 50;

pub(super) fn find(operation: &str) -> Option<Operation> {
    match operation {
        "LookupEvents" => Some(look_up),
        _ => None,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct LookUp {
    #[serde(default)]
    lookup_attributes: Vec<Attribute>,
    start_time: Option<f64>,
    end_time: Option<f64>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Attribute {
    attribute_key: String,
    attribute_value: String,
}

/// What an event must have. Values are compared exactly.
const KEYS: [&str; 8] = [
    "AccessKeyId",
    "EventId",
    "EventName",
    "EventSource",
    "ReadOnly",
    "ResourceName",
    "ResourceType",
    "Username",
];

impl Attribute {
    fn check(&self) -> Result<(), ApiError> {
        if KEYS.contains(&self.attribute_key.as_str()) && !self.attribute_value.is_empty() {
            return Ok(());
        }
        Err(ApiError::refused("InvalidLookupAttributesException", "The lookup attribute is not valid."))
    }

    fn fits(&self, event: &TrailEvent) -> bool {
        let wanted = &self.attribute_value;
        match self.attribute_key.as_str() {
            "AccessKeyId" => event.identity.access_key() == Some(wanted),
            "EventId" => event.id == *wanted,
            "EventName" => event.name == *wanted,
            "EventSource" => event.source == *wanted,
            "ReadOnly" => wanted == "false",
            "ResourceName" => event.resources.iter().any(|(_, name)| name == wanted),
            "ResourceType" => event.resources.iter().any(|(kind, _)| kind == wanted),
            "Username" => event.identity.username() == Some(wanted),
            _ => false,
        }
    }
}

/// Newest first. A page's token names its last event, so that events that come meanwhile change nothing.
fn look_up(world: &mut World, parameters: Value) -> Answer {
    let ask: LookUp = super::input(parameters, "InvalidParameterCombinationException")?;
    let attribute = match ask.lookup_attributes.as_slice() {
        [] => None,
        [attribute] => Some(attribute),
        _ => {
            let message = "You can specify only one lookup attribute per request.";
            return Err(ApiError::refused("InvalidLookupAttributesException", message));
        }
    };
    attribute.map(Attribute::check).transpose()?;
    let size = ask.max_results.unwrap_or(MOST);
    if !(1..=MOST).contains(&size) {
        let message = format!("A value for MaxResults must be from 1 to {MOST}.");
        return Err(ApiError::refused("InvalidMaxResultsException", message));
    }
    let window = window(world, ask.start_time, ask.end_time)?;
    let window = match &ask.next_token {
        None => window,
        Some(token) => (window.0, before(&read_token(token, attribute)?)),
    };
    let resource = attribute.filter(|attribute| attribute.attribute_key == "ResourceName");
    let found = world.trail.between(window, resource.map(|attribute| attribute.attribute_value.as_str()));
    let mut found: Vec<_> = found
        .filter(|(_, event)| attribute.is_none_or(|attribute| attribute.fits(event)))
        .take(size + 1)
        .collect();
    let more = found.len() > size;
    found.truncate(size);
    let next = found.last().filter(|_| more).map(|(key, _)| write_token(*key, attribute));
    let events: Vec<_> = found.iter().map(|(_, event)| describe(event)).collect();
    let (key, value) = attribute.map_or(("", ""), |given| (&given.attribute_key, &given.attribute_value));
    let told = json!({"attribute": key, "value": value});
    world.record("looked_up", told);
    Ok(json!({"Events": events, "NextToken": next}))
}

/// The keys between which events are looked for: what was asked for, as far as the trail reaches.
fn window(world: &World, start: Option<f64>, end: Option<f64>) -> Result<(TrailKey, TrailKey), ApiError> {
    let date = |seconds: f64| {
        let since = Duration::try_from_secs_f64(seconds).map_err(|_| invalid_range())?;
        Ok(SystemTime::UNIX_EPOCH + since)
    };
    let start = start.map(date).transpose()?;
    let end = end.map(date).transpose()?;
    if let (Some(start), Some(end)) = (start, end)
        && start > end
    {
        return Err(invalid_range());
    }
    let (oldest, newest) = world.trail_reach();
    let from = start.map_or(oldest, |start| start.max(oldest));
    let to = end.map_or(newest, |end| end.min(newest));
    Ok(((from, 0), (to, u64::MAX)))
}

fn invalid_range() -> ApiError {
    let message = "The start time must be before the end time.";
    ApiError::refused("InvalidTimeRangeException", message)
}

/// A token belongs to its question.
fn write_token((at, number): TrailKey, attribute: Option<&Attribute>) -> String {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    format!("before:{}:{number}:{}", since.as_secs(), question(attribute))
}

fn question(attribute: Option<&Attribute>) -> String {
    attribute.map_or_else(String::new, |given| format!("{}={}", given.attribute_key, given.attribute_value))
}

fn read_token(token: &str, attribute: Option<&Attribute>) -> Result<TrailKey, ApiError> {
    let read = || {
        let mut parts = token.strip_prefix("before:")?.splitn(3, ':');
        let seconds = parts.next()?.parse().ok()?;
        let number = parts.next()?.parse().ok()?;
        let same = parts.next()? == question(attribute);
        same.then_some((SystemTime::UNIX_EPOCH + Duration::from_secs(seconds), number))
    };
    let invalid =
        || ApiError::refused("InvalidNextTokenException", "The NextToken is not valid for this question.");
    read().ok_or_else(invalid)
}

/// The greatest key that is less than this one; numbers begin at 1.
fn before((at, number): &TrailKey) -> TrailKey {
    (*at, number.saturating_sub(1))
}

fn describe(event: &TrailEvent) -> Value {
    let record = event.to_json();
    let resources: Vec<_> = event
        .resources
        .iter()
        .map(|(kind, name)| json!({"ResourceType": kind, "ResourceName": name}))
        .collect();
    json!({
        "EventId": event.id,
        "EventName": event.name,
        "EventSource": event.source,
        "EventTime": clock::epoch_seconds(event.at),
        "ReadOnly": "false",
        "AccessKeyId": event.identity.access_key(),
        "Username": event.identity.username(),
        "Resources": resources,
        "CloudTrailEvent": record.to_string(),
    })
}
