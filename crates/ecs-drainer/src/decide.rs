//! A snapshot and the time → what to do. Pure: no I/O, no clock, no SDK types.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_helpers::fault::Fault;
use jiff::Timestamp;

use crate::drain::{ContainerInstance, Drain, Mark, Membership, Presence, Status, Task, Terms};
use crate::settings::{Outcome, Settings, Standalone};

mod counting;

pub use counting::{count, unaccounted, unlisted, unsettled};

/// Everything that was found out about one drain.
#[derive(Clone, Debug)]
pub struct Sight {
    /// Where ECS has the instance.
    pub presence: Presence,
    /// Its tasks by last status; none if nobody asked, because they did not matter yet.
    pub tasks: Option<Result<Vec<Task>, Fault>>,
    /// The task of [`Drain::waits_for`], if it alone was asked for and has not stopped.
    pub waited_for: Option<Task>,
    /// What Auto Scaling says; none if nobody asked.
    pub membership: Option<Result<Membership, Fault>>,
}

/// What to do for one drain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Standalone tasks to stop, by ARN.
    pub stop: Vec<String>,
    /// And then.
    pub then: Then,
}

/// How a pass ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then {
    /// Complete the hook (or just end, where there is none).
    Complete(Outcome, Why),
    /// Look again; at least this many tasks must stop first (0: not known).
    Wait(usize, Why),
    /// Nothing is left to complete.
    End(Why),
}

/// Why a pass ends as it does; the words of the log line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// Every task's last status is STOPPED.
    Empty,
    /// Tasks have not stopped; how many, by group, where that was asked.
    Busy(String),
    /// Some task may yet appear: DRAINING is too young, or not set.
    NotDraining,
    /// The deadline has come; what still runs, by group.
    Deadline(String),
    /// No cluster has the instance, which may be registering.
    Registering,
    /// No cluster has the instance, and the wait for it is over.
    NeverRegistered,
    /// Auto Scaling no longer has the instance, or is past the hook.
    Gone,
    /// EC2 has terminated the instance.
    Terminated,
    /// A lifecycle hook waits for the instance too, and its drain does the rest.
    Joined,
    /// The hook's own limit has passed: it has given up by itself.
    PastLimit,
    /// Something could not be read.
    Unreadable(Fault),
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => write!(f, "every task has stopped"),
            Self::Busy(tasks) => write!(f, "tasks have not stopped: {tasks}"),
            Self::NotDraining => write!(f, "the container instance is not DRAINING yet"),
            Self::Deadline(tasks) => write!(f, "the deadline has come; still there: {tasks}"),
            Self::Registering => write!(f, "no cluster has the instance; it may be registering"),
            Self::NeverRegistered => write!(f, "no cluster has the instance, and the wait is over"),
            Self::Gone => write!(f, "Auto Scaling no longer waits for the instance"),
            Self::Terminated => write!(f, "EC2 has terminated the instance"),
            Self::Joined => write!(f, "a lifecycle hook waits for the instance, and its drain goes on"),
            Self::PastLimit => write!(f, "the hook's own limit has passed"),
            Self::Unreadable(fault) => write!(f, "{fault}"),
        }
    }
}

/// Whether this message is a copy of one already answered: a later continuation of the same drain has
/// been published, and carries it on. An operator's drains have no token to tell them apart: there a mark
/// on an instance that takes tasks again is an old one.
#[must_use]
pub fn superseded(drain: &Drain, instance: &ContainerInstance) -> bool {
    let told_apart = drain.token().is_some() || instance.status == Status::Draining;
    told_apart && instance.mark.as_ref().is_some_and(|mark| drain.left(mark) && mark.pass > drain.pass)
}

/// The time from this drain's pass to the next: a drain that has little time is looked at more often.
#[must_use]
pub fn interval(drain: &Drain, settings: &Settings) -> Duration {
    if drain.until.is_some() { settings.urgent_interval } else { settings.interval }
}

/// Whether Auto Scaling must be asked for a hook that waits for the instance of this request: its end is near, so
/// that a hook must be completed in time; or another drain's mark says that there is one.
#[must_use]
pub fn looks_for_hook(drain: &Drain, other: Option<&Mark>) -> bool {
    drain.hook.is_none() && (drain.until.is_some() || other.is_some_and(|mark| mark.token.is_some()))
}

/// Whether a request's drain becomes that of the hook which waits for its instance. It does if it knows of a near end
/// of which the hook's own drain does not know; otherwise that one does all there is to do.
#[must_use]
pub fn takes_hook(drain: &Drain, other: Option<&Mark>) -> bool {
    let Some(until) = drain.until else { return false };
    // Marks have whole seconds.
    let known = other.filter(|mark| mark.token.is_some()).and_then(|mark| mark.until);
    known.is_none_or(|known| known.as_second() > until.as_second())
}

/// Whether the tasks themselves must be read, by last status: the counts say that the instance may be
/// empty, the deadline must name what runs, or standalone tasks are to be stopped.
#[must_use]
pub fn needs_tasks(drain: &Drain, instance: &ContainerInstance, now: Timestamp, settings: &Settings) -> bool {
    let counted_empty = instance.status == Status::Draining && instance.wanted_tasks == 0;
    counted_empty || overdue(drain, now, settings) || stops_standalone(drain, now, settings)
}

