//! Ticks that are invocations of their own: the state machine's driver, and people.

use serde_json::{Value, json};

use crate::harness::{World, at, clusters, number};

#[tokio::test(start_paused = true)]
async fn each_event_gets_its_answer() {
    let two = |missing: Value| json!({"time": at(5).to_string(), "clusters": 2, "data": 8, "missing": missing, "failed": 0});
    let one = json!({"time": at(5).to_string(), "clusters": 1, "data": 4, "missing": [], "failed": 0});
    let none = json!({"time": at(5).to_string(), "clusters": 0, "data": 0, "missing": ["nope"], "failed": 0});
    let arn = "arn:aws:ecs:us-east-1:123456789012:cluster/c-0";
    for (event, expected) in [
        (json!({}), two(json!([]))),
        (json!({"ECSClusterName": "c-0"}), one.clone()),
        (json!({"ECSClusterName": arn}), one.clone()),
        (json!({"clusters": ["c-0", arn, "c-0"]}), one.clone()),
        (json!({"ECSClusterName": "nope"}), none),
        (json!({"clusters": ["c-0", "c-1"]}), two(json!([]))),
        (json!({"clusters": ["c-0", "nope", "c-1"]}), two(json!(["nope"]))),
        (json!({"clusters": ["c-0"], "time": at(5).to_string()}), one.clone()),
        (json!({"clusters": ["c-0"], "time": "2026-01-01T00:00:04.7Z"}), one),
        (json!({"time": at(0).to_string()}), json!({"skipped": "the tick's time is over"})),
        (
            json!({"source": "aws.ecs", "detail-type": "x"}),
            json!({"skipped": "event is not for the metric writer"}),
        ),
    ] {
        let world = World::new(clusters(2), &[]);
        world.until(4).await;
        assert_eq!(world.invoke(event.clone(), "r").await.unwrap(), expected, "{event}");
        let data = world.fake.with(|world| world.metric_count());
        assert_eq!(data, number(&expected, "data"), "{event}");
        assert!(world.ticks().keys().all(|second| *second == 5), "{event}: {:?}", world.ticks());
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_done_is_an_error_that_says_why() {
    for (event, expected) in [
        (json!({"clusters": []}), "tick: clusters is not a list of one or more names or ARNs of clusters"),
        (json!({"name": "c-0"}), "tick: event has a field other than ECSClusterName, clusters and time"),
        (json!({"time": at(100).to_string()}), "tick: time lies more than a minute ahead"),
    ] {
        let world = World::new(clusters(1), &[]);
        let error = world.invoke(event.clone(), "r").await.unwrap_err();
        assert_eq!(error.to_string(), expected, "{event}");
        assert_eq!(world.fake.with(|world| world.metric_count()), 0, "{event}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_tick_waits_for_its_time() {
    let world = World::new(clusters(1), &[]);
    world.until(31).await;
    world.invoke(json!({"time": at(35).to_string()}), "r").await.unwrap();
    let received = world.fake.with(|world| world.metric_data().next().unwrap().received);
    assert!((35.0..35.1).contains(&received.as_secs_f64()), "{received:?}");
}

#[tokio::test(start_paused = true)]
async fn a_datum_is_as_published() {
    let world = World::new(clusters(1), &[("METRIC_NAMESPACE", "Team/ECS")]);
    world.invoke(json!({"ECSClusterName": "c-0"}), "r").await.unwrap();
    let found: Vec<String> = world.fake.with(|world| {
        let line = |datum: aws_fake::world::metrics::Datum| {
            let metric = datum.metric;
            let value = datum.value().unwrap();
            format!(
                "{} {} {:?} {value} {} {}",
                metric.namespace, metric.name, metric.dimensions, datum.unit, datum.resolution
            )
        };
        world.metric_data().map(line).collect()
    });
    let expected =
        [("RunningTask", 10), ("PendingTask", 2), ("ActiveServices", 3), ("RegisteredContainerInstances", 4)];
    assert_eq!(
        found,
        expected.map(|(name, value)| format!(r#"Team/ECS {name} [("ClusterName", "c-0")] {value} Count 1"#))
    );
}

#[tokio::test(start_paused = true)]
async fn names_patterns_and_tags_choose_the_clusters() {
    for (words, expected, lists) in [
        ("*", 3, 1),
        ("c-?", 3, 1),
        ("c-1", 1, 0),
        ("c-1,c-2", 2, 0),
        ("tag:team=web", 1, 1),
        ("staging-*", 0, 1),
    ] {
        let mut scenario = clusters(3);
        scenario.clusters[2].cluster_tags = [("team".to_owned(), "web".to_owned())].into();
        let world = World::new(scenario, &[("CLUSTERS", words)]);
        for second in [5, 10, 15] {
            world.until(second).await;
            let answer = world.invoke(json!({}), "r").await.unwrap();
            assert_eq!(answer["clusters"], expected, "{words}");
        }
        assert_eq!(world.calls("ListClusters"), lists, "{words}: remembered for a minute");
        world.until(90).await;
        world.invoke(json!({}), "r").await.unwrap();
        assert_eq!(world.calls("ListClusters"), lists * 2, "{words}: and not for longer");
    }
}
