//! Where data go, and in how many calls.

use std::collections::BTreeMap;

use aws_fake::faults::{Calls, Fault, FaultKind};
use aws_fake::log::Log;
use jiff::SignedDuration;
use serde_json::Value;

use crate::harness::{METRICS, World, clusters, each_once, number, own, scheduled};

#[tokio::test(start_paused = true)]
async fn flushing_takes_fewer_calls_for_the_same_data() {
    for (sink, seconds, period, count, puts) in [
        ("put", "10", "1", 1, 60),
        ("put", "10", "5", 300, 24),
        ("flush", "10", "1", 1, 6),
        ("flush", "4", "1", 1, 15),
        ("flush", "7", "1", 1, 9),
        ("flush", "10", "5", 1, 6),
        ("flush", "1", "1", 1, 60),
        ("flush", "10", "20", 1, 3),
        ("flush", "10", "1", 100, 24),
    ] {
        let variables = [("SINK", sink), ("FLUSH_SECONDS", seconds), ("PERIOD_SECONDS", period)];
        let (world, answer) = World::minute(clusters(count), &variables).await;
        let row = format!("{sink} {seconds} s, period {period} s, {count} clusters");
        assert_eq!(world.ticks(), each_once(0, 60, period.parse().unwrap()), "{row}");
        assert_eq!((world.calls("PutMetricData"), &answer["failed"]), (puts, &0.into()), "{row}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_invocation_that_ends_early_has_flushed() {
    let world = World::new(clusters(1), &[("SINK", "flush"), ("PERIOD_SECONDS", "1")]);
    let answer = world.invoke_for(scheduled(0), "a", SignedDuration::from_secs(26)).await.unwrap();
    let ticks = world.ticks();
    assert_eq!(ticks.len() as u64, answer["ticks"].as_u64().unwrap());
    assert!(ticks.len() >= 20, "{ticks:?}");
}

#[tokio::test(start_paused = true)]
async fn a_document_a_cluster_and_no_call() {
    let (log, _guard) = Log::of("aws_helpers::emf");
    let (world, _) = World::minute(clusters(3), &[("SINK", "emf"), ("SELF_METRICS", "off")]).await;
    assert_eq!(world.calls("PutMetricData"), 0);
    let mut times: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for line in log.lines() {
        let document: Value = serde_json::from_str(line["message"].as_str().unwrap()).unwrap();
        let directive = &document["_aws"]["CloudWatchMetrics"][0];
        assert_eq!((&directive["Namespace"], &document["RunningTask"]), (&"ECS".into(), &10.0.into()));
        let metrics = directive["Metrics"].as_array().unwrap();
        assert!(metrics.len() == METRICS && metrics.iter().all(|metric| metric["StorageResolution"] == 1));
        let cluster = document["ClusterName"].as_str().unwrap().to_owned();
        times.entry(cluster).or_default().push(document["_aws"]["Timestamp"].as_i64().unwrap());
    }
    let begin = crate::harness::at(0).as_millisecond();
    let expected: Vec<i64> = (0..12).map(|tick| begin + tick * 5_000).collect();
    assert_eq!(times, ["c-0", "c-1", "c-2"].map(|name| (name.to_owned(), expected.clone())).into());
}

#[tokio::test(start_paused = true)]
async fn ticks_of_a_flush_that_fails_have_failed() {
    let (log, _guard) = Log::of("aws_helpers::emf");
    let denied = Fault::of("PutMetricData", Calls::First(2), FaultKind::AccessDenied);
    let scenario = clusters(1).set(|settings| settings.faults.push(denied));
    let (world, answer) = World::minute(scenario, &[("SINK", "flush"), ("PERIOD_SECONDS", "1")]).await;
    assert_eq!((number(&answer, "ticks"), number(&answer, "failed")), (40, 20));
    assert_eq!(world.ticks(), each_once(20, 60, 1));
    assert_eq!(own(&log, "Ticks").iter().sum::<usize>(), 40);
}