/// Whether the tasks must be read only to find out if all have stopped: then one that is known not to have stopped is
/// enough.
#[must_use]
pub fn one_task_will_do(drain: &Drain, now: Timestamp, settings: &Settings) -> bool {
    !overdue(drain, now, settings) && !stops_standalone(drain, now, settings)
}

/// The task to ask for first at the next look: of those that have not stopped, the one that began to stop last.
#[must_use]
pub fn waits_for(tasks: &[Task]) -> Option<String> {
    let unfinished = tasks.iter().filter(|task| !task.stopped);
    unfinished.max_by_key(|task| task.stopping_at).map(|task| task.arn.clone())
}

/// Whether Auto Scaling must be asked: ECS does not have the instance, or has lost its agent. Not where the drain has
/// only begun, and nobody has said that the instance is older: the answer may be of the time before it was launched, and say
/// that it is gone.
#[must_use]
pub fn needs_membership(drain: &Drain, presence: &Presence, now: Timestamp) -> bool {
    if elapsed(drain.launched_at.unwrap_or(drain.first_seen), now) <= LATE {
        return false;
    }
    match presence {
        Presence::Registered(instance) => !instance.connected,
        Presence::Absent => true,
        Presence::Unreadable(_) => false,
    }
}

/// The decision itself.
#[must_use]
pub fn next(drain: &Drain, sight: &Sight, now: Timestamp, settings: &Settings) -> Plan {
    let plan = |then| Plan { stop: Vec::new(), then };
    if matches!(sight.membership, Some(Ok(Membership::Gone))) && drain.hook.is_some() {
        return plan(Then::End(Why::Gone));
    }
    if limit(drain).is_some_and(|limit| limit <= now) {
        return plan(Then::End(Why::PastLimit));
    }
    let overdue = overdue(drain, now, settings);
    let wait_or_give_up = |left: usize, why: Why| match why {
        why if overdue => plan(Then::Complete(settings.at_deadline, Why::Deadline(why.to_string()))),
        why => plan(Then::Wait(left, why)),
    };
    let instance = match &sight.presence {
        Presence::Registered(instance) => instance,
        Presence::Unreadable(fault) => return wait_or_give_up(0, Why::Unreadable(fault.clone())),
        Presence::Absent => {
            if let Some(Err(fault)) = &sight.membership {
                return wait_or_give_up(0, Why::Unreadable(fault.clone()));
            }
            let since = drain.launched_at.unwrap_or(drain.first_seen);
            return if elapsed(since, now) < settings.registration_wait {
                wait_or_give_up(0, Why::Registering)
            } else {
                plan(Then::Complete(settings.unregistered, Why::NeverRegistered))
            };
        }
    };
    let tasks = match &sight.tasks {
        None if instance.wanted_tasks > 0 => {
            let counted = Why::Busy(format!("{} running or pending", instance.wanted_tasks));
            return wait_or_give_up(instance.wanted_tasks, counted);
        }
        None => {
            let busy = |task: &Task| Why::Busy(format!("{} 1 at least", task.group));
            return wait_or_give_up(0, sight.waited_for.as_ref().map_or(Why::NotDraining, busy));
        }
        Some(Err(fault)) => return wait_or_give_up(0, Why::Unreadable(fault.clone())),
        Some(Ok(tasks)) => tasks,
    };
    let unfinished: Vec<&Task> = tasks.iter().filter(|task| !task.stopped).collect();
    if unfinished.is_empty() && instance.wanted_tasks == 0 {
        if instance.status == Status::Draining && unsettled(drain, instance, now, settings).is_none() {
            return plan(Then::Complete(Outcome::Continue, Why::Empty));
        }
        return wait_or_give_up(0, Why::NotDraining);
    }
    let left = unfinished.len().max(instance.wanted_tasks);
    let names = by_group(&unfinished, left);
    if overdue {
        return plan(Then::Complete(settings.at_deadline, Why::Deadline(names)));
    }
    let stop = if stops_standalone(drain, now, settings) {
        let standalone = unfinished.iter().filter(|task| task.wanted && task.standalone());
        standalone.map(|task| task.arn.clone()).collect()
    } else {
        Vec::new()
    };
    Plan { stop, then: Then::Wait(left, Why::Busy(names)) }
}

/// Whether a heartbeat must be recorded for a drain that goes on: with so much left that one pass may come late or be
/// lost, and is made again when its message comes back. Where the hook's terms could not be read, at every pass. Never beyond
/// the hook's own limit, where it is refused. At once where a much later drain has left its mark on the same instance, which
/// may have been used again meanwhile: only a call with the token tells whether this one is over.
#[must_use]
pub fn needs_heartbeat(drain: &Drain, other: Option<&Mark>, now: Timestamp, settings: &Settings) -> bool {
    let is_later = |mark: &Mark| {
        let since = drain.draining_since.unwrap_or(drain.first_seen);
        mark.token.is_some() && elapsed(since, mark.draining_since) > LATE
    };
    if drain.token().is_some() && other.is_some_and(is_later) {
        return true;
    }
    match drain.hook.as_ref().map(|hook| hook.terms.as_ref()) {
        None => false,
        Some(None) => true,
        Some(Some(terms)) => {
            now < terms.limit
                && terms.held_until < terms.limit
                && elapsed(now, terms.held_until) < lookahead(drain, settings)
        }
    }
}

