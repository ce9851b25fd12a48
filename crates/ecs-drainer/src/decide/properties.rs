//! What must hold of the decisions whatever was seen, whenever, under whatever settings. What is promised is
//! written down here once more, in other words than the code's.
//!
//! - *Total*: there is an answer to every snapshot.
//! - *Idempotent*: once what a plan says is done, looking again at the same moment finds nothing more to write: no
//!   task to stop, no heartbeat to record (where the hook is long enough), and the same end.
//! - *Monotone*: a task more, or one that has not stopped after all, never turns a wait into a completion; the
//!   more time has passed, the less is waited.
//! - *Safe*: an instance is let go as empty only if every task of it has stopped.

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};

use super::*;

mod snapshots;

use snapshots::{Snapshot, count, drain, instance, mark, moment, settings, snapshot, task, tasks};

impl Snapshot {
    fn next(&self) -> Then {
        next(&self.drain, &self.sight, self.now, &self.settings).then
    }

    fn registered(&mut self) -> Option<&mut ContainerInstance> {
        match &mut self.sight.presence {
            Presence::Registered(instance) => Some(instance),
            Presence::Absent | Presence::Unreadable(_) => None,
        }
    }

    fn listed(&mut self) -> Option<&mut Vec<Task>> {
        self.sight.tasks.as_mut()?.as_mut().ok()
    }

    /// The pass is as far as its hook goes: Auto Scaling no longer waits, once it is completed.
    fn carried_out(mut self, plan: &Plan) -> Self {
        for task in self.listed().into_iter().flatten().filter(|task| plan.stop.contains(&task.arn)) {
            task.wanted = false;
        }
        match plan.then {
            Then::Wait(..) => {
                self.drain.pass = self.drain.pass.saturating_add(1);
                self.drain.not_before = Some(later(self.now, interval(&self.drain, &self.settings)));
                if needs_heartbeat(&self.drain, None, self.now, &self.settings)
                    && let Some(hook) = &mut self.drain.hook
                {
                    hook.terms = hook.terms.as_ref().map(|terms| held(terms, self.now));
                }
            }
            Then::Complete(..) if self.drain.hook.is_some() => {
                self.sight.membership = Some(Ok(Membership::Gone));
            }
            Then::Complete(..) | Then::End(_) => {}
        }
        self
    }
}

/// How far a plan is: it goes on, it completes, there is nothing left to complete.
fn stage(then: &Then) -> u8 {
    match then {
        Then::Wait(..) => 0,
        Then::Complete(..) => 1,
        Then::End(_) => 2,
    }
}

fn is_empty(then: &Then) -> bool {
    *then == Then::Complete(Outcome::Continue, Why::Empty)
}

/// A moment in nanoseconds: whatever is added, nothing is rounded or out of range.
fn at(moment: Timestamp) -> i128 {
    moment.as_nanosecond()
}

/// Whole seconds in nanoseconds: settings have no others.
fn nanos(duration: Duration) -> i128 {
    i128::from(duration.as_secs()) * 1_000_000_000
}

