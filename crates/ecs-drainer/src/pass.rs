//! One pass for all instances of a batch: observe, decide, act, report.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use futures::future::{join3, join4};
use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};

use crate::decide::{self, Plan, Sight, Then, Why};
use crate::drain::{ContainerInstance, Drain, Presence, Status};
use crate::observe::Order;
use crate::subjects::{self, Cause, Subject, Subjects};
use crate::{Drainer, act, observe};

// A pass must have published before the function's timeout (90 s): 15 of pause, 35 of looking and
// completing, 15 of heartbeats, 20 of publishing (one call with all its attempts). What is not done by
// then is done by the next pass; a pass that timed out would be lost as a whole, and so would the next.
/// The longest that a function holds still for a continuation that came too early, as it does where no
/// queue delays it.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// Time for everything up to the completed hooks.
const LOOKING: Duration = Duration::from_secs(35);
/// The end of that time, which is left to completing.
const COMPLETING: Duration = Duration::from_secs(10);
/// The very end of it, in which nothing is begun: what has been found out and done is not thrown away.
const LAST: Duration = Duration::from_secs(1);

/// Where ECS has the instances, by instance.
pub(crate) type Presences = HashMap<String, Presence>;

/// What a future says, if it says it before this moment. It is not begun after it.
pub(crate) async fn in_time<T>(until: Instant, future: impl Future<Output = T>) -> Option<T> {
    if Instant::now() < until { timeout_at(until, future).await.ok() } else { None }
}

/// What a first look at a batch has told.
struct Look {
    /// What is left of it to be decided.
    subjects: Vec<Subject>,
    presences: Presences,
    /// When the instances were described.
    asked_at: Timestamp,
    /// Chains that go on already, with the tasks left.
    going_on: Vec<(Subject, usize)>,
}

impl Drainer {
    /// Makes the pass; returns the records that failed, with the reason.
    pub(crate) async fn pass(&self, mut batch: Subjects) -> Vec<(usize, String)> {
        let subjects = batch.take();
        self.pause(&subjects).await;
        let until = Instant::now() + LOOKING;
        let all = chains(&subjects);
        let Ok(look) = timeout_at(until, Box::pin(self.look(subjects, batch, until - LAST))).await else {
            return self.go_on(late(all)).await;
        };
        let Look { subjects, presences, asked_at, going_on } = look;
        // What has little time, or is at its end, does not wait for what has only begun: each goes on by itself.
        let (young, old) = self.by_age(subjects, &presences, asked_at);
        let (urgent, ready): (Vec<_>, Vec<_>) =
            old.into_iter().partition(|subject| subject.drain.until.is_some());
        let failed = join4(
            Box::pin(self.go_on(going_on)),
            Box::pin(self.conclude(urgent, presences.clone(), None, until)),
            Box::pin(self.conclude(ready, presences.clone(), None, until)),
            Box::pin(self.conclude(young, presences, Some(asked_at), until)),
        );
        let (known, urgent, ready, young) = failed.await;
        [known, urgent, ready, young].concat()
    }

    /// Looks at all instances, and sets to DRAINING those that are not.
    async fn look(&self, mut subjects: Vec<Subject>, batch: Subjects, until: Instant) -> Look {
        let going_on = Box::pin(self.let_go(batch.terminated, &mut subjects, until)).await;
        let drains: Vec<&Drain> = subjects.iter().map(|subject| &subject.drain).collect();
        let asked_at = self.now();
        let mut presences = observe::presences(&self.clients, &drains, &self.settings.clusters).await;
        for (cluster, arns) in batch.looks {
            let (instances, _) = observe::describe(&self.clients, &cluster, arns.into_iter().collect()).await;
            subjects.extend(instances.into_iter().filter_map(|instance| found(instance, &mut presences)));
        }
        subjects.retain_mut(|subject| self.adopt(subject, &presences, asked_at));
        subjects::join(&mut subjects, self.now());
        self.end_returned(&mut subjects, &mut presences).await;
        self.set_draining(&mut subjects, &mut presences).await;
        Look { subjects, presences, asked_at, going_on }
    }