fn lookahead(drain: &Drain, settings: &Settings) -> Duration {
    let redelivery = if drain.until.is_some() { URGENT_REDELIVERY } else { REDELIVERY };
    let interval = interval(drain, settings);
    interval + interval.max(redelivery) + GRACE
}

/// Whether Auto Scaling must be asked if the hook waits at all, before an instance that takes tasks is set to DRAINING,
/// because the drain began some time ago. A group with a warm pool may have taken it back. A young one is not doubted:
/// both answers may be of the time before it.
#[must_use]
pub fn doubts_hook(drain: &Drain, instance: &ContainerInstance, now: Timestamp) -> bool {
    let is_old = elapsed(drain.first_seen, now) > LATE;
    drain.hook.is_some() && instance.status == Status::Active && is_old
}

/// Terms after a heartbeat at `now`: it buys a full timeout, but nothing beyond the hook's limit.
#[must_use]
pub fn held(terms: &Terms, now: Timestamp) -> Terms {
    let until = later(now, Duration::from_secs(terms.heartbeat_seconds.into()));
    Terms { held_until: until.min(terms.limit), ..terms.clone() }
}

/// Whether the hook times out before a second pass could save it: its owner must be told.
#[must_use]
pub fn too_short(drain: &Drain, settings: &Settings) -> bool {
    let terms = drain.hook.as_ref().and_then(|hook| hook.terms.as_ref());
    let heartbeat = terms.map(|terms| Duration::from_secs(terms.heartbeat_seconds.into()));
    heartbeat.is_some_and(|heartbeat| heartbeat < interval(drain, settings) + GRACE)
}

/// When a message comes back whose pass was lost: the queues' visibility timeout (template.yaml).
const REDELIVERY: Duration = Duration::from_secs(180);
/// The same of the urgent queue.
const URGENT_REDELIVERY: Duration = Duration::from_secs(90);
/// Older than this, a lifecycle message is a late copy, or one that came back.
const LATE: Duration = Duration::from_secs(60);

/// What a queue, a batching window and a pass may add to the interval.
const GRACE: Duration = Duration::from_secs(10);

/// From so many percent of its time on, a drain's line is a warning, which an alarm counts.
pub const LATE_PERCENT: u64 = 80;

/// How much of a drain's time is over, in percent: from its beginning to what ends it first.
#[must_use]
pub fn spent(drain: &Drain, now: Timestamp, settings: &Settings) -> u64 {
    let deadline = later(drain.first_seen, settings.deadline);
    let end = [limit(drain), drain.until].into_iter().flatten().fold(deadline, Timestamp::min);
    let whole = elapsed(drain.first_seen, end).as_secs().max(1);
    elapsed(drain.first_seen, now).as_secs().saturating_mul(100) / whole
}

/// When the drain is given up: the setting, or the last pass before the instance's end, or before the hook's own
/// limit, so that the result is the configured one and not the hook's default.
fn overdue(drain: &Drain, now: Timestamp, settings: &Settings) -> bool {
    let ends = [limit(drain), drain.until].into_iter().flatten().min();
    let too_late = ends.is_some_and(|end| elapsed(now, end) < interval(drain, settings) + GRACE);
    too_late || elapsed(drain.first_seen, now) >= settings.deadline
}

fn limit(drain: &Drain) -> Option<Timestamp> {
    Some(drain.hook.as_ref()?.terms.as_ref()?.limit)
}

fn stops_standalone(drain: &Drain, now: Timestamp, settings: &Settings) -> bool {
    match (settings.standalone, drain.draining_since) {
        (Standalone::StopAfter(after), Some(since)) => elapsed(since, now) >= after,
        _ => false,
    }
}

fn draining_for(drain: &Drain, at: Timestamp) -> Duration {
    drain.draining_since.map_or(Duration::ZERO, |since| elapsed(since, at))
}

/// Time from one moment to a later one; zero if it is not later (clocks differ by some milliseconds).
fn elapsed(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or(Duration::ZERO)
}

/// A moment later; the last moment there is if that is out of range.
pub(crate) fn later(now: Timestamp, by: Duration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// `service:web 3, family:batch 1`; what was counted but not listed is said to be so.
fn by_group(tasks: &[&Task], counted: usize) -> String {
    let mut groups = BTreeMap::new();
    for task in tasks {
        *groups.entry(task.group.as_str()).or_insert(0) += 1;
    }
    let mut names: Vec<String> = groups.into_iter().map(|(group, n)| format!("{group} {n}")).collect();
    if counted > tasks.len() {
        names.push(format!("not listed yet {}", counted - tasks.len()));
    }
    names.join(", ")
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
