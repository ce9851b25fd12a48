//! Who launched an instance: what a CloudTrail identity says, what needs no look-up, and which look-ups
//! are the cheapest for the rest. Pure.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;

use crate::instance::Instance;

/// How far back CloudTrail can be asked.
const TRAIL: SignedDuration = SignedDuration::from_hours(90 * 24);
/// How far an event can be from the attach time of the instance that it launched, on either side.
const WINDOW: SignedDuration = SignedDuration::from_mins(5);
/// Most pages of a search.
const MOST_PAGES: usize = 20;
/// An event can take this long to be found (CloudTrail: "about 15 minutes"; here four times that): what is
/// not found of a younger instance is asked again.
const DELIVERY: SignedDuration = SignedDuration::from_hours(1);

/// Who launched an instance, and how that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Owner {
    /// The person where there is one, otherwise the role or service.
    pub name: String,
    /// How it is known, for the optional second tag: `CloudTrail:IAMUser`, `AutoScalingGroup:web`, ….
    pub source: String,
}

/// What a look-up is made for: one serves all instances of a reservation or a group.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// Instances that were launched together.
    Reservation(String),
    /// An Auto Scaling group: no person launches its instances, so its creator is asked for.
    Group(String),
}

impl Key {
    /// As the state table names it.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            Self::Reservation(id) => id.clone(),
            Self::Group(name) => format!("group/{name}"),
        }
    }

    /// The key that a name of the state table stands for.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.strip_prefix("group/") {
            Some(name) => Self::Group(name.to_owned()),
            None => Self::Reservation(text.to_owned()),
        }
    }
}

/// What has been found out; none: nobody can tell.
pub type Owners = HashMap<Key, Option<Owner>>;

/// Who launched an instance, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Launcher {
    /// This one.
    Known(Owner),
    /// Nobody can tell any more.
    Untold,
    /// It has yet to be looked up.
    Pending,
}

/// Who launched an instance.
#[must_use]
pub fn launcher(instance: &Instance, owners: &Owners, now: Timestamp) -> Launcher {
    if let Some(principal) = &instance.operator {
        let source = "Operator".to_owned();
        return Launcher::Known(Owner { name: principal.clone(), source });
    }
    let key = key(instance);
    match owners.get(&key) {
        Some(Some(owner)) => Launcher::Known(owner.clone()),
        Some(None) => Launcher::Untold,
        None if matches!(key, Key::Reservation(_)) && !is_told(instance, now) => Launcher::Untold,
        None => Launcher::Pending,
    }
}

/// What has to be looked up to know who launched an instance.
#[must_use]
pub fn key(instance: &Instance) -> Key {
    match instance.group() {
        Some(group) => Key::Group(group.to_owned()),
        None => Key::Reservation(instance.reservation.clone()),
    }
}

/// Whether CloudTrail still knows of the launch.
fn is_told(instance: &Instance, now: Timestamp) -> bool {
    now.duration_since(instance.first_launch) < TRAIL - WINDOW
}

/// Reads CloudTrail's `userIdentity`; none where it names nobody.
#[must_use]
pub fn identity(identity: &Value) -> Option<Owner> {
    // No name of AWS's has control characters, or is longer than an ARN may be (2,048): one that is would forge lines of the
    // report, or make it larger than SNS takes.
    let is_name = |text: &&str| (1..=2_048).contains(&text.len()) && !text.chars().any(char::is_control);
    let text =
        |pointer: &str| identity.pointer(pointer).and_then(Value::as_str).filter(is_name).map(str::to_owned);
    let kind = text("/type").unwrap_or_default();
    let from_arn = || text("/arn").and_then(|arn| arn.rsplit_once('/').map(|(_, name)| name.to_owned()));
    let name = match kind.as_str() {
        "Root" => Some("root".to_owned()),
        "IAMUser" | "SAMLUser" | "WebIdentityUser" => text("/userName"),
        "IdentityCenterUser" => text("/onBehalfOf/userId"),
        "AssumedRole" => assumed(text("/sessionContext/sessionIssuer/userName"), from_arn()),
        "FederatedUser" => from_arn(),
        _ => None,
    };
    // A service, or another account's principal.
    let name = name.or_else(from_arn).or_else(|| text("/invokedBy")).or_else(|| text("/accountId"))?;
    let kind = if kind.is_empty() { "unknown".to_owned() } else { kind };
    Some(Owner { name, source: format!("CloudTrail:{kind}") })
}

