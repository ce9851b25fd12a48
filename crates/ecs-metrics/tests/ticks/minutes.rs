//! The schedule's driver: whose the ticks are, whatever becomes of the triggers.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use jiff::SignedDuration;
use rand::{Rng, SeedableRng, rngs::SmallRng};

use crate::harness::{World, at, clusters, each_once, plan, scheduled};

/// A row's triggers: the event's second, the second of its delivery, the request's id.
type Triggers = Vec<(i64, i64, &'static str)>;

#[tokio::test(start_paused = true)]
async fn an_hour_of_one_second_ticks_with_late_and_doubled_triggers() {
    let mut rng = SmallRng::seed_from_u64(7);
    let world = World::new(clusters(1), &[("PERIOD_SECONDS", "1")]);
    let mut triggers = Vec::new();
    for minute in 0..60 {
        let copies = if minute == 0 || rng.random_bool(0.01) || minute == 31 { 2 } else { 1 };
        for copy in 0..copies {
            let late = if minute == 0 { 0 } else { rng.random_range(0..60) };
            triggers.push((minute * 60, minute * 60 + late, format!("r-{minute}-{copy}")));
        }
    }
    let answers = triggers.iter().map(|(event, at, request)| world.trigger(*event, *at, request));
    let answers = join_all(answers).await;
    let owners = answers.iter().filter(|answer| answer.get("ticks").is_some()).count();
    assert!((40..=60).contains(&owners), "{owners}");
    // The first ever begins at once; 61 minutes with the one that the last trigger owns.
    let ticks = world.ticks();
    let last = *ticks.keys().next_back().unwrap();
    assert_eq!(ticks, each_once(*ticks.keys().next().unwrap(), last + 1, 1));
    assert!(ticks.len() >= 61 * 60 - 2, "{} ticks", ticks.len());
    println!("metrics: an hour of 1 s ticks: {} ticks, each once", ticks.len());
}

#[tokio::test(start_paused = true)]
async fn no_tick_twice_and_none_lost_that_an_invocation_lived_for() {
    let rows: Vec<(&str, Triggers, i64, i64)> = vec![
        ("on time", vec![(20, 20, "a"), (80, 80, "b"), (140, 140, "c")], 20, 240),
        ("one late by 59 s", vec![(20, 20, "a"), (80, 139, "b"), (140, 140, "c")], 20, 240),
        ("all late by 59 s", vec![(20, 79, "a"), (80, 139, "b"), (140, 199, "c")], 80, 240),
        ("at the last second of a minute", vec![(59, 59, "a"), (119, 119, "b"), (179, 179, "c")], 60, 240),
        ("just before the hand-over", vec![(20, 20, "a"), (80, 119, "b"), (140, 179, "c")], 20, 240),
        ("doubled at once", vec![(20, 20, "a"), (20, 20, "a2"), (80, 80, "b"), (80, 81, "b2")], 20, 180),
        ("doubled after a minute", vec![(20, 20, "a"), (80, 80, "b"), (20, 85, "a2")], 20, 180),
        ("one lost", vec![(20, 20, "a"), (140, 140, "c"), (200, 200, "d")], 20, 300),
        ("two lost", vec![(20, 20, "a"), (200, 200, "d"), (260, 260, "e")], 20, 360),
        ("the first ever is late for its own minute", vec![(20, 100, "a"), (80, 110, "b")], 100, 180),
        ("much too late", vec![(20, 20, "a"), (20, 150, "late"), (80, 80, "b")], 20, 180),
        ("far behind its minute, and nobody lives", vec![(20, 200, "a"), (260, 260, "b")], 200, 360),
        ("in the wrong order", vec![(20, 20, "a"), (140, 150, "c"), (80, 155, "b")], 20, 240),
    ];
    for (name, triggers, from, to) in rows {
        let world = World::new(clusters(1), &[]);
        join_all(triggers.iter().map(|(event, at, request)| world.trigger(*event, *at, request))).await;
        // An invocation whose successor never comes goes on for as long as it may.
        let ticks = world.ticks();
        let owned: BTreeMap<i64, usize> = ticks.clone().into_iter().filter(|(at, _)| *at < to).collect();
        assert_eq!(owned, each_once(from, to, 5), "{name}");
        let last = *ticks.keys().next_back().unwrap();
        assert_eq!(ticks, each_once(from, last + 1, 5), "{name}, after the last trigger");
    }
}

#[tokio::test(start_paused = true)]
async fn an_invocation_whose_successor_never_comes_goes_on_until_its_time_ends() {
    for (timeout, end) in [(240, 240), (120, 120), (62, 70), (30, 35)] {
        let world = World::new(clusters(1), &[]);
        world.until(10).await;
        let timeout = SignedDuration::from_secs(timeout);
        world.invoke_for(scheduled(10), "a", timeout).await.unwrap();
        assert_eq!(world.ticks(), each_once(10, end, 5), "{timeout}");
        assert!(world.now() <= at(10) + timeout, "{timeout}: ended at {}", world.now());
    }
}

#[tokio::test(start_paused = true)]
async fn a_minute_that_could_only_be_begun_is_left_to_the_next_trigger() {
    let world = World::new(clusters(1), &[]);
    futures::join!(world.trigger(20, 20, "a"), world.trigger(260, 261, "b"));
    let mut expected = each_once(20, 360, 5);
    // Four minutes are all that an invocation has; then nobody lives until the next trigger.
    expected.retain(|second, _| !(240..265).contains(second));
    let mut ticks = world.ticks();
    ticks.retain(|second, _| *second < 360);
    assert_eq!(ticks, expected);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_was_killed_is_taken_up_by_its_retry() {
    for (name, killed, retry, lost) in [
        // Lambda tries again a minute later.
        ("in its own minute, tried again when that is over", 73, Some(133), 75..120),
        ("while it waited, tried again in its minute", 30, Some(90), 60..90),
        ("in its own minute, never tried again", 73, None, 75..120),
    ] {
        let world = World::new(clusters(1), &[]);
        let attempt = async {
            world.until(20).await;
            let life = Duration::from_secs(killed - 20);
            assert!(tokio::time::timeout(life, world.trigger(20, 20, "a")).await.is_err(), "{name}");
        };
        let again = async {
            if let Some(retry) = retry {
                world.trigger(20, retry, "a").await;
            }
        };
        futures::join!(world.trigger(-40, 0, "before"), attempt, again, world.trigger(80, 80, "after"));
        let mut expected = each_once(0, 180, 5);
        expected.retain(|second, _| !lost.contains(second));
        let mut ticks = world.ticks();
        ticks.retain(|second, _| *second < 180);
        assert_eq!(ticks, expected, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn late_ticks_are_left_out_and_never_bunched() {
    let world = World::new(clusters(1), &[("PERIOD_SECONDS", "1")]);
    let stall = async {
        world.until(90).await;
        // As when the whole machine stands still.
        tokio::time::advance(Duration::from_millis(7_300)).await;
    };
    let (answer, ()) = futures::join!(world.trigger(20, 20, "a"), stall);
    assert_eq!(answer["skipped"], 6, "{answer}");
    let mut ticks = world.ticks();
    ticks.retain(|second, _| (85..105).contains(second));
    let mut expected = each_once(85, 105, 1);
    // The one that was under way fails, and the one of 97 s is 0.3 s late.
    expected.retain(|second, _| !(90..97).contains(second));
    assert_eq!(ticks, expected);
}

#[tokio::test(start_paused = true)]
async fn clusters_come_and_go_between_ticks() {
    let world = World::new(clusters(3), &[]);
    let changes = async {
        world.until(92).await;
        world.fake.with(|world| {
            world.delete_cluster("c-1");
            world.create_cluster(plan("new"));
        });
    };
    let both = async { futures::join!(world.trigger(20, 20, "a"), world.trigger(80, 80, "b")) };
    futures::join!(both, changes);
    let last_of = |name: &str| *world.ticks_of(4, |cluster| cluster == name).keys().next_back().unwrap();
    let first_of = |name: &str| *world.ticks_of(4, |cluster| cluster == name).keys().next().unwrap();
    assert_eq!((last_of("c-1"), first_of("new")), (90, 120), "deleted at once, found with the next list");
    assert!(last_of("c-0") >= 175);
}
