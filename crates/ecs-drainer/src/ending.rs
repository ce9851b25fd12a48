//! What a plan comes to: tasks that are stopped, hooks that are completed, and the log's line on each drain.

use std::collections::BTreeMap;

use futures::stream::{self, StreamExt};
use tokio::time::Instant;

use crate::decide::{self, Plan, Then, Why};
use crate::drain::Drain;
use crate::pass::in_time;
use crate::subjects::{Cause, Subject};
use crate::{Drainer, act};

/// Calls at a time, where a call takes one instance.
const SIDE_BY_SIDE: usize = 4;

/// A line that is a warning, or not: the level is part of the code that a line comes to, so there are two.
macro_rules! tell {
    ($warns:expr, $($line:tt)+) => {
        if $warns { tracing::warn!($($line)+) } else { tracing::info!($($line)+) }
    };
}

impl Drainer {
    /// Acts, and returns the chains that go on.
    pub(crate) async fn carry_out(
        &self,
        planned: Vec<(Subject, Plan)>,
        until: Instant,
    ) -> Vec<(Subject, usize)> {
        let mut stop: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (Subject { drain, .. }, plan) in planned.iter().filter(|(_, plan)| !plan.stop.is_empty()) {
            let cluster = drain.cluster.clone().unwrap_or_default();
            tracing::info!(
                instance = drain.instance,
                cluster,
                tasks = plan.stop.len(),
                "stopping standalone tasks"
            );
            stop.entry(cluster).or_default().extend_from_slice(&plan.stop);
        }
        for (cluster, arns) in stop {
            for fault in act::stop_tasks(&self.clients, &cluster, arns).await {
                tracing::warn!(cluster, "a task could not be stopped, to be tried again: {fault}");
            }
        }
        self.finish_all(planned.into_iter().map(|(subject, plan)| (subject, plan.then)).collect(), until)
            .await
    }

    /// Completes and ends what is at its end; returns the chains that go on, with the number of tasks left.
    pub(crate) async fn finish_all(
        &self,
        decided: Vec<(Subject, Then)>,
        until: Instant,
    ) -> Vec<(Subject, usize)> {
        let finished = stream::iter(decided)
            .map(async |(subject, then)| self.finish(subject, then, until).await)
            .buffer_unordered(SIDE_BY_SIDE);
        let going_on: Vec<(Subject, usize)> = finished.filter_map(async |going_on| going_on).collect().await;
        let mut chains = Vec::new();
        for (subject, left) in going_on {
            match subject.cause {
                Cause::Chain(_) => chains.push((subject, left)),
                // Its chain is elsewhere; only the count is new.
                Cause::Event | Cause::Found(_) if subject.drain.hook.is_some() => {
                    self.watch().keep(&subject.drain, left);
                }
                Cause::Event | Cause::Found(_) => {}
            }
        }
        chains
    }

    /// Completes and ends what is at its end; returns what is not, with the number of tasks left.
    async fn finish(&self, subject: Subject, then: Then, until: Instant) -> Option<(Subject, usize)> {
        let Drain { instance, pass, .. } = &subject.drain;
        let cluster = subject.drain.cluster.as_deref().unwrap_or("unknown");
        let (outcome, why) = match then {
            Then::Wait(left, why) => {
                let spent = decide::spent(&subject.drain, self.now(), &self.settings);
                let until = subject.drain.until.map(tracing::field::display);
                let warns = spent >= decide::LATE_PERCENT;
                tell!(warns, instance, cluster, pass, spent, until, "waiting: {why}");
                return Some((subject, left));
            }
            Then::End(why) => {
                tracing::info!(instance, cluster, pass, "ended: {why}");
                self.watch().end(&subject.drain);
                return None;
            }
            Then::Complete(outcome, why) => (outcome, why),
        };
        let result = outcome.as_str();
        let Some(hook) = &subject.drain.hook else {
            match (&subject.cause, &why) {
                (Cause::Found(_), _) => {
                    tracing::info!(
                        instance,
                        cluster,
                        pass,
                        "left to its continuation, which knows the hook: {why}"
                    );
                }
                (_, Why::Deadline(_)) => {
                    tracing::warn!(instance, cluster, pass, "given up, no hook to complete: {why}");
                }
                _ => tracing::info!(instance, cluster, pass, "drained, no hook to complete: {why}"),
            }
            if !matches!(subject.cause, Cause::Found(_)) {
                self.watch().end(&subject.drain);
            }
            return None;
        };
        match in_time(until, act::complete(&self.clients, instance, hook, outcome)).await {
            Some(Ok(taken)) => {
                let over = taken == act::Taken::Over;
                let warns = matches!(why, Why::Deadline(_) | Why::NeverRegistered);
                tell!(warns, instance, cluster, pass, result, over, "hook completed: {why}");
                // What was found by its mark is over for its own chain only if that finds so.
                if !(over && matches!(subject.cause, Cause::Found(_))) {
                    self.watch().end(&subject.drain);
                }
                None
            }
            Some(Err(fault)) => {
                tracing::error!(instance, cluster, pass, result, kind = ?fault.kind, "hook not completed, to be tried again: {fault}");
                Some((subject, 0))
            }
            None => {
                tracing::warn!(
                    instance,
                    cluster,
                    pass,
                    result,
                    "hook not completed in time, left to the next pass"
                );
                Some((subject, 0))
            }
        }
    }
}
