//! What fails is lost alone.

use std::time::Duration;

use aws_fake::faults::{Calls, Fault, FaultKind};
use aws_fake::log::Log;
use aws_fake::scenario::Scenario;

use crate::harness::{METRICS, World, clusters, each_once, number, own};

fn failing(scenario: Scenario, operation: &str, calls: Calls, kind: FaultKind) -> Scenario {
    let fault = Fault::of(operation, calls, kind);
    scenario.set(|settings| settings.faults.push(fault))
}

#[tokio::test(start_paused = true)]
async fn one_missing_cluster_in_a_hundred_is_named_and_the_others_are_written() {
    let (log, _guard) = Log::of("ecs_metrics");
    let names: Vec<String> = (0..99).map(|n| format!("c-{n}")).chain(["nope".to_owned()]).collect();
    let (world, answer) = World::minute(clusters(99), &[("CLUSTERS", &names.join(","))]).await;
    assert_eq!(
        (&answer["clusters"], &answer["missing"], &answer["failed"]),
        (&99.into(), &vec!["nope"].into(), &0.into())
    );
    assert_eq!(world.fake.with(|world| world.metric_count()), 99 * METRICS * number(&answer, "ticks"));
    let said = log.lines().iter().filter(|line| line["clusters"] == "nope").count();
    assert_eq!(said, 1, "said once, not at each tick");
}