/// The person behind a role: the session's name, unless a machine or an SDK made it up.
fn assumed(role: Option<String>, session: Option<String>) -> Option<String> {
    let is_person = |session: &String| {
        let role = role.as_deref().unwrap_or_default();
        let made_up = session.starts_with("i-")
            || ["botocore-session-", "aws-sdk-", "aws-go-sdk-", "AssumeRoleSession"]
                .iter()
                .any(|prefix| session.starts_with(prefix))
            || session.bytes().all(|byte| byte.is_ascii_digit());
        role.starts_with("AWSReservedSSO_") || !(made_up || role.starts_with("AWSServiceRoleFor"))
    };
    session.filter(is_person).or(role)
}

/// Something to be looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What it answers for.
    pub key: Key,
    /// What CloudTrail knows it by: one of its instances, or the group.
    pub resource: String,
    /// About when it happened; none: some time in the last 90 days.
    pub at: Option<Timestamp>,
}

/// What has to be looked up for these instances, each key once: what is owed from earlier runs first, then
/// the oldest, which CloudTrail forgets first.
#[must_use]
pub fn wanted<'i>(instances: impl Iterator<Item = &'i Instance>, owed: &[Key]) -> Vec<Wanted> {
    let mut by_key: HashMap<Key, Wanted> = HashMap::new();
    for instance in instances {
        by_key.entry(key(instance)).or_insert_with_key(|key| match key {
            Key::Reservation(_) => {
                Wanted { key: key.clone(), resource: instance.id.clone(), at: Some(instance.first_launch) }
            }
            Key::Group(name) => Wanted { key: key.clone(), resource: name.clone(), at: None },
        });
    }
    let places: HashMap<&Key, usize> = owed.iter().enumerate().map(|(at, key)| (key, at)).collect();
    let mut wanted: Vec<Wanted> = by_key.into_values().collect();
    wanted.sort_by_cached_key(|one| {
        (places.get(&one.key).copied().unwrap_or(usize::MAX), one.at, one.key.clone())
    });
    wanted
}

/// One question to CloudTrail, of one or more pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// The one attribute that it may give.
    pub by: By,
    /// From and to.
    pub window: Option<(Timestamp, Timestamp)>,
    /// What it may answer.
    pub wanted: Vec<Wanted>,
}

/// The attribute that a search goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// Events of one resource.
    Resource(String),
    /// All events of one name.
    Event(&'static str),
}

/// The cheapest searches, those first that answer what was wanted first: where windows around several
/// launches overlap, one sweep of all `RunInstances` answers up to fifty of them a page; a launch that is
/// alone in its window is asked for by itself.
#[must_use]
pub fn searches(wanted: Vec<Wanted>) -> Vec<Search> {
    let places: HashMap<Key, usize> =
        wanted.iter().enumerate().map(|(place, one)| (one.key.clone(), place)).collect();
    let mut searches = plan(wanted, true);
    searches.sort_by_key(|search| search.wanted.iter().filter_map(|one| places.get(&one.key)).min().copied());
    searches
}

/// The same without sweeps of launches.
#[must_use]
pub fn one_by_one(wanted: Vec<Wanted>) -> Vec<Search> {
    plan(wanted, false)
}

