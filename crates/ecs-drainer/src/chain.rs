//! What goes on: heartbeats, continuations, marks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::stream::{self, StreamExt};
use tokio::time::Instant;

use crate::drain::{Drain, Mark, Terms};
use crate::pass::in_time;
use crate::subjects::Subject;
use crate::{Drainer, act, decide, observe};

/// Calls at a time, where a call takes one instance.
const SIDE_BY_SIDE: usize = 4;
/// Time for all heartbeats of a pass; see the budget in `pass`.
const HOLDING: Duration = Duration::from_secs(15);

impl Drainer {
    /// Heartbeats, continuations, marks: in this order, so that whatever is lost in between is done again.
    pub(crate) async fn go_on(&self, chains: Vec<(Subject, usize)>) -> Vec<(usize, String)> {
        let chains = self.hold_all(chains, Instant::now() + HOLDING).await;
        let now = self.now();
        let next = chains.iter().map(|(subject, _)| Drain {
            pass: subject.drain.pass.saturating_add(1),
            not_before: Some(decide::later(now, decide::interval(&subject.drain, &self.settings))),
            ..subject.drain.clone()
        });
        let next: Vec<Drain> = next.collect();
        let refused = act::publish(&self.clients, &self.settings.topic, &next).await;
        let mut failed = Vec::new();
        let mut marks: BTreeMap<String, Vec<(String, Mark)>> = BTreeMap::new();
        for (at, ((subject, left), next)) in chains.iter().zip(next).enumerate() {
            if let Some(fault) = refused.get(&at) {
                let reason = format!("{}: the drain cannot go on: {fault}", next.instance);
                failed.extend(subject.chain().into_iter().flatten().map(|record| (*record, reason.clone())));
                continue;
            }
            self.watch().keep(&next, *left);
            if let (Some(cluster), Some(arn), Some(draining_since)) =
                (&next.cluster, &next.container_instance, next.draining_since)
            {
                let token = next.token().map(str::to_owned);
                let Drain { pass, count, until, .. } = next;
                let mark = Mark { pass, draining_since, count, until, token };
                marks.entry(cluster.clone()).or_default().push((arn.clone(), mark));
            }
        }
        for (cluster, marks) in marks {
            for (arn, fault) in act::mark(&self.clients, &cluster, marks).await {
                tracing::warn!(arn, "mark not left; a copy of this pass would not be known: {fault}");
            }
        }
        failed
    }

    /// Records the heartbeats that are due; leaves out what turns out to be over.
    async fn hold_all(&self, mut chains: Vec<(Subject, usize)>, until: Instant) -> Vec<(Subject, usize)> {
        if in_time(until, Box::pin(self.read_terms(&mut chains))).await.is_none() {
            tracing::error!("timeouts of the hooks not read in time, a heartbeat every pass");
        }
        stream::iter(chains)
            .map(async |(subject, left)| self.hold(subject, until).await.map(|subject| (subject, left)))
            .buffer_unordered(SIDE_BY_SIDE)
            .filter_map(async |held| held)
            .collect()
            .await
    }

    /// Fills in the hooks' timeouts where they are not known: one call a group.
    async fn read_terms(&self, chains: &mut [(Subject, usize)]) {
        let mut unreadable = BTreeSet::new();
        for (subject, _) in chains {
            let first_seen = subject.drain.first_seen;
            let Some(hook) = subject.drain.hook.as_mut().filter(|hook| hook.terms.is_none()) else {
                continue;
            };
            let now = self.now();
            if self.watch().hooks(&hook.group, now).is_none() && !unreadable.contains(&hook.group) {
                match observe::terminate_hooks(&self.clients, &hook.group).await {
                    Err(fault) => {
                        let group = &hook.group;
                        tracing::warn!(
                            group,
                            "timeouts of the hook not known, a heartbeat every pass: {fault}"
                        );
                        unreadable.insert(group.clone());
                    }
                    Ok(hooks) => {
                        let hooks = hooks.into_iter().filter_map(|hook| {
                            let heartbeat = u32::try_from(hook.heartbeat_timeout?).ok()?;
                            let global = hook.global_timeout.and_then(|global| u32::try_from(global).ok());
                            // The documented limit, should the answer not tell: 100 heartbeats, 48 hours at most.
                            let global = global.unwrap_or(heartbeat.saturating_mul(100).min(172_800));
                            Some((hook.lifecycle_hook_name?, (heartbeat, global)))
                        });
                        self.watch().keep_hooks(&hook.group, hooks.collect(), now);
                    }
                }
            }
            let timeouts =
                self.watch().hooks(&hook.group, now).and_then(|hooks| hooks.get(&hook.name).copied());
            hook.terms = timeouts.map(|(heartbeat, global)| Terms {
                heartbeat_seconds: heartbeat,
                // A hook that was looked up may have waited for long, so that a heartbeat is due now.
                held_until: if subject.looked_up {
                    now
                } else {
                    decide::later(first_seen, Duration::from_secs(heartbeat.into()))
                },
                limit: decide::later(first_seen, Duration::from_secs(global.into())),
            });
            if decide::too_short(&subject.drain, &self.settings)
                && let Some(hook) = &subject.drain.hook
            {
                tracing::warn!(
                    group = hook.group,
                    hook = hook.name,
                    "the hook's heartbeat timeout is shorter than the pass interval: raise it, or lower PASS_INTERVAL_SECONDS"
                );
            }
        }
    }

    /// Records a heartbeat where one is due; none if the action turns out to be over.
    async fn hold(&self, mut subject: Subject, until: Instant) -> Option<Subject> {
        let now = self.now();
        if !decide::needs_heartbeat(&subject.drain, subject.other.as_ref(), now, &self.settings) {
            return Some(subject);
        }
        let instance = subject.drain.instance.clone();
        let Some(hook) = subject.drain.hook.as_mut() else { return Some(subject) };
        match in_time(until, act::heartbeat(&self.clients, &instance, hook)).await {
            Some(Ok(act::Taken::Yes)) => {
                hook.terms = hook.terms.as_ref().map(|terms| decide::held(terms, now));
                tracing::info!(instance, "heartbeat recorded");
                Some(subject)
            }
            Some(Ok(act::Taken::Over)) => {
                tracing::warn!(instance, "ended: the lifecycle action was over before its tasks had stopped");
                self.watch().end(&subject.drain);
                None
            }
            None => {
                tracing::warn!(instance, "heartbeat not recorded in time, to be tried again");
                Some(subject)
            }
            Some(Err(fault)) => {
                tracing::error!(instance, kind = ?fault.kind, "heartbeat not recorded, to be tried again: {fault}");
                Some(subject)
            }
        }
    }
}
