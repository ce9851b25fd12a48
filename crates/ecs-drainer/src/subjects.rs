//! The commands of a batch, each drain once.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::drain::{Drain, Mark, TaskStopped};
use crate::watch::{Stopped, Watch};

/// One drain of a pass.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    /// The drain, filled in as the pass finds out more.
    pub(crate) drain: Drain,
    /// Why it is looked at.
    pub(crate) cause: Cause,
    /// The mark that another drain has left on its container instance.
    pub(crate) other: Option<Mark>,
    /// Whether its hook was looked up in this pass, so that nobody knows how long that has waited already.
    pub(crate) looked_up: bool,
}

/// Why a drain is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// These records carry its chain: it must go on, or they fail.
    Chain(Vec<usize>),
    /// A task of it stopped. Its chain is under way elsewhere and will look again by itself.
    Event,
    /// A task stopped on a container instance that has this mark: the hook's name is not known here.
    Found(Mark),
}

impl Subject {
    /// A drain of which nothing else is known yet.
    pub(crate) fn new(drain: Drain, cause: Cause) -> Self {
        Self { drain, cause, other: None, looked_up: false }
    }

    /// The records that carry its chain.
    pub(crate) fn chain(&self) -> Option<&[usize]> {
        match &self.cause {
            Cause::Chain(records) => Some(records),
            Cause::Event | Cause::Found(_) => None,
        }
    }
}

/// ARNs of container instances, by cluster.
pub(crate) type Looks = BTreeMap<String, BTreeSet<String>>;

/// What a batch asks for.
#[derive(Debug, Default)]
pub(crate) struct Subjects {
    /// By instance and token: copies of one drain's messages in one batch are one pass.
    drains: BTreeMap<(String, Option<String>), Subject>,
    /// Container instances that a task stopped on and that the cache does not know, by cluster.
    pub(crate) looks: Looks,
    /// Instances that EC2 has terminated.
    pub(crate) terminated: BTreeSet<String>,
}

impl Subjects {
    /// Takes in a drain that a record carries.
    pub(crate) fn begin(&mut self, drain: Drain, record: usize, watch: &Watch) {
        if watch.answered(&drain) {
            tracing::info!(
                instance = drain.instance,
                pass = drain.pass,
                "skipped: a copy, or its drain has ended"
            );
            return;
        }
        let key = (drain.instance.clone(), drain.token().map(str::to_owned));
        let fresh = Subject::new(drain, Cause::Chain(vec![record]));
        let Some(subject) = self.drains.get_mut(&key) else {
            self.drains.insert(key, fresh);
            return;
        };
        // The furthest of the copies carries on; the records of all of them hang on it.
        let mut records = vec![record];
        records.extend_from_slice(subject.chain().unwrap_or_default());
        if fresh.drain.pass > subject.drain.pass || subject.chain().is_none() {
            subject.drain = fresh.drain;
        }
        subject.cause = Cause::Chain(records);
    }

    /// Takes in a stopped task.
    pub(crate) fn stopped(&mut self, event: &TaskStopped, watch: &mut Watch) {
        match watch.stopped(event) {
            Stopped::NotLast => {}
            Stopped::Last(drain) => {
                let key = (drain.instance.clone(), drain.token().map(str::to_owned));
                self.drains.entry(key).or_insert(Subject::new(*drain, Cause::Event));
            }
            Stopped::Unknown => {
                let looks = self.looks.entry(event.cluster.clone()).or_default();
                looks.insert(event.container_instance.clone());
            }
        }
    }

    /// Takes in an instance that EC2 has terminated.
    pub(crate) fn terminated(&mut self, instance: String) {
        self.terminated.insert(instance);
    }

    /// The drains, and none left behind.
    pub(crate) fn take(&mut self) -> Vec<Subject> {
        std::mem::take(&mut self.drains).into_values().collect()
    }
}

/// Makes one drain of a request's and a hook's for the same instance: the hook's, with the request's time limit and
/// its records.
pub(crate) fn join(subjects: &mut Vec<Subject>, now: Timestamp) {
    let (requests, mut joined): (Vec<_>, Vec<_>) =
        std::mem::take(subjects).into_iter().partition(|subject| subject.drain.hook.is_none());
    for request in requests {
        let hooked = joined.iter_mut().find(|subject| {
            subject.drain.instance == request.drain.instance && matches!(subject.cause, Cause::Chain(_))
        });
        match (hooked, request.cause) {
            (Some(Subject { drain, cause: Cause::Chain(records), .. }), Cause::Chain(more)) => {
                drain.share_until(request.drain.until, now);
                records.extend(more);
            }
            (_, cause) => joined.push(Subject { cause, ..request }),
        }
    }
    *subjects = joined;
}
