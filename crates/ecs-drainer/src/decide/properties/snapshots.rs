//! Any snapshot at all: drains, sights, settings and moments over their whole domains. Most moments lie near each
//! other, so that what is compared is sometimes before and sometimes after; the rest are the first and last there are.

use aws_helpers::fault::{Fault, Kind};
use aws_helpers::settings::Variables;
use jiff::Timestamp;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::super::Sight;
use crate::drain::{ContainerInstance, Count, Drain, Hook, Mark, Membership, Presence, Status, Task, Terms};
use crate::settings::Settings;

/// Everything that a decision is made from.
#[derive(Clone, Debug)]
pub(super) struct Snapshot {
    pub(super) drain: Drain,
    pub(super) sight: Sight,
    pub(super) now: Timestamp,
    pub(super) settings: Settings,
}

/// Boxed, as its parts: what proptest keeps of a snapshot would not fit into a test's stack otherwise.
pub(super) fn snapshot() -> impl Strategy<Value = Snapshot> {
    (drain().boxed(), sight().boxed(), moment(), settings().boxed())
        .prop_map(|(drain, sight, now, settings)| Snapshot { drain, sight, now, settings })
}

/// About this moment most things happen.
const EPOCH: i64 = 1_763_680_000;

pub(super) fn moment() -> impl Strategy<Value = Timestamp> {
    let near = |seconds: std::ops::Range<i64>| {
        (seconds, 0..1_000_000_000).prop_map(|(second, nano)| Timestamp::new(EPOCH + second, nano).unwrap())
    };
    let any = Timestamp::MIN.as_second()..=Timestamp::MAX.as_second();
    prop_oneof![
        30 => near(-30..30),
        30 => near(-400..8_000),
        10 => near(-200_000..200_000),
        1 => any.prop_map(|second| Timestamp::from_second(second).unwrap()),
        1 => Just(Timestamp::MIN),
        1 => Just(Timestamp::MAX),
    ]
}

/// A number of tasks, or of anything: few, or more than there can be.
pub(super) fn count() -> impl Strategy<Value = usize> {
    prop_oneof![6 => Just(0), 6 => 1..5_usize, 1 => any::<usize>(), 1 => Just(usize::MAX)]
}

/// A pass: the first ones, or one so late that no number follows.
fn pass() -> impl Strategy<Value = u32> {
    prop_oneof![6 => 0..4_u32, 1 => any::<u32>(), 1 => Just(u32::MAX)]
}

/// Two drains of one instance often have the same token, or neither has one.
fn token() -> impl Strategy<Value = Option<String>> {
    prop_oneof![4 => Just(Some("t".to_owned())), 3 => Just(None), 1 => "[!-~]{1,40}".prop_map(Some)]
}

fn terms() -> impl Strategy<Value = Terms> {
    let seconds = prop_oneof![8 => 30..=7_200_u32, 1 => any::<u32>()];
    (seconds, moment(), moment()).prop_map(|(heartbeat_seconds, held_until, limit)| Terms {
        heartbeat_seconds,
        held_until,
        limit,
    })
}

fn hook() -> impl Strategy<Value = Hook> {
    ("\\PC{1,20}", "[!-~]{1,20}", token(), option::of(terms())).prop_map(|(group, name, token, terms)| Hook {
        group,
        name,
        token,
        terms,
    })
}

prop_compose! {
    pub(super) fn drain()(
        pass in pass(),
        instance in "i-[0-9a-f]{1,32}",
        cluster in option::of("[a-zA-Z0-9_-]{1,255}"),
        container_instance in option::of("[!-~]{1,40}"),
        hook in option::weighted(0.6, hook()),
        first_seen in moment(),
        until in option::weighted(0.3, moment()),
        launched_at in option::weighted(0.3, moment()),
        draining_since in option::weighted(0.8, moment()),
        count in option::of((count(), moment())),
        waits_for in option::weighted(0.3, "[!-~]{1,20}"),
        not_before in option::of(moment()),
    ) -> Drain {
        Drain {
            pass, instance, cluster, container_instance, hook, first_seen, until, launched_at, draining_since,
            count: count.map(|(tasks, holds_from)| Count { tasks, holds_from }), waits_for, not_before,
        }
    }
}

/// What a mark can hold: it has whole seconds.
pub(super) fn mark() -> impl Strategy<Value = Mark> {
    let whole = || moment().prop_map(|moment| Timestamp::from_second(moment.as_second()).unwrap());
    let count = (count(), whole()).prop_map(|(tasks, holds_from)| Count { tasks, holds_from });
    (pass(), whole(), option::of(count), option::of(whole()), token()).prop_map(
        |(pass, draining_since, count, until, token)| Mark { pass, draining_since, count, until, token },
    )
}