    /// Finds out what is left to know, acts, and makes go on what must; returns the records that failed. Those that are
    /// too young to be believed are looked at once more before: `young` is when they were described.
    async fn conclude(
        &self,
        mut subjects: Vec<Subject>,
        mut presences: Presences,
        young: Option<Timestamp>,
        until: Instant,
    ) -> Vec<(usize, String)> {
        if subjects.is_empty() {
            return Vec::new();
        }
        let all = chains(&subjects);
        let concluding = async {
            if let Some(asked_at) = young {
                self.settle(&mut subjects, &mut presences, asked_at).await;
            }
            let planned = Box::pin(self.plan(subjects, presences, until - LAST - COMPLETING)).await;
            self.carry_out(planned, until - LAST).await
        };
        let going_on = timeout_at(until, Box::pin(concluding)).await.unwrap_or_else(|_| late(all));
        self.go_on(going_on).await
    }

    /// Holds still if everything in the batch came too early: without a delay queue a continuation
    /// comes back at once, and the loop must not run hot.
    async fn pause(&self, subjects: &[Subject]) {
        let now = self.now();
        let early =
            subjects.iter().map(|subject| subject.drain.not_before.filter(|_| subject.chain().is_some()));
        if let Some(Some(until)) = early.min() {
            let pause = Duration::try_from(until.duration_since(now)).unwrap_or_default();
            tokio::time::sleep(pause.min(LONGEST_PAUSE)).await;
        }
    }

    /// Fills in what the describe told; false if the subject is a copy that another pass has answered.
    fn adopt(&self, subject: &mut Subject, presences: &Presences, asked_at: Timestamp) -> bool {
        let drain = &mut subject.drain;
        let Some(Presence::Registered(instance)) = presences.get(&drain.instance) else {
            return true;
        };
        if matches!(subject.cause, Cause::Chain(_)) && decide::superseded(drain, instance) {
            tracing::info!(
                instance = drain.instance,
                pass = drain.pass,
                "skipped: a copy, its drain goes on"
            );
            return false;
        }
        if instance.status == Status::Draining
            && let Some(mark) = &instance.mark
        {
            drain.share_until(mark.until.filter(|_| drain.hook.is_some()), self.now());
            subject.other = (!drain.left(mark)).then(|| mark.clone());
        }
        drain.cluster = Some(instance.cluster.clone());
        drain.container_instance = Some(instance.arn.clone());
        if instance.status == Status::Draining {
            let mark = instance.mark.as_ref().filter(|mark| drain.left(mark) || mark.is_urgent(self.now()));
            if drain.draining_since.is_none() {
                drain.draining_since = Some(mark.map_or(self.now(), |mark| mark.draining_since));
            }
            // A pass elsewhere may have counted meanwhile.
            drain.count = drain.count.or(mark.and_then(|mark| mark.count));
            let by_event = !matches!(subject.cause, Cause::Chain(_));
            decide::count(drain, instance.wanted_tasks, by_event, [asked_at, self.now()], &self.settings);
        }
        true
    }

    async fn set_draining(&self, subjects: &mut [Subject], presences: &mut Presences) {
        let mut active: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for subject in subjects.iter().filter(|subject| subject.chain().is_some()) {
            if let Some(Presence::Registered(instance)) = presences.get(&subject.drain.instance)
                && instance.status == Status::Active
            {
                active.entry(instance.cluster.clone()).or_default().push(instance.arn.clone());
            }
        }
        for (cluster, arns) in active {
            let (done, refused) = act::set_draining(&self.clients, &cluster, arns).await;
            for reason in refused {
                tracing::warn!(cluster, "not set to DRAINING, to be tried again: {reason}");
            }
            for instance in done {
                let drains = subjects.iter_mut().map(|subject| &mut subject.drain);
                for drain in drains.filter(|drain| drain.instance == instance.instance) {
                    drain.draining_since = Some(self.now());
                    drain.count = None;
                    tracing::info!(
                        instance = drain.instance,
                        cluster,
                        tasks = instance.wanted_tasks,
                        "set to DRAINING"
                    );
                }
                presences.insert(instance.instance.clone(), Presence::Registered(instance));
            }
        }
    }

