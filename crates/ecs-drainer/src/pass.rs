//! One pass for all instances of a batch: observe, decide, act, report.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use futures::future::{join, join3};
use futures::stream::{self, StreamExt};
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
/// Calls at a time, where a call takes one instance.
const SIDE_BY_SIDE: usize = 4;

/// Where ECS has the instances, by instance.
pub(crate) type Presences = HashMap<String, Presence>;

/// What a future says, if it says it before this moment. It is not begun after it.
pub(crate) async fn in_time<T>(until: Instant, future: impl Future<Output = T>) -> Option<T> {
    if Instant::now() < until { timeout_at(until, future).await.ok() } else { None }
}

impl Drainer {
    /// Makes the pass; returns the records that failed, with the reason.
    pub(crate) async fn pass(&self, mut batch: Subjects) -> Vec<(usize, String)> {
        let subjects = batch.take();
        self.pause(&subjects).await;
        let chains: Vec<_> = subjects.iter().filter(|subject| subject.chain().is_some()).cloned().collect();
        let until = Instant::now() + LOOKING;
        let look = timeout_at(until, Box::pin(self.look(subjects, batch, until - LAST)));
        let going_on = if let Ok(going_on) = look.await {
            going_on
        } else {
            tracing::error!(drains = chains.len(), "the look took too long, to be done by the next pass");
            chains.into_iter().map(|subject| (subject, 0)).collect()
        };
        self.go_on(going_on).await
    }

    /// Looks at everything, acts, and returns the chains that must go on, with the tasks left.
    async fn look(
        &self,
        mut subjects: Vec<Subject>,
        batch: Subjects,
        until: Instant,
    ) -> Vec<(Subject, usize)> {
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
        // Whatever is at its end does not wait for what has only begun.
        let (mut young, ready) = self.by_age(subjects, &presences, asked_at);
        let mut settled = presences.clone();
        let young = async {
            if young.is_empty() {
                return Vec::new();
            }
            self.settle(&mut young, &mut settled, asked_at).await;
            self.conclude(young, settled, until).await
        };
        let (ready, young) = join(Box::pin(self.conclude(ready, presences, until)), Box::pin(young)).await;
        going_on.into_iter().chain(ready).chain(young).collect()
    }

    /// Finds out what is left to know, acts, and returns the chains that must go on, with the tasks left.
    async fn conclude(
        &self,
        subjects: Vec<Subject>,
        presences: Presences,
        until: Instant,
    ) -> Vec<(Subject, usize)> {
        let planned = Box::pin(self.plan(subjects, presences, until - COMPLETING)).await;
        self.carry_out(planned, until).await
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

    /// Acts, and returns the chains that go on.
    async fn carry_out(&self, planned: Vec<(Subject, Plan)>, until: Instant) -> Vec<(Subject, usize)> {
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
                if spent >= decide::LATE_PERCENT {
                    tracing::warn!(instance, cluster, pass, spent, until, "waiting: {why}");
                } else {
                    tracing::info!(instance, cluster, pass, spent, until, "waiting: {why}");
                }
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
                if matches!(why, Why::Deadline(_) | Why::NeverRegistered) {
                    tracing::warn!(instance, cluster, pass, result, over, "hook completed: {why}");
                } else {
                    tracing::info!(instance, cluster, pass, result, over, "hook completed: {why}");
                }
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
