//! One run over a fleet: read, lock, plan, write, look up, write again, end what is due, report.

use std::collections::{BTreeSet, HashSet};

use aws_helpers::fault::Fault;
use futures::future::join;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::act::Holder;
use crate::apply::apply;
use crate::decide::{self, Held, Memory, Problem, ReportOnly, Standing, TagPlan, Untagged};
use crate::error::Error;
use crate::event;
use crate::instance::{Frame, Instance};
use crate::owner::{self, Key, Launcher, Owners};
use crate::report::{self, Outcome, Report};
use crate::rules::{self, Action, Checked, Rule};
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
    /// Checks every instance in scope.
    pub(crate) async fn run(&self, mut run: event::Run, invocation: &Invocation) -> Result<Value, Error> {
        let table = &self.settings.state_table;
        let vpcs = run.vpcs.as_deref().unwrap_or(&self.settings.vpcs);
        let (rules, instances) = join(self.rules(), observe::fleet(&self.clients, vpcs)).await;
        let (rules, instances) = (rules?, instances?);
        let holder = holder(state::scope_id(vpcs), run.id.as_deref(), &run.frame, invocation);
        let memory = if run.dry_run {
            state::memory(observe::item(&self.clients, table, &holder.item).await?.as_ref(), "")
        } else {
            let quiet = self.is_quiet(&rules, &instances, &run.frame).then_some(instances.len());
            match self.lock(&holder, quiet).await? {
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
        let ended = self.work(work, &holder, run.dry_run).await;
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

    /// Takes the lock; none if the event has been answered. While another attempt of the same invocation
    /// may still be at work that is not certain: an error, so that Lambda tries again.
    pub(crate) async fn lock(&self, holder: &Holder, quiet: Option<usize>) -> Result<Option<Memory>, Error> {
        let table = &self.settings.state_table;
        let memory = act::lock(&self.clients, table, holder, self.now(), quiet).await?;
        if memory.is_none() {
            let item = observe::item(&self.clients, table, &holder.item).await?;
            if state::is_busy(item.as_ref(), &holder.event, &holder.request, self.now()) {
                return Err(Error::Busy(holder.until));
            }
        }
        Ok(memory)
    }

    /// Gives the lock back after a failure.
    pub(crate) async fn or_release(
        &self,
        ended: Result<Value, Fault>,
        holder: &Holder,
    ) -> Result<Value, Fault> {
        if let Err(fault) = &ended {
            tracing::error!("failed, to be tried again: {fault}");
            // If that fails too, the retries fail until this attempt's time is over.
            if let Err(fault) = act::release(&self.clients, &self.settings.state_table, holder).await {
                tracing::warn!("the lock was not given back: {fault}");
            }
        }
        ended
    }

    /// The rules, checked; what is wrong with them is logged.
    pub(crate) async fn rules(&self) -> Result<Checked, Fault> {
        let checked = rules::check(&observe::rules(&self.clients, &self.settings.rules_table).await?);
        for fault in &checked.faults {
            tracing::error!(rule = fault.rule, "faulty rule: {}", fault.reason);
        }
        Ok(checked)
    }

    async fn work(&self, mut work: Work<'_>, holder: &Holder, dry_run: bool) -> Result<Value, Fault> {
        let now = work.frame.now;
        let (mut untagged, mut plan) = self.plan(&work);
        let mut needy = needy(&untagged, &plan);
        if !needy.is_empty() {
            let (known, fault) = self.known(&work, &needy).await;
            work.report.lookups.broken_off = fault.map(|fault| fault.to_string());
            if !known.is_empty() {
                work.owners = known;
                (untagged, plan) = self.plan(&work);
                needy = self::needy(&untagged, &plan);
            }
        }
        if work.only.is_some() {
            work.report.repairs = report::repairs(&plan.repairs, work.instances);
        } else {
            let applied = apply(&self.clients, &plan, work.instances, self.settings.write_batch).await;
            work.report.repairs = applied.repairs;
            work.report.failures = applied.failures;
        }
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
        self.leave(&work, owed, holder).await;
        Ok(work.report.answer())
    }

    pub(crate) fn plan(&self, work: &Work<'_>) -> (Untagged, TagPlan) {
        let untagged = self.untagged(work);
        let held = untagged.without_rules();
        let source_tag = self.settings.source_tag.as_deref();
        let rules = &work.rules.rules;
        let included = |at| !held.contains(&at);
        let plan = decide::tags(rules, work.instances, included, &work.owners, work.frame, source_tag);
        (untagged, plan)
    }

    fn untagged(&self, work: &Work<'_>) -> Untagged {
        let (rules, policy) = (&work.rules.rules, &self.settings.untagged);
        let mut untagged =
            decide::untagged(work.instances, rules, policy, work.memory, &work.owners, work.frame);
        if work.only.is_some() {
            untagged.hold_all();
        }
        untagged
    }

    /// Who launched what, without CloudTrail: from the state table and from the groups' tags.
    pub(crate) async fn known(&self, work: &Work<'_>, needy: &BTreeSet<usize>) -> (Owners, Option<Fault>) {
        let keys: BTreeSet<Key> =
            needy.iter().filter_map(|at| work.instances.get(*at)).map(owner::key).collect();
        let mut keys: Vec<Key> = keys.into_iter().collect();
        let table = &self.settings.state_table;
        let mut owners = match observe::owners(&self.clients, table, &keys, work.frame.now).await {
            Ok(owners) => owners,
            Err(fault) => return (Owners::new(), Some(fault)),
        };
        keys.retain(|key| !owners.contains_key(key));
        let groups = keys.iter().filter_map(|key| match key {
            Key::Group(name) => Some(name.clone()),
            Key::Reservation(_) => None,
        });
        let groups: Vec<String> = groups.collect();
        if let Some(key) = lookup_key(&work.rules.rules)
            && !groups.is_empty()
        {
            match observe::creators(&self.clients, &groups, key).await {
                Ok(creators) => owners.extend(creators),
                Err(fault) => return (owners, Some(fault)),
            }
        }
        (owners, None)
    }

    /// Looks up who launched these instances, and writes it to them as they are then. Returns what is owed.
    async fn launchers(
        &self,
        work: &mut Work<'_>,
        plan: &mut TagPlan,
        needy: &BTreeSet<usize>,
        deadline: Timestamp,
    ) -> Vec<Key> {
        let instances = needy.iter().filter_map(|at| work.instances.get(*at));
        let wanted = owner::wanted(instances, &work.memory.owed);
        let asked = self.look_up(wanted, || self.now() < deadline).await;
        work.report.lookups.calls = asked.calls;
        work.report.lookups.answered = asked.answers.len();
        work.report.lookups.broken_off = asked.fault.map(|fault| fault.to_string());
        work.owners.extend(asked.answers);
        // The look-ups took their time: what has been tagged since keeps its value.
        let pending = plan.findings.iter().filter(|one| one.problem == Problem::OwnerPending);
        let answered = pending.map(|one| one.instance).filter(|at| {
            let instance = work.instances.get(*at);
            instance
                .is_some_and(|one| owner::launcher(one, &work.owners, work.frame.now) != Launcher::Pending)
        });
        let answered: HashSet<usize> = answered.collect();
        if !answered.is_empty()
            && let Err(fault) = self.write_launchers(work, plan, &answered).await
        {
            // They are remembered, and written by the next run.
            tracing::warn!("who launched what was not written: {fault}");
            work.report.lookups.broken_off = Some(fault.to_string());
        }
        asked.owed
    }

    async fn write_launchers(
        &self,
        work: &mut Work<'_>,
        plan: &mut TagPlan,
        answered: &HashSet<usize>,
    ) -> Result<(), Fault> {
        let ids = answered.iter().filter_map(|at| Some(work.instances.get(*at)?.id.clone()));
        let fresh = observe::instances(&self.clients, work.vpcs, &ids.collect::<Vec<_>>()).await?;
        let lookups = work.rules.rules.iter().filter(|rule| matches!(rule.action, Action::UserLookup(_)));
        let lookups: Vec<Rule> = lookups.cloned().collect();
        let source_tag = self.settings.source_tag.as_deref();
        let again = decide::tags(&lookups, &fresh, |_| true, &work.owners, work.frame, source_tag);
        let applied = apply(&self.clients, &again, &fresh, self.settings.write_batch).await;
        work.report.repairs.extend(applied.repairs);
        work.report.failures.extend(applied.failures);
        plan.findings.retain(|one| one.problem != Problem::OwnerPending || !answered.contains(&one.instance));
        let places = |one: &decide::Finding| {
            let id = &fresh.get(one.instance)?.id;
            let at = work.instances.binary_search_by(|other| other.id.cmp(id)).ok()?;
            Some(decide::Finding { instance: at, ..one.clone() })
        };
        plan.findings.extend(again.findings.iter().filter_map(places));
        for count in &mut plan.counts {
            let second = again.counts.iter().find(|second| second.rule == count.rule);
            count.good += second.map_or(0, |second| second.good);
        }
        Ok(())
    }

    /// Stops or terminates what is due, if a second read says the same; notes what became of every
    /// untagged instance.
    async fn end(&self, work: &mut Work<'_>) {
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

    /// Notes the end, and leaves to the next run what it needs. A quiet run has done so with its lock.
    async fn leave(&self, work: &Work<'_>, owed: Vec<Key>, holder: &Holder) {
        let (rules, policy) = (&work.rules.rules, &self.settings.untagged);
        let mut untagged = decide::remember(work.instances, rules, policy, work.memory, work.frame);
        if work.only.is_some() && policy.action != UntaggedAction::Report {
            // With faulty rules it is not certain whom they exempt: what was seen before stays seen.
            let before = work.memory.untagged.iter().map(|(id, seen)| (id.clone(), *seen));
            untagged = before.chain(untagged).collect();
        }
        let memory = Memory { instances: Some(work.instances.len()), untagged, owed, retried: None };
        let is_quiet = self.is_quiet(work.rules, work.instances, work.frame);
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

/// Who holds the lock of an item in this invocation for an event. A hand-made event has no id of its own.
pub(crate) fn holder(item: String, id: Option<&str>, frame: &Frame, invocation: &Invocation) -> Holder {
    Holder {
        item,
        event: id.unwrap_or(&invocation.request).to_owned(),
        time: frame.now,
        request: invocation.request.clone(),
        until: invocation.deadline,
        kept: state::SCOPE,
    }
}

/// The tag that names the launcher: the first rule's that looks it up.
pub(crate) fn lookup_key(rules: &[Rule]) -> Option<&str> {
    let rule = rules.iter().find(|rule| matches!(rule.action, Action::UserLookup(_)));
    rule.map(|rule| rule.key.as_str())
}

/// The instances whose launcher is asked for and not known.
pub(crate) fn needy(untagged: &Untagged, plan: &TagPlan) -> BTreeSet<usize> {
    let pending = plan.findings.iter().filter(|one| one.problem == Problem::OwnerPending);
    pending.map(|one| one.instance).chain(untagged.pending.iter().copied()).collect()
}

/// One line a run, with its counts.
pub(crate) fn log(report: &Report) {
    tracing::info!(
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
        "run ended"
    );
}