fn fault() -> impl Strategy<Value = Fault> {
    let kinds = vec![Kind::Throttled, Kind::Gone, Kind::Denied, Kind::Invalid, Kind::Unavailable];
    (".{0,20}", ".{0,40}", proptest::sample::select(kinds)).prop_map(|(code, message, kind)| Fault {
        operation: "ecs:X",
        code,
        message,
        kind,
    })
}

pub(super) fn instance() -> impl Strategy<Value = ContainerInstance> {
    let status =
        prop_oneof![6 => Just(Status::Draining), 1 => Just(Status::Active), 1 => Just(Status::Other)];
    (status, count(), any::<bool>(), option::of(mark())).prop_map(
        |(status, wanted_tasks, connected, mark)| ContainerInstance {
            cluster: "prod".to_owned(),
            arn: "ci".to_owned(),
            instance: "i-1".to_owned(),
            status,
            wanted_tasks,
            connected,
            mark,
        },
    )
}

pub(super) fn task(stopped: impl Strategy<Value = bool>) -> impl Strategy<Value = Task> {
    let group = prop_oneof![Just("service:web".to_owned()), Just("family:job".to_owned()), ".{0,12}"];
    ("[a-z]{4}", group, any::<bool>(), stopped, option::of(moment())).prop_map(
        |(arn, group, wanted, stopped, stopping_at)| Task { arn, group, wanted, stopped, stopping_at },
    )
}

/// Lists of tasks, every other one with nothing but stopped ones.
pub(super) fn tasks() -> impl Strategy<Value = Vec<Task>> {
    prop_oneof![vec(task(Just(true)), 0..5), vec(task(any::<bool>()), 0..5)]
}

fn sight() -> impl Strategy<Value = Sight> {
    let presence = prop_oneof![
        6 => instance().prop_map(Presence::Registered),
        1 => Just(Presence::Absent),
        1 => fault().prop_map(Presence::Unreadable),
    ];
    let tasks = prop_oneof![
        8 => tasks().prop_map(|tasks| Some(Ok(tasks))),
        1 => fault().prop_map(|fault| Some(Err(fault))),
        2 => Just(None),
    ];
    let membership = prop_oneof![
        4 => Just(None),
        2 => (".{0,9}", any::<bool>()).prop_map(|(group, waiting)| Some(Ok(Membership::Member { group, waiting }))),
        1 => Just(Some(Ok(Membership::Gone))),
        1 => fault().prop_map(|fault| Some(Err(fault))),
    ];
    let waited_for = option::of(task(Just(false)));
    (presence, tasks, waited_for, membership).prop_map(|(presence, tasks, waited_for, membership)| Sight {
        presence,
        tasks,
        waited_for,
        membership,
    })
}

/// Every combination of settings that [`Settings::read`] takes: a value out of its range would fail here.
pub(super) fn settings() -> impl Strategy<Value = Settings> {
    let seconds =
        |name: &'static str, range| (Just(name), ends(range).prop_map(|seconds: u64| seconds.to_string()));
    let word = |name: &'static str, words: [&'static str; 2]| {
        (Just(name), proptest::sample::select(words.to_vec()).prop_map(str::to_owned))
    };
    let topic = ("DRAIN_TOPIC_ARN", "arn:aws:sns:us-east-1:123456789012:drain".to_owned());
    let some = (
        seconds("PASS_INTERVAL_SECONDS", 1..=900),
        seconds("URGENT_INTERVAL_SECONDS", 1..=60),
        seconds("DEADLINE_SECONDS", 30..=172_800),
        word("DEADLINE_RESULT", ["CONTINUE", "ABANDON"]),
        seconds("REGISTRATION_WAIT_SECONDS", 0..=3_600),
        word("UNREGISTERED_RESULT", ["CONTINUE", "ABANDON"]),
        word("STANDALONE_TASKS", ["wait", "stop"]),
        seconds("STANDALONE_STOP_AFTER_SECONDS", 0..=172_800),
        seconds("SETTLE_SECONDS", 0..=10),
    );
    some.prop_map(move |(a, b, c, d, e, f, g, h, i)| {
        let pairs = [topic.clone(), a, b, c, d, e, f, g, h, i];
        let variables: Variables = pairs.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Settings::read(&variables).unwrap()
    })
}

/// Numbers of a range: its ends, its lower part, and all of it.
fn ends(range: std::ops::RangeInclusive<u64>) -> impl Strategy<Value = u64> {
    let (first, last) = (*range.start(), *range.end());
    prop_oneof![1 => Just(first), 1 => Just(last), 3 => first..=last.min(first + 300), 2 => range]
}