proptest! {
    #![proptest_config(Config { cases: 3_000, failure_persistence: None, ..Config::default() })]

    #[test]
    fn there_is_an_answer_to_every_snapshot(one in snapshot(), other in proptest::option::of(mark())) {
        let Snapshot { drain, sight, now, settings } = &one;
        let plan = next(drain, sight, *now, settings);
        prop_assert_eq!(&plan, &next(drain, sight, *now, settings));
        let (Then::Wait(_, why) | Then::Complete(_, why) | Then::End(why)) = &plan.then;
        prop_assert!(!why.to_string().is_empty());
        let _ = (needs_heartbeat(drain, None, *now, settings), too_short(drain, settings), interval(drain, settings));
        let _ = (looks_for_hook(drain, other.as_ref()), takes_hook(drain, other.as_ref()));
        let _ = needs_membership(drain, &sight.presence, *now);
        if let Presence::Registered(instance) = &sight.presence {
            let _ = (superseded(drain, instance), needs_tasks(drain, instance, *now, settings));
            prop_assert!(unsettled(drain, instance, *now, settings).is_none_or(|left| left <= settings.settle));
        }
        if let Some(Ok(tasks)) = &sight.tasks {
            let _ = (unaccounted(drain, tasks, *now), unlisted(drain, *now, settings));
        }
    }

    #[test]
    fn an_instance_is_let_go_as_empty_only_if_every_task_has_stopped(one in snapshot()) {
        let then = one.next();
        let Snapshot { drain, sight, now, settings } = one;
        if is_empty(&then) {
            let Presence::Registered(instance) = &sight.presence else { panic!("it is nowhere") };
            prop_assert_eq!(instance.status, Status::Draining);
            prop_assert_eq!(instance.wanted_tasks, 0);
            let Some(Ok(tasks)) = &sight.tasks else { panic!("nobody looked") };
            prop_assert!(tasks.iter().all(|task| task.stopped));
            let age = drain.draining_since.map(|since| at(now) - at(since));
            prop_assert!(settings.settle.is_zero() || age.is_some_and(|age| age >= nanos(settings.settle)));
        }
        if let Then::Complete(outcome, why) = then {
            let allowed = match why {
                Why::Empty => Outcome::Continue,
                Why::NeverRegistered => {
                    let unread = matches!(sight.membership, Some(Err(_)));
                    prop_assert!(sight.presence == Presence::Absent && !unread, "it may be somewhere");
                    settings.unregistered
                }
                Why::Deadline(_) => settings.at_deadline,
                why => panic!("completed because {why}"),
            };
            prop_assert_eq!(outcome, allowed);
        }
    }

    #[test]
    fn a_drain_is_given_up_at_its_deadline_and_not_before(one in snapshot()) {
        let Snapshot { drain, now, settings, .. } = &one;
        let pass = if drain.until.is_some() { settings.urgent_interval } else { settings.interval };
        let limit = drain.hook.as_ref().and_then(|hook| hook.terms.as_ref()).map(|terms| terms.limit);
        let ends = [limit, drain.until].into_iter().flatten().map(at).min();
        let last = ends.map(|end| end - nanos(pass) - nanos(GRACE));
        let late = at(*now) - at(drain.first_seen) >= nanos(settings.deadline);
        let due = late || last.is_some_and(|last| at(*now) > last);
        match one.next() {
            Then::Wait(..) => prop_assert!(!due, "waits on"),
            Then::Complete(_, Why::Deadline(_)) => prop_assert!(due, "given up too early"),
            Then::End(Why::PastLimit) => prop_assert!(limit.is_some_and(|limit| limit <= *now)),
            Then::Complete(..) | Then::End(_) => {}
        }
    }

    #[test]
    fn a_plan_that_is_carried_out_leaves_nothing_to_write(one in snapshot()) {
        let plan = next(&one.drain, &one.sight, one.now, &one.settings);
        let hooked = one.drain.hook.is_some();
        let again = one.carried_out(&plan);
        let second = next(&again.drain, &again.sight, again.now, &again.settings);
        prop_assert_eq!(second.stop, Vec::<String>::new());
        match plan.then {
            Then::Complete(..) if hooked => prop_assert_eq!(second.then, Then::End(Why::Gone)),
            then => prop_assert_eq!(second.then, then),
        }
    }

    #[test]
    fn only_standalone_tasks_that_ecs_wants_are_stopped(one in snapshot()) {
        let Snapshot { drain, sight, now, settings } = &one;
        let plan = next(drain, sight, *now, settings);
        if !plan.stop.is_empty() {
            prop_assert_eq!(stage(&plan.then), 0);
            let Standalone::StopAfter(after) = settings.standalone else { panic!("they are waited for") };
            let since = drain.draining_since.unwrap();
            // Clocks differ: a moment that has yet to come is taken as now.
            prop_assert!((at(*now) - at(since)).max(0) >= nanos(after));
            let Some(Ok(tasks)) = &sight.tasks else { panic!("nobody looked") };
            for arn in &plan.stop {
                let spared = |task: &&Task| task.stopped || !task.wanted || task.group.starts_with("service:");
                prop_assert!(tasks.iter().any(|task| task.arn == *arn && !spared(&task)));
            }
        }
    }

    #[test]
    fn a_task_more_never_ends_a_wait(one in snapshot(), more in task(any::<bool>()), at in any::<Index>()) {
        let mut world = one.clone();
        if let Some(tasks) = world.listed() {
            tasks.insert(at.index(tasks.len() + 1), more.clone());
        }
        let then = world.next();
        prop_assert!(stage(&one.next()) > 0 || stage(&then) == 0, "{then:?}");
        prop_assert!(more.stopped || world.listed().is_none() || !is_empty(&then), "{then:?}");
        prop_assert!(is_empty(&one.next()) || !is_empty(&then), "{then:?}");
    }

    #[test]
    fn a_task_that_has_not_stopped_after_all_never_ends_a_wait(one in snapshot(), at in any::<Index>()) {
        let mut world = one.clone();
        if let Some(tasks) = world.listed().filter(|tasks| !tasks.is_empty()) {
            at.get_mut(tasks).stopped = false;
            prop_assert!(!is_empty(&world.next()));
            prop_assert!(stage(&one.next()) > 0 || stage(&world.next()) == 0);
        }
    }

    #[test]
    fn a_higher_count_never_ends_a_wait(one in snapshot(), more in count()) {
        let mut world = one.clone();
        if let Some(instance) = world.registered() {
            instance.wanted_tasks = instance.wanted_tasks.saturating_add(more);
            prop_assert!(stage(&one.next()) > 0 || stage(&world.next()) == 0);
            prop_assert!(more == 0 || !is_empty(&world.next()));
        }
    }

    #[test]
    fn what_has_ended_does_not_go_on_later(one in snapshot(), other in moment()) {
        let (earlier, now) = (one.now.min(other), one.now.max(other));
        let before = Snapshot { now: earlier, ..one.clone() }.next();
        let after = Snapshot { now, ..one }.next();
        prop_assert!(stage(&before) <= stage(&after), "{before:?}, later {after:?}");
        prop_assert!(!is_empty(&before) || is_empty(&after) || after == Then::End(Why::PastLimit), "{after:?}");
    }

    #[test]
    fn less_time_never_turns_an_end_into_a_wait(one in snapshot(), deadline in settings(), end in moment()) {
        let shorter = one.settings.deadline.min(deadline.deadline);
        let sooner = Snapshot { settings: Settings { deadline: shorter, ..one.settings.clone() }, ..one.clone() };
        prop_assert!(stage(&one.next()) <= stage(&sooner.next()));
        let until = one.drain.until.map(|until| until.min(end));
        let sooner = Snapshot { drain: Drain { until, ..one.drain.clone() }, ..one.clone() };
        prop_assert!(stage(&one.next()) <= stage(&sooner.next()));
    }

    #[test]
    fn tasks_that_need_not_be_read_would_change_nothing(one in snapshot(), tasks in tasks()) {
        let Snapshot { drain, sight, now, settings } = &one;
        if let Presence::Registered(instance) = &sight.presence
            && !needs_tasks(drain, instance, *now, settings)
        {
            for tasks in [None, Some(Ok(tasks))] {
                let sight = Sight { tasks, ..sight.clone() };
                let plan = next(drain, &sight, *now, settings);
                prop_assert!(stage(&plan.then) != 1 && plan.stop.is_empty(), "{plan:?}");
            }
        }
    }

    #[test]
    fn tasks_that_were_seen_to_stop_are_accounted_for(
        drain in drain(),
        tasks in tasks(),
        more in task(Just(true)),
        now in moment(),
    ) {
        let running = tasks.iter().any(|task| !task.stopped);
        let doubted = unaccounted(&drain, &tasks, now);
        prop_assert!(!(running && doubted), "nothing is missed where something is there");
        prop_assert!(running || doubted || drain.count.is_some(), "what was not counted is doubted");
        let tasks = [tasks, vec![more]].concat();
        prop_assert!(doubted || !unaccounted(&drain, &tasks, now), "one more raises no doubt");
    }

    #[test]
    fn of_two_copies_one_goes_on(one in drain(), instance in instance(), passes in [0..4_u32, 0..4_u32]) {
        let copies = passes.map(|pass| Drain { pass, ..one.clone() });
        let answered = copies.each_ref().map(|copy| superseded(copy, &instance));
        let furthest = usize::from(passes[1] > passes[0]);
        prop_assert!(!answered[furthest] || answered[1 - furthest], "an older copy would go on instead");
        // The mark that a pass leaves answers all before it, and neither itself nor what follows.
        let draining_since = one.draining_since.unwrap_or(one.first_seen);
        let token = one.token().map(str::to_owned);
        let mark = Mark { pass: passes[0], draining_since, count: None, until: one.until, token };
        let expected = one.left(&mark) && passes[1] < passes[0];
        let instance = ContainerInstance { status: Status::Draining, mark: Some(mark), ..instance };
        prop_assert_eq!(superseded(&copies[1], &instance), expected);
    }

    #[test]
    fn a_heartbeat_is_due_once_and_never_past_the_limit(one in snapshot(), other in moment()) {
        let Snapshot { drain, now, settings, .. } = &one;
        let Some(terms) = drain.hook.as_ref().and_then(|hook| hook.terms.as_ref()) else {
            prop_assert_eq!(needs_heartbeat(drain, None, *now, settings), drain.hook.is_some());
            return Ok(());
        };
        let due = needs_heartbeat(drain, None, *now, settings);
        prop_assert!(!due || *now < terms.limit);
        let late = (*now).max(other);
        prop_assert!(!due || late >= terms.limit || needs_heartbeat(drain, None, late, settings), "due, and later not");
        let anew = held(terms, *now);
        prop_assert!(anew.held_until <= anew.limit && anew.limit == terms.limit);
        prop_assert_eq!(&held(&anew, *now), &anew);
        let long = nanos(Duration::from_secs(terms.heartbeat_seconds.into()));
        let mut drain = drain.clone();
        drain.hook.as_mut().unwrap().terms = Some(anew);
        let enough = long >= nanos(lookahead(&drain, settings));
        prop_assert!(!enough || !needs_heartbeat(&drain, None, *now, settings), "recorded, and due again");
        prop_assert!(!enough || !too_short(&drain, settings));
    }

    #[test]
    fn a_hook_is_taken_over_once(one in drain(), mark in mark(), now in moment()) {
        let taken = takes_hook(&one, Some(&mark));
        prop_assert!(!taken || one.until.is_some());
        prop_assert!(one.hook.is_some() || !taken || looks_for_hook(&one, Some(&mark)), "never looked for");
        // Once the hook's drain has noted this end, or an earlier one, it does all there is to do.
        if mark.token.is_some() {
            let until = [mark.until, one.until].into_iter().flatten().min();
            let noted = Mark { until, ..mark.clone() };
            prop_assert!(!takes_hook(&one, Some(&noted)));
        }
        let mut shared = one.clone();
        shared.share_until(mark.until, now);
        let mut twice = shared.clone();
        twice.share_until(mark.until, now);
        prop_assert_eq!(&twice, &shared);
        prop_assert!(shared.until.is_some() || one.until.is_none());
        prop_assert!(shared.until.zip(one.until).is_none_or(|(shared, own)| shared <= own));
    }

    #[test]
    fn drains_survive_their_continuation_and_marks_their_attribute(drain in drain(), mark in mark()) {
        let message = serde_json::to_value(&drain).unwrap();
        let text = message.to_string();
        // At the end of all time: what lies ahead of the clock is not taken as it is.
        let read = crate::event::classify(&serde_json::from_str(&text).unwrap(), Timestamp::MAX);
        prop_assert_eq!(read, Ok(crate::event::Command::Drain(Box::new(drain))));
        let token = mark.token.clone().filter(|token| token != "-");
        let value = mark.to_value();
        prop_assert_eq!(Mark::from_value(&value), Some(Mark { token, ..mark }));
    }
}

/// The snapshots are worth trying: no way to end a pass is rare among them.
#[test]
fn every_decision_is_among_those_tried() {
    let mut runner = TestRunner::deterministic();
    let mut found: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..10_000 {
        let one = snapshot().new_tree(&mut runner).unwrap().current();
        let plan = next(&one.drain, &one.sight, one.now, &one.settings);
        let kind = match &plan.then {
            _ if !plan.stop.is_empty() => "stop",
            Then::Wait(_, Why::Busy(_)) => "busy",
            Then::Wait(_, Why::NotDraining) => "not draining",
            Then::Wait(_, Why::Registering) => "registering",
            Then::Wait(_, Why::Unreadable(_)) => "unreadable",
            Then::Complete(_, Why::Empty) => "empty",
            Then::Complete(_, Why::Deadline(_)) => "deadline",
            Then::Complete(_, Why::NeverRegistered) => "never registered",
            Then::End(Why::Gone) => "gone",
            Then::End(Why::PastLimit) => "past the limit",
            other => panic!("{other:?}"),
        };
        *found.entry(kind).or_default() += 1;
    }
    assert!(found.len() == 10 && found.values().all(|times| *times >= 20), "{found:?}");
}
