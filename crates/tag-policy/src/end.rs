//! What becomes of untagged instances: stopped, terminated, or left.

use std::collections::HashSet;

use aws_helpers::fault::Fault;
use futures::future::join;

use crate::decide::{self, Held, Standing, Untagged};
use crate::instance::Instance;
use crate::owner::{self, Launcher};
use crate::report::{self, Outcome};
use crate::run::Work;
use crate::{TagPolicy, act, observe};

impl Work<'_> {
    /// Says of every untagged instance what became of it; `ended` of those that were due.
    pub(crate) fn untagged_lines(&mut self, untagged: Untagged, ended: impl Fn(&Instance) -> Outcome) {
        for (at, standing) in untagged.standings {
            let Some(instance) = self.instances.get(at) else { continue };
            let outcome = if standing == Standing::Due { ended(instance) } else { Outcome::Left(standing) };
            let owner = match owner::launcher(instance, &self.owners, self.frame.now) {
                Launcher::Known(owner) => Some(owner),
                Launcher::Untold | Launcher::Pending => None,
            };
            self.report.untagged.push(report::Untagged::new(instance, owner.as_ref(), outcome));
        }
    }
}

impl TagPolicy {
    /// Stops or terminates what is due, if a second read says the same; notes what became of every
    /// untagged instance.
    pub(crate) async fn end(&self, work: &mut Work<'_>) {
        let mut untagged = self.untagged(work);
        let due: Vec<usize> = untagged.to_act_on().collect();
        let policy = &self.settings.untagged;
        work.report.cap = report::Cap {
            due: untagged.due,
            most: policy.cap,
            percent: policy.cap_percent,
            exceeded: untagged.over_cap,
        };
        let mut failed: HashSet<String> = HashSet::new();
        if !due.is_empty() {
            let held = match self.second_look(work, &due).await {
                Ok(held) => held,
                Err(fault) => {
                    tracing::warn!("nothing was stopped or terminated: {fault}");
                    let lines = due.iter().filter_map(|at| work.instances.get(*at));
                    let lines: Vec<_> = lines.map(|one| (one.id.clone(), fault.to_string())).collect();
                    work.report.failures.extend(
                        lines.into_iter().map(|(instance, reason)| report::Failure {
                            instance,
                            key: None,
                            reason,
                        }),
                    );
                    due.iter().map(|at| (*at, Held::NotThisRun)).collect()
                }
            };
            untagged.hold(&held);
            let act_on = untagged.to_act_on().filter_map(|at| work.instances.get(at));
            let act_on: Vec<_> = act_on.map(|one| (one.zone.clone(), one.id.clone())).collect();
            for (_, instance) in &act_on {
                // Before it is done: whatever becomes of the report, the log says who it was.
                tracing::warn!(instance, action = ?policy.action, "an untagged instance is ended");
            }
            for (id, fault) in act::end_instances(&self.clients, policy.action, act_on).await {
                work.report.failures.push(report::Failure {
                    instance: id.clone(),
                    key: None,
                    reason: fault.to_string(),
                });
                failed.insert(id);
            }
        }
        work.untagged_lines(untagged, |instance| {
            if failed.contains(&instance.id) { Outcome::Failed } else { Outcome::of(policy.action) }
        });
    }

    /// Those of the due that a second read does not confirm, and why.
    async fn second_look(&self, work: &Work<'_>, due: &[usize]) -> Result<Vec<(usize, Held)>, Fault> {
        let ids: Vec<String> =
            due.iter().filter_map(|at| Some(work.instances.get(*at)?.id.clone())).collect();
        let (fresh, protected) =
            join(observe::instances(&self.clients, work.vpcs, &ids), observe::protected(&self.clients, &ids))
                .await;
        let due = due.iter().filter_map(|at| Some((*at, work.instances.get(*at)?)));
        let (rules, policy) = (&work.rules.rules, &self.settings.untagged);
        let judge =
            |one: &Instance| decide::standing(one, rules, policy, work.memory, &work.owners, work.frame);
        Ok(decide::unconfirmed(due, &fresh?, &protected?, judge))
    }
}
