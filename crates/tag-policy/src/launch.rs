//! What has just been launched, tagged at once: the launcher is in the event, so nothing is looked up.

use std::time::Duration;

use aws_helpers::fault::Fault;
use aws_helpers::pace::Pace;
use serde_json::Value;

use crate::act::Holder;
use crate::decide::{self, Memory, Standing};
use crate::error::Error;
use crate::event::Launch;
use crate::lock::holder;
use crate::lookups::PACE;
use crate::owner::{self, Key, Owners};
use crate::report::{self, Outcome};
use crate::run::{Work, blank, log, worst_owners};
use crate::settings::LaunchReports;
use crate::{Invocation, TagPolicy, act, observe, skipped, state};

/// Pauses between looks for instances that cannot be seen yet: EC2 is eventually consistent. What stays
/// unseen is left to the next run.
const LOOKS: [Duration; 4] =
    [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];

impl TagPolicy {
    /// Tags instances that have just been launched.
    pub(crate) async fn launch(&self, launch: Launch, invocation: &Invocation) -> Result<Value, Error> {
        let item = state::launch_id(&launch.id);
        let holder =
            Holder { kept: state::LAUNCH_LOCK, ..holder(item, Some(&launch.id), &launch.frame, invocation) };
        let Some(memory) = self.lock(&holder, None).await? else {
            return Ok(skipped("this launch has been answered"));
        };
        let ended = self.tag(launch, &memory, &holder).await;
        Ok(self.or_release(ended, &holder).await?)
    }

    async fn tag(&self, launch: Launch, memory: &Memory, holder: &Holder) -> Result<Value, Fault> {
        let vpcs = &self.settings.vpcs;
        let rules = self.rules().await?;
        let ids = match &launch.trail_id {
            Some(id) if launch.instances.is_empty() => {
                observe::launched(&self.clients, &mut Pace::new(PACE), id).await?
            }
            _ => launch.instances,
        };
        let mut instances = Vec::new();
        for pause in LOOKS {
            if instances.len() < ids.len() {
                tokio::time::sleep(pause).await;
                instances = observe::instances(&self.clients, &[], &ids).await?;
            }
        }
        let not_visible = ids.len().saturating_sub(instances.len());
        let in_scope = |vpc: &Option<String>| vpc.as_ref().is_some_and(|vpc| vpcs.contains(vpc));
        instances.retain(|instance| vpcs.is_empty() || in_scope(&instance.vpc));
        // Whoever launches into a group is the group, and asked for its creator.
        let keys = instances.iter().map(owner::key).filter(|key| matches!(key, Key::Reservation(_)));
        let owners: Owners = keys.map(|key| (key, launch.owner.clone())).collect();
        let mut report = blank("launch", holder, &launch.frame, vpcs);
        report.instances = instances.len();
        report.not_visible = not_visible;
        report.retried = memory.retried.is_some();
        report.rule_faults.clone_from(&rules.faults);
        report.report_only = decide::report_only(false, &rules, None, instances.len(), 0);
        let mut work = Work {
            frame: &launch.frame,
            vpcs,
            rules: &rules,
            instances: &instances,
            memory,
            only: report.report_only.clone(),
            owners,
            report,
        };
        let (untagged, plan, _) = self.repair(&mut work).await;
        work.report.findings = report::findings(&plan.findings, &instances);
        work.report.count(plan.counts.clone());
        work.report.owners = worst_owners(&plan, &work);
        self.remember_launchers(&work, &untagged.without_rules().into_iter().collect::<Vec<_>>()).await;
        work.untagged_lines(untagged, |_| Outcome::Left(Standing::Due));
        log(&work.report);
        let wanted = match self.settings.launch_reports {
            LaunchReports::All => work.report.says_something(),
            LaunchReports::Problems => work.report.has_problems(),
        };
        if wanted {
            self.publish(&work.report).await?;
        }
        if let Err(fault) = act::finish(&self.clients, &self.settings.state_table, holder, None).await {
            tracing::warn!("the launch's end was not noted: {fault}");
        }
        Ok(work.report.answer())
    }

    /// Remembers who launched the instances that are left without a tag: later runs need not look it up.
    async fn remember_launchers(&self, work: &Work<'_>, left: &[usize]) {
        let keys = left.iter().filter_map(|at| work.instances.get(*at)).map(owner::key);
        let mut answers: Vec<_> =
            keys.filter_map(|key| Some((key.clone(), Some(work.owners.get(&key)?.clone()?)))).collect();
        answers.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        answers.dedup_by(|(one, _), (other, _)| one == other);
        self.remember(&answers).await;
    }
}