    /// Reads the rest of what matters, side by side, and decides.
    async fn plan(
        &self,
        subjects: Vec<Subject>,
        presences: Presences,
        until: Instant,
    ) -> Vec<(Subject, Plan)> {
        let now = self.now();
        let (mut full, mut asked, mut nameless) = (Vec::new(), Vec::new(), Vec::new());
        for Subject { drain, cause, other, .. } in &subjects {
            if decide::looks_for_hook(drain, other.as_ref()) && matches!(cause, Cause::Chain(_)) {
                let token = other.as_ref().and_then(|mark| mark.token.clone());
                nameless.push((drain.instance.clone(), token));
            }
            let Some(presence) = presences.get(&drain.instance) else { continue };
            if decide::needs_membership(drain, presence, now) {
                asked.push(drain.instance.clone());
            }
            if let Presence::Registered(instance) = presence
                && decide::needs_tasks(drain, instance, now, &self.settings)
            {
                let order = match cause {
                    Cause::Chain(_) if drain.waits_for.is_none() => Order::Together,
                    Cause::Chain(_) => Order::StoppedFirst,
                    Cause::Event | Cause::Found(_) => Order::AtOnce,
                };
                full.push((drain, instance, order));
                if let Cause::Found(mark) = cause {
                    nameless.push((drain.instance.clone(), mark.token.clone()));
                }
            }
        }
        let ((mut tasks, waited_for), memberships, hooks) = join3(
            Box::pin(self.tasks(full, until)),
            observe::memberships(&self.clients, asked),
            Box::pin(self.hooks_of(nameless)),
        )
        .await;
        self.account(&subjects, &presences, &mut tasks, now, until).await;
        let now = self.now();
        let decided = subjects.into_iter().map(|mut subject| {
            if let Some(hook) = hooks.get(&subject.drain.instance)
                && !subject.meet(hook)
            {
                return (subject, Plan { stop: Vec::new(), then: Then::End(Why::Joined) });
            }
            let drain = &mut subject.drain;
            let arn = drain.container_instance.clone().unwrap_or_default();
            if let Some(Ok(tasks)) = tasks.get(&arn) {
                drain.waits_for = decide::waits_for(tasks);
            }
            let sight = Sight {
                presence: presences.get(&drain.instance).cloned().unwrap_or(Presence::Absent),
                tasks: tasks.get(&arn).cloned(),
                waited_for: waited_for.get(&arn).cloned(),
                membership: memberships.get(&drain.instance).cloned(),
            };
            let plan = decide::next(drain, &sight, now, &self.settings);
            (subject, plan)
        });
        decided.collect()
    }
}

/// Those of them that must go on.
fn chains(subjects: &[Subject]) -> Vec<Subject> {
    subjects.iter().filter(|subject| subject.chain().is_some()).cloned().collect()
}

/// Chains whose look took too long, as far as it is known what is left of them.
fn late(chains: Vec<Subject>) -> Vec<(Subject, usize)> {
    if !chains.is_empty() {
        tracing::error!(drains = chains.len(), "the look took too long, to be done by the next pass");
    }
    chains.into_iter().map(|chain| (chain, 0)).collect()
}

/// A subject for a container instance on which a task stopped, if it bears the mark of a hook's drain.
fn found(instance: ContainerInstance, presences: &mut Presences) -> Option<Subject> {
    let mark = instance.mark.clone().filter(|mark| mark.token.is_some())?;
    if instance.status != Status::Draining || presences.contains_key(&instance.instance) {
        return None;
    }
    let drain = Drain {
        pass: mark.pass,
        cluster: Some(instance.cluster.clone()),
        container_instance: Some(instance.arn.clone()),
        until: mark.until,
        draining_since: Some(mark.draining_since),
        count: mark.count,
        ..Drain::begin(instance.instance.clone(), mark.draining_since)
    };
    presences.insert(instance.instance.clone(), Presence::Registered(instance));
    Some(Subject::new(drain, Cause::Found(mark)))
}
