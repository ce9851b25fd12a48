//! Calls are money, and the account's buckets: counted, and asserted.

use crate::harness::{Run, Wiring, cluster};

/// A drain of 300 s, ten tasks on the instance that stop one after another, in a cluster of `instances`.
async fn drain_of_300_seconds(instances: usize) -> (usize, usize, Vec<String>) {
    let scenario = cluster(instances).service("web", instances * 10, (30, 295));
    let mut run = Run::new(scenario, Wiring::default());
    run.scale_in(1);
    run.finish().await.all_let_go(1, "CONTINUE");
    (run.calls(), run.plumbing.stats().invocations, run.story())
}

#[tokio::test(start_paused = true)]
async fn a_drain_of_300_seconds_takes_at_most_16_calls_whatever_the_clusters_size() {
    let mut counted = Vec::new();
    for instances in [50, 500] {
        let (calls, invocations, story) = drain_of_300_seconds(instances).await;
        println!(
            "a drain of 300 s with 10 tasks in a cluster of {instances} instances: {calls} calls in {invocations} invocations"
        );
        assert!(calls <= 16, "{story:#?}");
        counted.push(calls);
    }
    assert_eq!(counted[0], counted[1], "the same in a cluster of 50 and of 500");
}

#[tokio::test(start_paused = true)]
async fn task_events_of_instances_that_stay_cost_one_describe_a_batch() {
    let mut run = Run::new(cluster(50), Wiring::default());
    let event = include_str!("../../../../events/ecs-drainer/eventbridge-task-stopped.json");
    for _ in 0..100 {
        run.plumbing.send(event);
    }
    run.finish().await;
    assert_eq!(run.calls(), 1, "{:#?}", run.story());
}
