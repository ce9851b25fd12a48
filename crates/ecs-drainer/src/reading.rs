//! The reads of a pass that decide whether an instance is empty: the second look, and the tasks.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use aws_helpers::fault::Fault;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::drain::{ContainerInstance, Drain, Presence, Task};
use crate::observe::Order;
use crate::pass::{Presences, in_time};
use crate::subjects::{Cause, Subject};
use crate::{Drainer, decide, observe};

/// A drain whose tasks must be read.
pub(crate) type Needed<'s> = (&'s Drain, &'s ContainerInstance, Order);
/// Tasks, by container instance.
pub(crate) type Listed = HashMap<String, Result<Vec<Task>, Fault>>;

impl Drainer {
    /// Parts those that look empty, and are too young to be believed, from the others: DRAINING is, or the count is by which
    /// the lists of their tasks show all.
    pub(crate) fn by_age(
        &self,
        subjects: Vec<Subject>,
        presences: &Presences,
        asked_at: Timestamp,
    ) -> (Vec<Subject>, Vec<Subject>) {
        subjects.into_iter().partition(|Subject { drain, .. }| {
            let Some(Presence::Registered(instance)) = presences.get(&drain.instance) else { return false };
            decide::unsettled(drain, instance, asked_at, &self.settings).is_some()
                || instance.wanted_tasks == 0 && decide::unlisted(drain, asked_at, &self.settings).is_some()
        })
    }

    /// Waits until they may be believed: until DRAINING is old enough to count tasks, and, where none is wanted, until
    /// the lists show all: for a crowd, reading them once and later is half of the calls.
    pub(crate) async fn settle(&self, young: &mut [Subject], presences: &mut Presences, asked_at: Timestamp) {
        let mut uncounted: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut longest = Duration::ZERO;
        for Subject { drain, .. } in &*young {
            if let Some(Presence::Registered(instance)) = presences.get(&drain.instance)
                && let Some(left) = decide::unsettled(drain, instance, asked_at, &self.settings)
            {
                longest = longest.max(left);
                uncounted.entry(instance.cluster.clone()).or_default().push(instance.arn.clone());
            }
        }
        tokio::time::sleep(longest).await;
        self.describe_again(uncounted, young, presences).await;
        let now = self.now();
        let unlisted =
            young.iter().filter_map(|subject| decide::unlisted(&subject.drain, now, &self.settings)).max();
        tokio::time::sleep(unlisted.unwrap_or_default()).await;
    }

    async fn describe_again(
        &self,
        uncounted: BTreeMap<String, Vec<String>>,
        subjects: &mut [Subject],
        presences: &mut Presences,
    ) {
        let asked_at = self.now();
        for (cluster, arns) in uncounted {
            let (instances, failed) = observe::describe(&self.clients, &cluster, arns).await;
            for instance in instances {
                let same = subjects.iter_mut().filter(|subject| subject.drain.instance == instance.instance);
                for Subject { drain, cause, .. } in same {
                    let (times, by_event) = ([asked_at, self.now()], !matches!(cause, Cause::Chain(_)));
                    decide::count(drain, instance.wanted_tasks, by_event, times, &self.settings);
                }
                presences.insert(instance.instance.clone(), Presence::Registered(instance));
            }
            for (arn, fault) in failed {
                let mut drains = subjects.iter().map(|subject| &subject.drain);
                if let Some(drain) = drains.find(|drain| drain.container_instance.as_ref() == Some(&arn)) {
                    presences.insert(drain.instance.clone(), Presence::Unreadable(fault));
                }
            }
        }
    }

    /// The tasks, by container instance. Of an instance whose chain knows one that had not stopped, only that one is
    /// read as long as it has not: for many instances together, where the lists take two calls for each.
    pub(crate) async fn tasks(
        &self,
        full: Vec<Needed<'_>>,
        until: Instant,
    ) -> (Listed, HashMap<String, Task>) {
        let now = self.now();
        let known = |(drain, _, order): &Needed<'_>| {
            let is_enough = *order != Order::AtOnce && decide::one_task_will_do(drain, now, &self.settings);
            drain.waits_for.clone().filter(|_| is_enough)
        };
        let mut asked: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for needed in &full {
            asked.entry(&needed.1.cluster).or_default().extend(known(needed));
        }
        let asked = in_time(until, observe::waited_for(&self.clients, asked)).await.unwrap_or_default();
        let (mut listed, mut waited_for, mut rest) = (Listed::new(), HashMap::new(), Vec::new());
        for needed in full {
            let arn = needed.1.arn.clone();
            match known(&needed).and_then(|task| asked.get(&task).cloned()) {
                Some(Ok(task)) if !task.stopped => drop(waited_for.insert(arn, task)),
                Some(Err(fault)) => drop(listed.insert(arn, Err(fault))),
                _ => rest.push(needed),
            }
        }
        // What has the least time, and then what waits longest, is read first.
        rest.sort_by_key(|(drain, ..)| (drain.until.unwrap_or(Timestamp::MAX), drain.first_seen));
        let rest = rest.into_iter().map(|(_, instance, order)| (instance, order)).collect();
        listed.extend(observe::tasks(&self.clients, rest, until).await);
        (listed, waited_for)
    }

    /// Reads tasks again where some may have been missed, after the time in which ECS becomes consistent. By then all are
    /// listed: none was wanted any more when their instance was described, before the first time.
    pub(crate) async fn account(
        &self,
        subjects: &[Subject],
        presences: &Presences,
        tasks: &mut Listed,
        asked_at: Timestamp,
        until: Instant,
    ) {
        let doubtful =
            subjects.iter().filter_map(|Subject { drain, .. }| match presences.get(&drain.instance) {
                Some(Presence::Registered(instance)) if instance.wanted_tasks == 0 => {
                    let listed = tasks.get(&instance.arn)?.as_ref().ok()?;
                    decide::unaccounted(drain, listed, asked_at).then_some((instance, Order::Together))
                }
                _ => None,
            });
        let doubtful: Vec<(&ContainerInstance, Order)> = doubtful.collect();
        if !doubtful.is_empty() {
            tokio::time::sleep(self.settings.settle).await;
            tasks.extend(observe::tasks(&self.clients, doubtful, until).await);
        }
    }
}
