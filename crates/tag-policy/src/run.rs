//! One run over a fleet: read, lock, plan, write, look up, write again, end what is due, report.

use std::collections::BTreeSet;

use aws_helpers::fault::Fault;
use futures::future::join;
use jiff::SignedDuration;
use serde_json::Value;

use crate::act::Holder;
use crate::apply::apply;
use crate::decide::{self, Memory, ReportOnly, TagPlan, Untagged};
use crate::error::Error;
use crate::event;
use crate::instance::{Frame, Instance};
use crate::launchers::{self, lookup_key, needy};
use crate::lock::holder;
use crate::owner::{self, Key, Launcher, Owners};
use crate::report::{self, Report};
use crate::rules::{self, Checked};
use crate::settings::UntaggedAction;
use crate::{Invocation, TagPolicy, act, observe, skipped, state};

/// What the end of a run is given: to write what was looked up, to end what is due, and to report.
const RESERVE: SignedDuration = SignedDuration::from_secs(60);

/// What a run works on. The parts of a run share it.
pub(crate) struct Work<'w> {
    pub(crate) frame: &'w Frame,
    pub(crate) vpcs: &'w [String],
    pub(crate) rules: &'w Checked,
    pub(crate) instances: &'w [Instance],
    pub(crate) memory: &'w Memory,
    pub(crate) only: Option<ReportOnly>,
    pub(crate) owners: Owners,
    pub(crate) report: Report,
}

impl TagPolicy {
    /// Checks every instance in scope.
    pub(crate) async fn run(&self, mut run: event::Run, invocation: &Invocation) -> Result<Value, Error> {
        let table = &self.settings.state_table;
        let vpcs = run.vpcs.as_deref().unwrap_or(&self.settings.vpcs);
        let (rules, instances) = join(self.rules(), observe::fleet(&self.clients, vpcs)).await;
        let (rules, instances) = (rules?, instances?);
        let holder = holder(state::scope_id(vpcs), run.id.as_deref(), &run.frame, invocation);
        let is_quiet = self.is_quiet(&rules, &instances, &run.frame);
        let memory = if run.dry_run {
            state::memory(observe::item(&self.clients, table, &holder.item).await?.as_ref(), "")
        } else {
            match self.lock(&holder, is_quiet.then_some(instances.len())).await? {
                Some(memory) => memory,
                None => return Ok(skipped("this event, or a later one, has been answered")),
            }
        };
        // A run by hand has no time of its own: its retry goes on with the first attempt's.
        run.frame.now = memory.retried.unwrap_or(run.frame.now);
        let last = memory.instances;
        let only =
            decide::report_only(run.dry_run, &rules, last, instances.len(), self.settings.fall_percent);
        let mut report = blank("run", &holder, &run.frame, vpcs);
        report.instances = instances.len();
        report.retried = memory.retried.is_some();
        report.rule_faults.clone_from(&rules.faults);
        report.report_only.clone_from(&only);
        let work = Work {
            frame: &run.frame,
            vpcs,
            rules: &rules,
            instances: &instances,
            memory: &memory,
            only,
            owners: Owners::new(),
            report,
        };
        let ended = self.work(work, &holder, run.dry_run, is_quiet).await;
        Ok(self.or_release(ended, &holder).await?)
    }

    /// Whether there is nothing to do and nothing to say, whatever earlier runs have left.
    fn is_quiet(&self, rules: &Checked, instances: &[Instance], frame: &Frame) -> bool {
        let source_tag = self.settings.source_tag.as_deref();
        let plan = || decide::tags(&rules.rules, instances, |_| true, &Owners::new(), frame, source_tag);
        let is_empty =
            |plan: TagPlan| plan.repairs.is_empty() && plan.findings.is_empty() && plan.removals.is_empty();
        let acts = rules.faults.is_empty() && !rules.rules.is_empty();
        acts && !instances.iter().any(Instance::is_untagged) && is_empty(plan())
    }

    /// The rules, checked; what is wrong with them is logged.
    pub(crate) async fn rules(&self) -> Result<Checked, Fault> {
        let checked = rules::check(&observe::rules(&self.clients, &self.settings.rules_table).await?);
        for fault in &checked.faults {
            tracing::error!(rule = fault.rule, "faulty rule: {}", fault.reason);
        }
        Ok(checked)
    }

    async fn work(
        &self,
        mut work: Work<'_>,
        holder: &Holder,
        dry_run: bool,
        is_quiet: bool,
    ) -> Result<Value, Fault> {
        let now = work.frame.now;
        let (_, mut plan, needy) = self.repair(&mut work).await;
        let mut owed: Vec<Key> =
            needy.iter().filter_map(|at| work.instances.get(*at)).map(owner::key).collect();
        owed.sort_unstable();
        owed.dedup();
        if work.only.is_none() && work.report.lookups.broken_off.is_none() && !needy.is_empty() {
            let deadline = holder.until.saturating_sub(RESERVE).unwrap_or(now);
            owed = self.launchers(&mut work, &mut plan, &needy, deadline).await;
        }
        work.report.lookups.owed = owed.len();
        work.report.findings = report::findings(&plan.findings, work.instances);
        work.report.count(std::mem::take(&mut plan.counts));
        work.report.owners = worst_owners(&plan, &work);
        self.end(&mut work).await;
        log(&work.report);
        if dry_run {
            return Ok(work.report.answer());
        }
        if work.report.says_something() {
            self.publish(&work.report).await?;
        }
        self.leave(&work, owed, holder, is_quiet).await;
        Ok(work.report.answer())
    }

