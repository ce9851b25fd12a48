//! What must hold, in numbers.

use std::time::Duration;

use ecs_drainer::settings::Settings;

use super::drains::Held;
use crate::plan::Plan;

/// The numbers of one run.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) interval: Duration,
    pub(crate) urgent_interval: Duration,
    pub(crate) deadline: Duration,
    pub(crate) registration_wait: Duration,
    pub(crate) visibility: Duration,
    pub(crate) urgent_visibility: Duration,
    /// How far any environment's clock can be from AWS's.
    pub(crate) skew: Duration,
    pub(crate) staleness: Duration,
    pub(crate) clusters: usize,
    /// Whether a hook without the topic is the function's, too.
    pub(crate) by_events: bool,
    /// Whether the topic invokes the function itself.
    pub(crate) direct: bool,
}

/// What kept the function from a drain for a time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Disturbed {
    /// Passes that were lost, or could not record the heartbeat that was due.
    pub(crate) lost: u32,
    /// Until the next could: the queue's visibility timeout, or an interval, for each.
    pub(crate) wait: Duration,
    /// The most that one came late.
    pub(crate) late: Duration,
    /// The longest that one took.
    pub(crate) long: Duration,
}

/// What the drainer adds to an interval when it looks ahead (`decide`).
const GRACE: Duration = Duration::from_secs(10);
/// So old a lifecycle message is believed without asking Auto Scaling (`decide`), with the clocks' difference.
pub(super) const FRESH: Duration = Duration::from_secs(70);
/// From a spot notice to the end of the instance.
pub(crate) const NOTICE: Duration = Duration::from_secs(120);
/// The longest that the function looks and acts in a pass (`pass`).
const LOOKING: Duration = Duration::from_secs(35);

impl Rules {
    pub(crate) fn new(plan: &Plan, settings: &Settings) -> Self {
        Self {
            interval: settings.interval,
            urgent_interval: settings.urgent_interval,
            deadline: settings.deadline,
            registration_wait: settings.registration_wait,
            visibility: plan.plumbing.visibility_timeout,
            urgent_visibility: plan.plumbing.urgent_visibility_timeout,
            skew: plan.environments.skew,
            staleness: plan.scenario.settings.staleness,
            clusters: plan.scenario.clusters.len(),
            by_events: plan.plumbing.lifecycle_events,
            direct: plan.plumbing.direct,
        }
    }

    /// After how long a drain may be given up: the deadline, or the last pass before the hook's own limit. The clock that
    /// it began by may be slow, and the one that it ends by fast.
    pub(crate) fn patience(&self, limit: Duration) -> Duration {
        let last_pass = limit.saturating_sub(self.interval + GRACE);
        self.deadline.min(last_pass).saturating_sub(self.skew * 2 + Duration::from_secs(1))
    }

    /// Whether a hook that waits so long for a heartbeat must have had one in time, whatever this was.
    ///
    /// The function records a heartbeat when less is left than two intervals, or an interval and the queue's visibility
    /// timeout, and ten seconds: so it says that one pass may be lost or late. One that is lost comes back after the
    /// visibility timeout; where a heartbeat was refused, the next pass tries again. What is more than that it does not promise
    /// to bear; nor can anybody keep a hook whose timeout is shorter than an interval and what a pass takes, which the
    /// function warns of.
    /// A request's drain that has looked the hook up has an interval of its own.
    pub(super) fn keeps(&self, held: &Held, disturbed: Disturbed) -> bool {
        let Disturbed { lost, wait, late, long } = disturbed;
        let by = |interval: Duration, visibility: Duration| {
            let promised = interval + interval.max(visibility) + GRACE;
            let pass = interval + late + long + self.skew * 2 + Duration::from_secs(1);
            lost <= 1 && promised.min(held.heartbeat) >= pass + wait + long * lost
        };
        let by_urgent = by(self.urgent_interval, self.urgent_visibility);
        if held.urgent {
            by_urgent
        } else {
            by(self.interval, self.visibility) && (by_urgent || !held.looked_up)
        }
    }

