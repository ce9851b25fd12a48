//! The state table: its items ↔ plain data.
//!
//! | `Id` | holds |
//! |---|---|
//! | `run#<scope>` | the last run over a scope (its lock), how many instances it found, when instances were first seen untagged, which look-ups are owed |
//! | `launch#<event id>` | that a launch event has been answered |
//! | `owner#<reservation>`, `owner#group/<name>` | who launched it; without `Owner`: nobody can tell |
//!
//! Every item has `ExpiresAt` for the table's TTL.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::{SignedDuration, Timestamp};

use crate::decide::{Memory, Seen};
use crate::owner::{Key, Owner};

/// An item, as the SDK has it.
pub type Item = HashMap<String, AttributeValue>;

/// The table's key.
pub const ID: &str = "Id";
/// How long who launched what is remembered: as long as CloudTrail could be asked again.
const OWNERS: SignedDuration = SignedDuration::from_hours(90 * 24);
/// How long it is remembered that nobody can tell: a group may be tagged with its creator one day.
const NOBODY: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long a launch event's lock lasts: EventBridge delivers for at most a day, Lambda for six hours.
pub const LAUNCH_LOCK: SignedDuration = SignedDuration::from_hours(48);
/// How long a scope is remembered that has not been run.
pub const SCOPE: SignedDuration = SignedDuration::from_hours(90 * 24);
/// Most look-ups owed that are remembered, the first of them; the others are found again.
const MOST_OWED: usize = 2_000;

/// The id of a scope's item.
#[must_use]
pub fn scope_id(vpcs: &[String]) -> String {
    let mut vpcs = vpcs.to_vec();
    vpcs.sort_unstable();
    vpcs.dedup();
    if vpcs.is_empty() { "run#all".to_owned() } else { format!("run#{}", vpcs.join(",")) }
}

/// The id of a launch event's item.
#[must_use]
pub fn launch_id(event: &str) -> String {
    format!("launch#{event}")
}

/// The id of an owner's item.
#[must_use]
pub fn owner_id(key: &Key) -> String {
    format!("owner#{}", key.to_text())
}

/// A moment, in seconds since the epoch, as TTL takes it.
#[must_use]
pub fn seconds(moment: Timestamp) -> AttributeValue {
    number(moment.as_second())
}

/// A number.
pub fn number(number: impl std::fmt::Display) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

