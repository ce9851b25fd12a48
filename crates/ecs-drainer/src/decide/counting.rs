//! Whether "no task" may be believed. ECS is eventually consistent: a count of tasks may be older than DRAINING, and
//! their lists may lack one that has just changed sides.

use std::time::Duration;

use jiff::Timestamp;

use super::{draining_for, elapsed, later};
use crate::drain::{ContainerInstance, Count, Drain, Status, Task};
use crate::settings::Settings;

/// How old a count may be: ECS forgets a task about an hour after it has stopped, and those of the beginning of a long
/// drain are not seen any more.
const COUNT_HOLDS: Duration = Duration::from_secs(600);

/// How much longer to wait before "no task" may be believed; none if it may be now, or if the instance
/// is not empty by any count. ECS is eventually consistent: a task that was placed just before DRAINING
/// may not be counted yet. `asked_at` is when the instance was described.
#[must_use]
pub fn unsettled(
    drain: &Drain,
    instance: &ContainerInstance,
    asked_at: Timestamp,
    settings: &Settings,
) -> Option<Duration> {
    if instance.status != Status::Draining || instance.wanted_tasks > 0 {
        return None;
    }
    settings.settle.checked_sub(draining_for(drain, asked_at)).filter(|left| !left.is_zero())
}

/// How much longer to wait before the lists of tasks show all that there are, where the count says that none is wanted:
/// one that has just changed sides may be in neither. None if they show them now, or if tasks were counted that must
/// be seen to have stopped since. Never longer than [`Settings::settle`], whatever a mark says.
#[must_use]
pub fn unlisted(drain: &Drain, now: Timestamp, settings: &Settings) -> Option<Duration> {
    let count = drain.count.filter(|count| count.tasks == 0)?;
    Some(elapsed(now, count.holds_from).min(settings.settle)).filter(|left| !left.is_zero())
}

/// Whether tasks that were read as none left may have been missed. `ListTasks` answers for one desired status at a time
/// and may be late, so that a task that has just changed sides is in neither list. All are accounted for if the count
/// holds: then each task that was not counted is listed as it is, and as many as were counted must be seen to have
/// stopped since. `asked_at` is when the lists were asked for. If not, they are read again after [`Settings::settle`]:
/// by then all have long changed sides.
#[must_use]
pub fn unaccounted(drain: &Drain, tasks: &[Task], asked_at: Timestamp) -> bool {
    let accounted = drain.count.is_some_and(|Count { tasks: counted, holds_from }| {
        // ECS tells whole seconds here.
        let since = holds_from.as_second();
        let seen = |task: &&Task| !task.wanted && task.stopping_at.is_some_and(|at| at.as_second() >= since);
        holds_from <= asked_at && tasks.iter().filter(seen).count() >= counted
    });
    tasks.iter().all(|task| task.stopped) && !accounted
}

/// Counts the tasks that are wanted on a DRAINING instance, as it was described, once that cannot be older than DRAINING
/// itself: where there is no count or an old one, and where none is wanted any more. Then none will be, which never gets
/// old. Only where a stopped task has brought the drain here (`by_event`), it is mostly the last one of those that were
/// counted, and a count that holds saves waiting for the lists.
pub fn count(
    drain: &mut Drain,
    wanted: usize,
    by_event: bool,
    [asked_at, now]: [Timestamp; 2],
    settings: &Settings,
) {
    let is_old = |count: Count| {
        let too_late = elapsed(count.holds_from, now) >= COUNT_HOLDS;
        let is_over = wanted == 0 && (count.holds_from > now || !by_event);
        count.tasks > 0 && (too_late || is_over)
    };
    let settled = drain.draining_since.is_some() && draining_for(drain, asked_at) >= settings.settle;
    if settled && drain.count.is_none_or(is_old) {
        drain.count = Some(Count { tasks: wanted, holds_from: later(now, settings.settle) });
    }
}
