//! Calls are money, and the account's buckets: counted, printed, and asserted.

use std::time::Duration;

use crate::harness::{Run, Wiring, cluster};

/// From one pass to the next: the interval, delivery and the batching window, rounded down.
const INTERVAL: u64 = 181;
/// A heartbeat is recorded at every third pass: when less than two intervals and 10 s are left of 900 s.
const PASSES_A_HEARTBEAT: u64 = 3;

/// Tasks on the instance that leaves.
const TASKS: u32 = 10;

/// What keeps an instance from being empty.
#[derive(Clone, Copy, Debug)]
enum Held {
    /// Tasks that were told to stop and take their time: ECS counts none on the instance any more.
    Stopping,
    /// Tasks of their own that end by themselves.
    Running,
}

/// A drain of so many seconds, in a cluster of `instances` that each run a task of a service: with that one ten tasks,
/// which stop one after another. Those that are told to stop first have stopped last: the worst order for a drain that
/// waits for one of them.
async fn drain(instances: usize, seconds: u32, held: Held) -> Run {
    let scenario = cluster(instances).service("web", instances, seconds / 10);
    let mut run = Run::new(scenario, Wiring::with(&[("DEADLINE_SECONDS", "172800")]));
    run.fake.with(|world| {
        let id = world.instances("prod-ecs").remove(0);
        for nth in 2..=TASKS {
            let end = Duration::from_secs((seconds - 15).into()) * nth / TASKS;
            let (stop_takes, ends_after) = match held {
                Held::Stopping => (end, Duration::from_secs(u64::from(TASKS - nth) + 1)),
                Held::Running => (Duration::from_secs(1), end),
            };
            world.run_standalone(&id, "batch", stop_takes, Some(ends_after)).unwrap();
        }
    });
    run.scale_in(1);
    run.finish().await.all_let_go(1, "CONTINUE");
    run
}

#[tokio::test(start_paused = true)]
async fn calls_do_not_grow_with_the_cluster_nor_with_time_beyond_a_describe_a_pass() {
    for held in [Held::Stopping, Held::Running] {
        for seconds in [300, 3_600, 86_400] {
            let mut counted = Vec::new();
            for instances in [50, 500, 5_000] {
                let run = drain(instances, seconds, held).await;
                let (calls, invocations) = (run.calls(), run.plumbing.stats().invocations);
                println!(
                    "a drain of {seconds:5} s, its 10 tasks {:8}, cluster of {instances:4} instances: {calls:4} calls in {invocations:3} invocations, {}",
                    format!("{held:?}").to_lowercase(),
                    other_costs(&run)
                );
                assert!(calls <= most(seconds.into(), held), "{calls}: {:#?}", run.story());
                counted.push((calls, invocations));
            }
            assert_eq!(
                counted, [counted[0]; 3],
                "{held:?}, {seconds} s: the same whatever the cluster's size"
            );
        }
    }
}

/// What costs besides calls and invocations, for `crates/costs` to reckon with.
fn other_costs(run: &Run) -> String {
    let (lines, bytes) = run.log_size();
    let running = run.plumbing.stats().running_time.as_secs_f64();
    format!("running for {running:.1} s, {lines} lines of {} bytes", bytes / lines.max(1))
}

/// The most calls that a drain may take: of them only the calls of a pass grow with the time.
fn most(seconds: u64, held: Held) -> usize {
    let passes = seconds / INTERVAL;
    // Find, describe, DRAINING, timeouts, publish, mark; at last describe, both lists, the tasks, complete.
    let ends = 6 + 5;
    // Where ECS counts none: a list and the tasks, when the one that was waited for has stopped and others have not.
    let (looks, task) = match held {
        Held::Stopping => (2 * u64::from(TASKS), 1),
        Held::Running => (0, 0),
    };
    // Describe, publish, mark; and where ECS counts none the task that is waited for.
    usize::try_from(ends + looks + passes * (3 + task) + passes.div_ceil(PASSES_A_HEARTBEAT)).unwrap()
}

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