fn plan(wanted: Vec<Wanted>, together: bool) -> Vec<Search> {
    let (mut launches, groups): (Vec<_>, Vec<_>) =
        wanted.into_iter().partition(|one| matches!(one.key, Key::Reservation(_)));
    launches.sort_by_key(|one| one.at);
    let mut searches: Vec<Search> = Vec::new();
    for one in launches {
        let Some(at) = one.at else { continue };
        let (from, to) = (at.saturating_sub(WINDOW), at.saturating_add(WINDOW));
        let (Ok(from), Ok(to)) = (from, to) else { continue };
        match searches.last_mut() {
            Some(Search { window: Some((_, end)), wanted, .. }) if together && from <= *end => {
                *end = to;
                wanted.push(one);
            }
            _ => searches.push(sweep("RunInstances", Some((from, to)), vec![one])),
        }
    }
    if !groups.is_empty() {
        searches.push(sweep("CreateAutoScalingGroup", None, groups));
    }
    searches.into_iter().map(Search::alone).collect()
}

fn sweep(event: &'static str, window: Option<(Timestamp, Timestamp)>, wanted: Vec<Wanted>) -> Search {
    Search { by: By::Event(event), window, wanted }
}

impl Search {
    /// A sweep for one launch alone becomes a question about its instance. For a group it does not: the
    /// group's creation is the oldest of its events, and events are told newest first.
    fn alone(mut self) -> Self {
        if let [Wanted { key: Key::Reservation(_), resource, .. }] = self.wanted.as_slice() {
            self.by = By::Resource(resource.clone());
        }
        self
    }

    /// Whether to ask for the rest one by one: a sweep whose pages hold less than one answer each costs more,
    /// and one without an end never comes to it.
    #[must_use]
    pub fn is_poor(&self, pages: usize, answered: usize) -> bool {
        self.by == By::Event("RunInstances") && (answered < pages || pages >= MOST_PAGES)
    }

    /// Whether so many pages are enough, and what they do not tell is not told: a thousand events of one
    /// instance in ten minutes, or a thousand creations of groups in 90 days.
    #[must_use]
    pub fn is_enough(&self, pages: usize) -> bool {
        pages >= MOST_PAGES
    }

    /// Which of the wanted an event answers, and with whom. Failed calls launched nothing.
    #[must_use]
    pub fn answers(&self, event: &Value) -> Vec<(Key, Option<Owner>)> {
        if event.get("errorCode").is_some_and(|code| !code.is_null()) {
            return Vec::new();
        }
        let name = event.get("eventName").and_then(Value::as_str).unwrap_or_default();
        let owner = || identity(event.get("userIdentity").unwrap_or(&Value::Null));
        let answered = self.wanted.iter().filter(|one| match &one.key {
            Key::Reservation(id) => name == "RunInstances" && self.is_launch(event, id, &one.resource),
            Key::Group(group) => {
                let named = event.pointer("/requestParameters/autoScalingGroupName").and_then(Value::as_str);
                name == "CreateAutoScalingGroup" && named == Some(group)
            }
        });
        answered
            .map(|one| {
                let owner = owner().map(|owner| match &one.key {
                    Key::Group(group) => Owner { source: format!("AutoScalingGroup:{group}"), ..owner },
                    Key::Reservation(_) => owner,
                });
                (one.key.clone(), owner)
            })
            .collect()
    }

    fn is_launch(&self, event: &Value, reservation: &str, instance: &str) -> bool {
        let response = event.get("responseElements").unwrap_or(&Value::Null);
        if response.is_null() {
            // Too large to be told. An event of this one instance is its launch all the same.
            return self.by == By::Resource(instance.to_owned());
        }
        if let Some(id) = response.get("reservationId").and_then(Value::as_str) {
            return id == reservation;
        }
        let items = response.pointer("/instancesSet/items").and_then(Value::as_array);
        let id = |item: &Value| item.get("instanceId").and_then(Value::as_str) == Some(instance);
        items.is_some_and(|items| items.iter().any(id))
    }
}

/// Whether "not found" is an answer: not while the event may still be on its way.
#[must_use]
pub fn is_final(wanted: &Wanted, now: Timestamp) -> bool {
    wanted.at.is_none_or(|at| now.duration_since(at) > DELIVERY)
}

#[cfg(test)]
mod tests;