#[tokio::test(start_paused = true)]
async fn one_batch_in_ten_throttled_loses_nothing() {
    for (period, count) in [("1", 101), ("5", 300)] {
        let (log, _guard) = Log::of("aws_helpers::emf");
        let mut scenario = clusters(count);
        for operation in ["DescribeClusters", "PutMetricData"] {
            scenario = failing(scenario, operation, Calls::Every(10), FaultKind::Throttle);
        }
        let (world, answer) = World::minute(scenario, &[("PERIOD_SECONDS", period)]).await;
        let failed = answer["failed"].as_u64().unwrap();
        assert_eq!(failed, 0, "{period} s: {answer}");
        assert_eq!(world.ticks(), each_once(0, 60, period.parse().unwrap()), "{period} s");
        let sum = |name: &str| own(&log, name).iter().sum::<usize>();
        let (calls, throttled) = (sum("ApiCalls"), sum("ThrottledCalls"));
        let refused = world.fake.with(|world| world.calls().filter(|(_, _, error)| error.is_some()).count());
        assert_eq!(throttled, refused, "{period} s");
        assert!(throttled * 15 > calls, "{throttled} of {calls}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_fails_is_lost_alone() {
    for (name, operation, kind, read, written) in [
        ("a hundred clusters are not read", "DescribeClusters", FaultKind::AccessDenied, 200, 200 * METRICS),
        ("one put is refused", "PutMetricData", FaultKind::AccessDenied, 300, 200),
        ("one put is never answered", "PutMetricData", FaultKind::TimeoutBefore, 300, 300 * METRICS),
        ("a read is never answered", "DescribeClusters", FaultKind::TimeoutBefore, 300, 300 * METRICS),
        ("a service that fails once", "PutMetricData", FaultKind::ServerError, 300, 300 * METRICS),
    ] {
        let world =
            World::new(failing(clusters(300), operation, Calls::First(1), kind), &[("CLUSTERS", "c-*")]);
        let answer = world.invoke(serde_json::json!({}), "r").await.unwrap();
        let data = world.fake.with(|world| world.metric_count());
        assert_eq!((&answer["clusters"], data), (&read.into(), written), "{name}: {answer}");
        assert_eq!(answer["data"], written, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_tick_that_fails_does_not_delay_the_next() {
    for (operation, kind) in [
        ("DescribeClusters", FaultKind::TimeoutBefore),
        ("PutMetricData", FaultKind::TimeoutBefore),
        ("PutMetricData", FaultKind::Throttle),
        ("DescribeClusters", FaultKind::AccessDenied),
    ] {
        let (log, _guard) = Log::of("aws_helpers::emf");
        let world =
            World::new(failing(clusters(1), operation, Calls::First(8), kind), &[("PERIOD_SECONDS", "1")]);
        let answer = world.trigger(0, 0, "a").await;
        let failed = number(&answer, "failed");
        assert!((1..=8).contains(&failed), "{operation} {kind:?}: {answer}");
        assert_eq!(answer["skipped"], 0, "{operation} {kind:?}");
        assert_eq!(own(&log, "FailedTicks").iter().sum::<usize>(), failed);
        let ticks = world.ticks();
        assert!(ticks.values().all(|times| *times == 1), "{operation} {kind:?}");
        let slowest = world.fake.with(|world| {
            let begin = u64::try_from(crate::harness::at(0).as_second()).unwrap();
            let took = |datum: aws_fake::world::metrics::Datum| {
                let due = datum.timestamp.checked_sub(Duration::from_secs(begin)).unwrap();
                datum.received.saturating_sub(due)
            };
            world.metric_data().map(took).max().unwrap()
        });
        assert!(slowest <= Duration::from_secs(1), "{operation} {kind:?}: {slowest:?}, and the next was due");
        assert_eq!(
            ticks.len() as u64,
            answer["ticks"].as_u64().unwrap(),
            "{operation} {kind:?}: those that failed are lost"
        );
        assert!(ticks.keys().zip(ticks.keys().skip(1)).all(|(a, b)| b - a <= 9));
    }
}

#[tokio::test(start_paused = true)]
async fn without_its_lease_or_its_list_it_measures_all_the_same() {
    for (operation, kind) in [
        ("PutItem", FaultKind::AccessDenied),
        ("PutItem", FaultKind::TimeoutBefore),
        ("PutItem", FaultKind::TimeoutAfter),
        ("ListClusters", FaultKind::ServerError),
    ] {
        let world = World::new(failing(clusters(1), operation, Calls::First(8), kind), &[]);
        let both = async { futures::join!(world.trigger(20, 20, "a"), world.trigger(80, 80, "b")) };
        both.await;
        // Where one can have the lease and the other cannot, both may make a tick.
        let ticks = world.ticks().into_keys().filter(|second| (60..180).contains(second));
        assert_eq!(
            ticks.collect::<Vec<_>>(),
            each_once(60, 180, 5).into_keys().collect::<Vec<_>>(),
            "{operation} {kind:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_writer_reports_on_itself_every_ten_seconds() {
    let (log, _guard) = Log::of("aws_helpers::emf");
    let world = World::new(clusters(2), &[("CLUSTERS", "c-0,c-1,nope")]);
    let answer = world
        .invoke_for(crate::harness::scheduled(0), "a", jiff::SignedDuration::from_secs(70))
        .await
        .unwrap();
    let sum = |name: &str| own(&log, name).iter().sum::<usize>();
    assert_eq!(sum("Ticks"), number(&answer, "ticks"));
    assert_eq!(own(&log, "TickLag").len(), number(&answer, "ticks"));
    assert_eq!(
        sum("ApiCalls"),
        ["DescribeClusters", "PutMetricData", "PutItem"].map(|name| world.calls(name)).iter().sum::<usize>()
    );
    assert!(own(&log, "Clusters").iter().rev().skip(1).all(|clusters| *clusters == 2));
    assert_eq!(own(&log, "MissingClusters")[0], 1);
    assert!(own(&log, "Ticks").len() >= 6);

    let (log, _guard) = Log::of("aws_helpers::emf");
    World::minute(clusters(1), &[("SELF_METRICS", "off")]).await;
    assert_eq!(log.lines().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_report_is_made_before_a_tick_and_not_when_it_is_due() {
    let (log, _guard) = Log::of("aws_helpers::emf");
    let world = World::new(clusters(2), &[("PERIOD_SECONDS", "1")]);
    let watch = async {
        let mut reports = Vec::new();
        for due in [30, 40, 50] {
            world.until(due - 1).await;
            for millis in [940, 30, 60] {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                reports.push(log.lines().len());
            }
        }
        reports
    };
    let (reports, _) = futures::join!(watch, world.trigger(20, 20, "a"));
    // 60 ms before the tick is due, 30 ms before, and 30 ms after.
    assert_eq!(reports, [0, 1, 1, 1, 2, 2, 2, 3, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_hangs_delays_no_tick() {
    let scenario = failing(clusters(1), "ListClusters", Calls::Every(2), FaultKind::TimeoutBefore);
    let world = World::new(scenario, &[("PERIOD_SECONDS", "1")]);
    futures::join!(world.trigger(20, 20, "a"), world.trigger(80, 80, "b"), world.trigger(140, 140, "c"));
    let mut ticks = world.ticks();
    ticks.retain(|second, _| *second < 240);
    assert_eq!(ticks, each_once(20, 240, 1));
}