    /// When an instance that EC2 interrupts may be given up, by the moment of the notice: at the last pass before its end.
    /// The notice has its time in whole seconds, or none: then two clocks may be off.
    pub(crate) fn last_urgent_pass(&self, noticed_at: Duration) -> Duration {
        let early = self.urgent_interval + GRACE + self.skew * 2 + Duration::from_secs(2);
        (noticed_at + NOTICE).saturating_sub(early)
    }

    /// Whether the drain of an instance that EC2 interrupts, which knows of it, must end before the instance does.
    pub(crate) fn ends_before_the_instance(&self, disturbed: Disturbed) -> bool {
        self.ends_in_time(disturbed)
    }

    /// How long ago somebody may have undone what the function has read, when it acts on it: the time of a look, and what
    /// reads are late.
    pub(crate) fn race(&self) -> Duration {
        LOOKING + self.staleness + self.skew
    }

    /// Whether the last pass before the hook's own limit must have come in time, whatever this was.
    pub(crate) fn ends_in_time(&self, disturbed: Disturbed) -> bool {
        let Disturbed { lost, late, long, .. } = disturbed;
        lost == 0 && late + long + self.skew * 2 + Duration::from_secs(1) <= GRACE
    }

    /// Most continuations of a drain that lasts so long, of which so many messages were copies or came back.
    ///
    /// One a pass; passes are an interval apart, and the first is at once. A copy that comes while the pass that it
    /// copies is at work finds no mark yet, and neither does what comes back after a function was lost between
    /// publishing and marking: each begins a second chain, which ends when it finds the first one's mark, a pass or two
    /// later, and one more for each time that both are looked at in the same moment again. Where no mark can be left, since the instance is
    /// in no cluster or has all the attributes that it can have, each copy is a chain of its own to the end; and so is the
    /// older one of a hook and a request that have met.
    pub(super) fn most_continuations(&self, held: &Held, lasted: Duration) -> usize {
        let Held { copies, races, urgent, unmarked, .. } = *held;
        let interval = if urgent { self.urgent_interval.min(self.interval) } else { self.interval };
        let passes = lasted.as_secs_f64() / interval.as_secs_f64().max(1.0);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some thousands at most")]
        let passes = passes.ceil() as usize;
        if unmarked {
            (passes + 2) * (copies + 1 + usize::from(urgent))
        } else {
            passes + 2 + 2 * copies + races
        }
    }

    /// Most calls for a copy of a message that was answered before: one describe, which finds the mark. One that does not
    /// know the container instance yet, as the hook's own: a list more, and where it names no cluster, or a wrong one,
    /// the clusters and a list of each.
    pub(crate) fn most_calls_for_copy(&self, is_placed: bool) -> usize {
        if is_placed { 1 } else { 3 + self.clusters }
    }

    /// Most calls of an invocation, without the SDK's further attempts, for so many drains on instances that have so
    /// many tasks together.
    ///
    /// Shared: the clusters' list; a list and a describe a cluster and ninety instances, where they must be searched; a
    /// describe, an update and another describe of each cluster; two reads of memberships; hooks of each group, twice;
    /// a publish and a mark for every ten. Each drain's own: both lists of tasks and two describes, and all four once
    /// more; a heartbeat, a completion, a mark by itself where ten together were refused; a page more for each hundred
    /// tasks, and a stop for each.
    pub(crate) fn most_calls(&self, drains: usize, tasks: usize) -> usize {
        let each = |many: usize| drains.div_ceil(many);
        let shared = 1 + self.clusters * (2 * each(90) + 2 * each(100) + each(10) + 2) + 2 * each(50);
        let passed_on = each(10) + each(10) * self.clusters;
        shared + passed_on + drains * 13 + tasks.div_ceil(100) * 4 + tasks
    }
}
