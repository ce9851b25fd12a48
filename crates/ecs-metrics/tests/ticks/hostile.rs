//! Events that no schedule sends: names and times of somebody's choice, what is large or deep.

use std::time::Duration;

use aws_fake::log::Log;
use serde_json::{Value, json};

use crate::harness::{World, clusters};

#[tokio::test(start_paused = true)]
async fn hostile_events_write_nothing_and_end_in_their_time() {
    let thousands: Vec<String> = (0..10_000).map(|n| format!("nobody-{n}")).collect();
    let long = "x".repeat(250_000);
    let deep = (0..100).fold(json!({}), |inner, _| json!({"a": [inner]}));
    for (name, event, fails) in [
        ("thousands of names", json!({"clusters": thousands}), None),
        ("a long name", json!({"ECSClusterName": long}), Some(true)),
        ("a long ARN", json!({"ECSClusterName": format!("arn:{long}:cluster/c-0")}), Some(true)),
        ("lines of its own", json!({"ECSClusterName": "arn:a\n{}:cluster/c-0"}), Some(true)),
        (
            "another account's",
            json!({"ECSClusterName": "arn:aws:ecs:us-east-1:999999999999:cluster/c-0"}),
            Some(false),
        ),
        ("a list of lists", json!({"clusters": [["c-0"]]}), Some(true)),
        ("a time to come", json!({"time": "9999-01-01T00:00:00Z"}), Some(true)),
        ("a time long ago", json!({"time": "1970-01-01T00:00:00Z"}), Some(false)),
        ("a deep one", json!({"clusters": deep}), Some(true)),
        ("a field beside", json!({"ECSClusterName": "c-0", "extra": long}), Some(true)),
        ("another kind", json!({"source": long, "detail-type": long}), Some(false)),
    ] {
        let world = World::new(clusters(2), &[]);
        let (written, _logging) = Log::of("ecs_metrics");
        let began = world.fake.now();
        let answer = world.invoke(event, "r").await;
        let took = world.fake.now().saturating_sub(began);
        assert!(took <= Duration::from_secs(11), "{name}: {took:?}");
        assert_eq!(world.fake.with(|world| world.metric_count()), 0, "{name}: {answer:?}");
        assert!(fails.is_none_or(|fails| answer.is_err() == fails), "{name}: {answer:?}");
        let said: Vec<String> = written
            .lines()
            .iter()
            .map(Value::to_string)
            .chain(answer.err().map(|error| error.to_string()))
            .collect();
        assert!(said.iter().all(|said| said.len() < 1_000), "{name}: {said:.300?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_schedule_of_any_year_owns_the_next_minute_and_no_more() {
    for time in ["9999-12-30T22:00:00Z", "1970-01-01T00:00:00Z", "-009999-01-02T01:59:59Z"] {
        let world = World::new(clusters(1), &[]);
        let event =
            json!({"source": "aws.events", "detail-type": "Scheduled Event", "time": time, "detail": {}});
        world.invoke(event, "r").await.unwrap();
        let ticks = world.ticks();
        assert!(world.fake.now() < Duration::from_secs(245), "{time}: {:?}", world.fake.now());
        assert!(!ticks.is_empty(), "{time}: nothing was measured");
        assert!(
            ticks.keys().all(|second| (0..240).contains(second)) && ticks.values().all(|times| *times == 1),
            "{time}: {ticks:?}"
        );
    }
}