    /// Plans with what is known without CloudTrail, and writes the plan, unless the run only reports. Returns
    /// what was planned, and the instances whose launcher has yet to be looked up.
    pub(crate) async fn repair(&self, work: &mut Work<'_>) -> (Untagged, TagPlan, BTreeSet<usize>) {
        let (mut untagged, mut plan) = self.plan(work);
        let mut needy = needy(&untagged, &plan);
        if !needy.is_empty() {
            let (known, fault) = self.known(work, &needy).await;
            work.report.lookups.broken_off = fault.map(|fault| fault.to_string());
            if !known.is_empty() {
                work.owners.extend(known);
                (untagged, plan) = self.plan(work);
                needy = launchers::needy(&untagged, &plan);
            }
        }
        if work.only.is_some() {
            work.report.repairs = report::repairs(&plan.repairs, work.instances);
        } else {
            let applied = apply(&self.clients, &plan, work.instances, self.settings.write_batch).await;
            work.report.repairs = applied.repairs;
            work.report.failures = applied.failures;
        }
        (untagged, plan, needy)
    }

    fn plan(&self, work: &Work<'_>) -> (Untagged, TagPlan) {
        let untagged = self.untagged(work);
        let held = untagged.without_rules();
        let source_tag = self.settings.source_tag.as_deref();
        let rules = &work.rules.rules;
        let included = |at| !held.contains(&at);
        let plan = decide::tags(rules, work.instances, included, &work.owners, work.frame, source_tag);
        (untagged, plan)
    }

    pub(crate) fn untagged(&self, work: &Work<'_>) -> Untagged {
        let (rules, policy) = (&work.rules.rules, &self.settings.untagged);
        let mut untagged =
            decide::untagged(work.instances, rules, policy, work.memory, &work.owners, work.frame);
        if work.only.is_some() {
            untagged.hold_all();
        }
        untagged
    }

    /// Notes the end, and leaves to the next run what it needs. A quiet run has done so with its lock.
    async fn leave(&self, work: &Work<'_>, owed: Vec<Key>, holder: &Holder, is_quiet: bool) {
        let (rules, policy) = (&work.rules.rules, &self.settings.untagged);
        let mut untagged = decide::remember(work.instances, rules, policy, work.memory, work.frame);
        if work.only.is_some() && policy.action != UntaggedAction::Report {
            // With faulty rules it is not certain whom they exempt: what was seen before stays seen.
            let before = work.memory.untagged.iter().map(|(id, seen)| (id.clone(), *seen));
            untagged = before.chain(untagged).collect();
        }
        let memory = Memory { instances: Some(work.instances.len()), untagged, owed, retried: None };
        if is_quiet && memory.untagged == work.memory.untagged && memory.owed == work.memory.owed {
            return;
        }
        // Without it the next run sees these instances for the first time: they are given more time, not less.
        let table = &self.settings.state_table;
        if let Err(fault) = act::finish(&self.clients, table, holder, Some(&memory)).await {
            tracing::warn!("what this run has seen was not saved: {fault}");
        }
    }

    pub(crate) async fn publish(&self, report: &Report) -> Result<(), Fault> {
        let attributes = [
            ("kind", report.run.kind.to_owned()),
            ("outcome", if report.has_problems() { "problems" } else { "repaired" }.to_owned()),
        ];
        let (topic, subject) = (&self.settings.topic, &self.settings.subject);
        act::publish(&self.clients, topic, subject, &report.message(), &attributes).await
    }
}

/// The owners whose instances have the most problems, by their tag or as looked up.
pub(crate) fn worst_owners(plan: &TagPlan, work: &Work<'_>) -> Vec<report::OwnerCount> {
    let key = lookup_key(&work.rules.rules);
    report::worst_owners(plan, work.instances, |instance| {
        let tagged = key.and_then(|key| instance.tag(key)).filter(|value| !value.is_empty());
        tagged.map(str::to_owned).or_else(|| match owner::launcher(instance, &work.owners, work.frame.now) {
            Launcher::Known(owner) => Some(owner.name),
            Launcher::Untold | Launcher::Pending => None,
        })
    })
}

/// A report that says nothing yet.
pub(crate) fn blank(kind: &'static str, holder: &Holder, frame: &Frame, vpcs: &[String]) -> Report {
    let run = report::Run {
        event: holder.event.clone(),
        kind,
        time: format!("{:.0}", frame.now),
        account: frame.account.clone(),
        region: frame.region.clone(),
        vpc_ids: vpcs.to_vec(),
    };
    Report { run, ..Report::default() }
}

/// One line a run, with its counts. A run that only reports although nobody asked for that is a warning: an alarm counts it.
pub(crate) fn log(report: &Report) {
    let reason = match &report.report_only {
        None | Some(ReportOnly::DryRun) => None,
        Some(ReportOnly::FaultyRules) => Some("faultyRules"),
        Some(ReportOnly::NoRules) => Some("noRules"),
        Some(ReportOnly::FleetFell { .. }) => Some("fleetFell"),
    };
    // The level of a line is part of its code, so that there are two lines.
    macro_rules! tell {
        ($level:ident, $message:literal) => {
            tracing::$level!(
                event = report.run.event,
                kind = report.run.kind,
                instances = report.instances,
                repaired = report.repairs.len(),
                failed = report.failures.len(),
                found = report.findings.len(),
                untagged = report.untagged.len(),
                lookups = report.lookups.calls,
                owed = report.lookups.owed,
                report_only = report.report_only.is_some(),
                reason,
                $message
            )
        };
    }
    if reason.is_some() {
        tell!(warn, "run only reported");
    } else {
        tell!(info, "run ended");
    }
}
