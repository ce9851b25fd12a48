//! Instances without a tag of their own: what may be done to them, and when.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::instance::{Frame, Instance, State};
use crate::owner::{self, Key, Launcher, Owners};
use crate::rules::{Action, Rule};
use crate::settings::UntaggedAction;

/// Most instances whose first sighting is remembered, the longest known: with what is owed they fit the 400 KB
/// of an item (DynamoDB), which a test of the state table weighs.
pub(crate) const MOST_SEEN: usize = 5_000;

/// What the settings say of untagged instances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What becomes of them.
    pub action: UntaggedAction,
    /// How many hours they are given, since their first launch and since they were first seen.
    pub grace_hours: i64,
    /// Most instances that a run may stop or terminate.
    pub cap: usize,
    /// The same, in percent of the instances in scope.
    pub cap_percent: u32,
}

/// What earlier runs have left in the state table. A user cannot change it by editing a tag.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Instances at the last run.
    pub instances: Option<usize>,
    /// When instances were first seen untagged, by id.
    pub untagged: BTreeMap<String, Seen>,
    /// Look-ups that were not made for want of time.
    pub owed: Vec<Key>,
    /// The time of the same run's first attempt, if this is a retry.
    pub retried: Option<Timestamp>,
}

/// When an instance was first seen untagged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The run that first saw it so.
    pub first: Timestamp,
    /// Since when it has had tags again. After the grace the sighting is forgotten: adding a tag and taking
    /// it away again gains nobody time, and an instance in order starts anew.
    pub tagged: Option<Timestamp>,
}

/// Where an untagged instance stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Standing {
    /// It is never stopped or terminated, and the rules apply to it as to any other.
    Spared(Spared),
    /// It is left as it is for now, and no rule applies to it.
    Held(Held),
    /// It may be stopped or terminated.
    Due,
}

/// Why an untagged instance is never stopped or terminated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Spared {
    /// The setting says to report only.
    ReportOnly,
    /// Its Auto Scaling group would replace it.
    AutoScaling,
    /// It is a spot instance.
    Spot,
    /// A service manages it.
    Managed,
    /// A rule exempts it, or no rule is for it.
    Exempt,
    /// It cannot be stopped.
    InstanceStore,
}

/// Why an untagged instance is left as it is for now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Held {
    /// It is being launched, started or stopped.
    Changing,
    /// It is to be stopped, and is.
    Stopped,
    /// Too little time has passed since its first launch, or since it was first seen untagged.
    Grace {
        /// When it will be due.
        until: Timestamp,
    },
    /// Who launched it has yet to be looked up.
    OwnerPending,
    /// More instances are due than a run may touch.
    OverCap,
    /// The run only reports.
    NotThisRun,
    /// It is protected against the action.
    Protected,
    /// It had changed, or was gone, when it was looked at again.
    Changed,
}

/// The plan for untagged instances.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Untagged {
    /// All of them, by their place in the list.
    pub standings: Vec<(usize, Standing)>,
    /// Of the held ones, those whose launcher has yet to be looked up.
    pub pending: Vec<usize>,
    /// How many were due before the cap was looked at.
    pub due: usize,
    /// Whether the cap forbade to touch any.
    pub over_cap: bool,
}

impl Untagged {
    /// Those that may be stopped or terminated.
    pub fn to_act_on(&self) -> impl Iterator<Item = usize> {
        let due = self.standings.iter().filter(|(_, standing)| *standing == Standing::Due);
        due.map(|(at, _)| *at)
    }

    /// Holds all that are due: the run only reports.
    pub fn hold_all(&mut self) {
        hold(&mut self.standings, &Held::NotThisRun);
    }

    /// Holds these, by their place in the list.
    pub fn hold(&mut self, held: &[(usize, Held)]) {
        for (at, why) in held {
            for (_, standing) in self.standings.iter_mut().filter(|(place, _)| place == at) {
                *standing = Standing::Held(why.clone());
            }
        }
    }

    /// Those to which no rule applies.
    #[must_use]
    pub fn without_rules(&self) -> HashSet<usize> {
        let held = self.standings.iter().filter(|(_, standing)| !matches!(standing, Standing::Spared(_)));
        held.map(|(at, _)| *at).collect()
    }
}

/// Judges all untagged instances together: over the cap, none may be touched.
#[must_use]
pub fn untagged(
    instances: &[Instance],
    rules: &[Rule],
    policy: &Policy,
    memory: &Memory,
    owners: &Owners,
    frame: &Frame,
) -> Untagged {
    let (mut standings, mut pending) = (Vec::new(), Vec::new());
    for (at, instance) in instances.iter().enumerate().filter(|(_, instance)| instance.is_untagged()) {
        let standing = standing(instance, rules, policy, memory, owners, frame);
        let is_held = matches!(standing, Standing::Held(_));
        if is_held && is_pending(instance, rules, memory, owners, frame.now) {
            pending.push(at);
        }
        standings.push((at, standing));
    }
    let due = standings.iter().filter(|(_, standing)| *standing == Standing::Due).count();
    let percent = usize::try_from(policy.cap_percent).unwrap_or_default();
    let over_cap = due > policy.cap || due * 100 > percent * instances.len();
    if over_cap {
        hold(&mut standings, &Held::OverCap);
    }
    Untagged { standings, pending, due, over_cap }
}

