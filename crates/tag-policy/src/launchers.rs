//! Who launched what: found out, and written.

use std::collections::{BTreeSet, HashSet};

use aws_helpers::fault::Fault;
use jiff::Timestamp;

use crate::apply::apply;
use crate::decide::{self, Problem, TagPlan, Untagged};
use crate::owner::{self, Key, Launcher, Owners};
use crate::rules::{Action, Rule};
use crate::run::Work;
use crate::{TagPolicy, observe};

impl TagPolicy {
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
    pub(crate) async fn launchers(
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