/// A text.
pub fn text(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

/// The moment so long after another, as TTL takes it.
#[must_use]
pub fn expiry(now: Timestamp, after: SignedDuration) -> AttributeValue {
    seconds(now.saturating_add(after).unwrap_or(Timestamp::MAX))
}

/// What a scope's item says of earlier runs, to a run for this event. What cannot be read is as if it were
/// not there: first seen now, nothing owed.
#[must_use]
pub fn memory(item: Option<&Item>, event: &str) -> Memory {
    let get = |name: &str| item.and_then(|item| item.get(name));
    let untagged = get("Untagged").and_then(|value| value.as_m().ok());
    let owed = get("Owed").and_then(|value| value.as_l().ok());
    Memory {
        instances: get("Instances").and_then(whole).and_then(|count| usize::try_from(count).ok()),
        untagged: untagged
            .into_iter()
            .flatten()
            .filter_map(|(id, value)| Some((id.clone(), seen(value)?)))
            .collect(),
        owed: owed
            .into_iter()
            .flatten()
            .filter_map(|value| value.as_s().ok().map(|text| Key::parse(text)))
            .collect(),
        retried: get("EventId")
            .and_then(|value| value.as_s().ok())
            .filter(|last| *last == event)
            .and_then(|_| get("EventTime").and_then(whole))
            .and_then(|time| Timestamp::from_millisecond(time).ok()),
    }
}

/// Whether the lock is another attempt's of the same invocation, which may still be at work.
#[must_use]
pub fn is_busy(item: Option<&Item>, event: &str, request: &str, now: Timestamp) -> bool {
    let get = |name: &str| item.and_then(|item| item.get(name));
    let is = |name: &str, expected: &str| {
        get(name).and_then(|value| value.as_s().ok()).is_some_and(|own| own == expected)
    };
    let finished = get("Finished").and_then(|value| value.as_bool().ok()).copied().unwrap_or_default();
    let until = get("LockedUntil").and_then(whole).unwrap_or_default();
    is("EventId", event) && is("RequestId", request) && !finished && until >= now.as_millisecond()
}

fn whole(value: &AttributeValue) -> Option<i64> {
    value.as_n().ok()?.parse().ok()
}

/// `[first]`, or `[first, tagged again]`.
fn seen(value: &AttributeValue) -> Option<Seen> {
    let mut moments =
        value.as_l().ok()?.iter().map(|value| whole(value).and_then(|at| Timestamp::from_second(at).ok()));
    let first = moments.next()??;
    Some(Seen { first, tagged: moments.next().flatten() })
}

/// First sightings, as an attribute.
#[must_use]
pub fn untagged(sightings: &BTreeMap<String, Seen>) -> AttributeValue {
    let value = |seen: &Seen| {
        AttributeValue::L([Some(seen.first), seen.tagged].into_iter().flatten().map(seconds).collect())
    };
    AttributeValue::M(sightings.iter().map(|(id, seen)| (id.clone(), value(seen))).collect())
}

/// Owed look-ups, as an attribute.
#[must_use]
pub fn owed(keys: &[Key]) -> AttributeValue {
    AttributeValue::L(keys.iter().take(MOST_OWED).map(|key| text(key.to_text())).collect())
}

/// An answer, to be remembered.
#[must_use]
pub fn owner_item(key: &Key, owner: Option<&Owner>, now: Timestamp) -> Item {
    let kept = if owner.is_some() { OWNERS } else { NOBODY };
    let mut item =
        Item::from([(ID.to_owned(), text(owner_id(key))), ("ExpiresAt".to_owned(), expiry(now, kept))]);
    if let Some(owner) = owner {
        item.insert("Owner".to_owned(), text(&owner.name));
        item.insert("Source".to_owned(), text(&owner.source));
    }
    item
}

/// A remembered answer, unless it has expired: TTL deletes within days, not at once.
#[must_use]
pub fn owner(item: &Item, now: Timestamp) -> Option<(Key, Option<Owner>)> {
    let field = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
    let expires = item.get("ExpiresAt").and_then(whole)?;
    let key = Key::parse(field(ID)?.strip_prefix("owner#")?);
    let owner = field("Owner").map(|name| Owner { name, source: field("Source").unwrap_or_default() });
    (expires > now.as_second()).then_some((key, owner))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn what_a_run_leaves_is_what_the_next_one_reads() {
        let memory = Memory {
            instances: Some(12),
            untagged: BTreeMap::from([
                ("i-1".to_owned(), Seen { first: at(100), tagged: None }),
                ("i-2".to_owned(), Seen { first: at(100), tagged: Some(at(200)) }),
            ]),
            owed: vec![Key::Reservation("r-1".to_owned()), Key::Group("web/a".to_owned())],
            retried: None,
        };
        let item = Item::from([
            ("EventId".to_owned(), text("e-1")),
            ("EventTime".to_owned(), number(5_000)),
            ("Instances".to_owned(), number(12)),
            ("Untagged".to_owned(), untagged(&memory.untagged)),
            ("Owed".to_owned(), owed(&memory.owed)),
        ]);
        assert_eq!(super::memory(Some(&item), "e-2"), memory);
        assert_eq!(super::memory(Some(&item), "e-1"), Memory { retried: Some(at(5)), ..memory });
        assert_eq!(super::memory(None, "e-1"), Memory::default());
        let broken = Item::from([("Instances".to_owned(), text("many")), ("Untagged".to_owned(), number(1))]);
        assert_eq!(super::memory(Some(&broken), "e-1"), Memory::default());
    }

    #[test]
    fn answers_are_remembered_until_they_expire() {
        let now = at(1_000_000);
        let ann = Owner { name: "ann".to_owned(), source: "CloudTrail:IAMUser".to_owned() };
        for (key, answer, days) in [
            (Key::Reservation("r-1".to_owned()), Some(ann.clone()), 90),
            (Key::Reservation("r-1".to_owned()), None, 7),
            (Key::Group("web".to_owned()), Some(ann), 90),
        ] {
            let item = owner_item(&key, answer.as_ref(), now);
            let later = |days: i64| at(1_000_000 + days * 86_400);
            assert_eq!(owner(&item, later(days - 1)), Some((key.clone(), answer)));
            assert_eq!(owner(&item, later(days)), None, "{key:?} has expired");
        }
    }

    #[test]
    fn a_scope_is_its_vpcs_in_any_order() {
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        for (vpcs, expected) in
            [(ids(&[]), "run#all"), (ids(&["vpc-2", "vpc-1", "vpc-2"]), "run#vpc-1,vpc-2")]
        {
            assert_eq!(scope_id(&vpcs), expected);
        }
    }

    /// Bytes of a value as DynamoDB counts them: a number takes a byte for two digits and one more, a list or
    /// a map three and one for each of its values.
    fn weight(value: &AttributeValue) -> usize {
        match value {
            AttributeValue::N(number) => number.len().div_ceil(2) + 1,
            AttributeValue::S(text) => text.len(),
            AttributeValue::L(list) => 3 + list.iter().map(|one| 1 + weight(one)).sum::<usize>(),
            AttributeValue::M(map) => {
                3 + map.iter().map(|(key, one)| 1 + key.len() + weight(one)).sum::<usize>()
            }
            other => panic!("not counted: {other:?}"),
        }
    }

    #[test]
    fn the_most_that_is_remembered_fits_an_item() {
        let seen = Seen { first: at(1_800_000_000), tagged: Some(at(1_800_000_000)) };
        let most = crate::decide::MOST_SEEN;
        let sightings: BTreeMap<String, Seen> = (0..most).map(|n| (format!("i-{n:017}"), seen)).collect();
        // The longest name of a group is 255 characters, a reservation's 19.
        let keys: Vec<Key> = (0..9_999)
            .map(|n| {
                if n % 10 == 0 {
                    Key::Group(format!("{n:0>255}"))
                } else {
                    Key::Reservation(format!("r-{n:017}"))
                }
            })
            .collect();
        let bytes = weight(&untagged(&sightings)) + weight(&owed(&keys));
        assert!((100_000..390_000).contains(&bytes), "{bytes} of 409,600 bytes");
    }
}