/// Holds all that are due.
fn hold(standings: &mut [(usize, Standing)], why: &Held) {
    for (_, standing) in standings.iter_mut().filter(|(_, standing)| *standing == Standing::Due) {
        *standing = Standing::Held(why.clone());
    }
}

/// Judges one untagged instance. The same judgement, on a second read, is the last check before the act.
#[must_use]
pub fn standing(
    instance: &Instance,
    rules: &[Rule],
    policy: &Policy,
    memory: &Memory,
    owners: &Owners,
    frame: &Frame,
) -> Standing {
    if let Some(spared) = spared(instance, rules, policy.action) {
        return Standing::Spared(spared);
    }
    match instance.state {
        State::Pending | State::Stopping => return Standing::Held(Held::Changing),
        State::Stopped if policy.action == UntaggedAction::Stop => return Standing::Held(Held::Stopped),
        State::Stopped | State::Running => {}
    }
    // What was never seen before is first seen now.
    let seen = memory.untagged.get(&instance.id).map_or(frame.now, |seen| seen.first);
    let since = seen.max(instance.first_launch);
    if !frame.is_past(since, policy.grace_hours) {
        let grace = SignedDuration::from_hours(policy.grace_hours);
        return Standing::Held(Held::Grace { until: since.saturating_add(grace).unwrap_or(Timestamp::MAX) });
    }
    if is_pending(instance, rules, memory, owners, frame.now) {
        return Standing::Held(Held::OwnerPending);
    }
    Standing::Due
}

/// Those of the due, by their place in the list, that a second read does not confirm, and why: it has
/// changed or is gone, or it is protected.
pub fn unconfirmed<'i>(
    due: impl Iterator<Item = (usize, &'i Instance)>,
    fresh: &[Instance],
    protected: &BTreeSet<String>,
    judge: impl Fn(&Instance) -> Standing,
) -> Vec<(usize, Held)> {
    due.filter_map(|(at, before)| {
        if protected.contains(&before.id) {
            return Some((at, Held::Protected));
        }
        let now = fresh.iter().find(|one| one.id == before.id && one.is_untagged());
        let confirmed = now.is_some_and(|now| judge(now) == Standing::Due);
        (!confirmed).then_some((at, Held::Changed))
    })
    .collect()
}

fn spared(instance: &Instance, rules: &[Rule], action: UntaggedAction) -> Option<Spared> {
    if action == UntaggedAction::Report {
        Some(Spared::ReportOnly)
    } else if instance.group().is_some() {
        Some(Spared::AutoScaling)
    } else if instance.spot {
        Some(Spared::Spot)
    } else if instance.operator.is_some() {
        Some(Spared::Managed)
    } else if rules.iter().any(|rule| rule.exempt.any(instance))
        || !rules.iter().any(|rule| rule.applies(instance))
    {
        Some(Spared::Exempt)
    } else if instance.instance_store && action == UntaggedAction::Stop {
        Some(Spared::InstanceStore)
    } else {
        None
    }
}

/// Whether it is still to be found out who launched the instance: its owner is to be told of it first.
fn is_pending(instance: &Instance, rules: &[Rule], memory: &Memory, owners: &Owners, now: Timestamp) -> bool {
    let asked =
        rules.iter().any(|rule| matches!(rule.action, Action::UserLookup(_)) && rule.applies(instance));
    let owed = || memory.owed.contains(&owner::key(instance));
    (asked || owed()) && owner::launcher(instance, owners, now) == Launcher::Pending
}

/// The sightings to remember after a run: of instances that could be stopped or terminated one day.
#[must_use]
pub fn remember(
    instances: &[Instance],
    rules: &[Rule],
    policy: &Policy,
    memory: &Memory,
    frame: &Frame,
) -> BTreeMap<String, Seen> {
    let mut seen: Vec<(String, Seen)> = Vec::new();
    for instance in instances {
        let known = memory.untagged.get(&instance.id).copied();
        let entry = match known {
            _ if policy.action == UntaggedAction::Report => None,
            _ if instance.is_untagged() => {
                let first = known.map_or(frame.now, |seen| seen.first);
                spared(instance, rules, policy.action).is_none().then_some(Seen { first, tagged: None })
            }
            Some(Seen { first, tagged }) => {
                let tagged = tagged.unwrap_or(frame.now);
                (!frame.is_past(tagged, policy.grace_hours)).then_some(Seen { first, tagged: Some(tagged) })
            }
            None => None,
        };
        seen.extend(entry.map(|entry| (instance.id.clone(), entry)));
    }
    if seen.len() > MOST_SEEN {
        seen.sort_by_key(|(_, seen)| seen.first);
        seen.truncate(MOST_SEEN);
    }
    seen.into_iter().collect()
}
