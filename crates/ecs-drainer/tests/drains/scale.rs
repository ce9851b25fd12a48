//! A thousand instances at once, a busy cluster, and the way from the last task to the completed hook. Each test prints
//! what it counted.

use std::time::Duration;

use aws_fake::plumbing::{Line, Move};
use aws_fake::scenario::Scenario;
use aws_fake::world::ecs::Status;
use aws_fake::world::names;
use serde_json::Value;

use crate::harness::{LIMIT, Run, Wiring, cluster};

/// One call of the fake, there and back.
const ROUND_TRIP: Duration = Duration::from_millis(20);

/// Room for the tasks of a thousand on the few that stay.
fn roomy(instances: usize) -> Scenario {
    cluster(instances).with_cluster(|plan| (plan.cpu, plan.memory) = (10_000_000, 10_000_000))
}

fn throttled(run: &Run) -> usize {
    run.fake
        .with(|world| world.calls().filter(|(.., error)| error.is_some_and(|e| e.starts_with("Thr"))).count())
}

#[tokio::test(start_paused = true)]
async fn a_thousand_that_leave_at_once_are_draining_within_five_seconds_and_all_end_well() {
    for (name, tasks, stop) in [("no task", 0, 0), ("two tasks each", 2, 30)] {
        let mut run = Run::new(roomy(1_010).service("web", 1_010 * tasks, stop), Wiring::default());
        let left = run.scale_in(1_000);
        run.run(5).await;
        let draining = left.iter().filter(|id| {
            run.fake.with(|world| world.container_instance_status(id)) == Some(Status::Draining)
        });
        assert_eq!(draining.count(), 1_000, "{name}: {:#?}", run.story());
        assert_eq!(run.count("UpdateContainerInstancesState"), 100, "{name}: ten a call, none refused");
        let (early, refused) = (run.calls(), throttled(&run));
        assert!(run.plumbing.run_until_quiet(LIMIT).await);
        run.all_let_go(1_000, "CONTINUE");
        let stats = run.plumbing.stats();
        assert_eq!((stats.failed_records, stats.timed_out, stats.dead_letters.len()), (0, 0, 0), "{name}");
        assert_eq!(run.logged("the look took too long").len(), 0, "{name}: nothing is thrown away");
        let last = run.fake.with(|world| {
            world.actions().filter_map(|action| action.outcome).map(|outcome| outcome.at).max()
        });
        let last = last.unwrap().as_secs();
        println!(
            "a thousand leave at once, {name}: DRAINING within 5 s after {early} calls ({refused} throttled, all recovered); the last let go after {last} s, {} calls ({} throttled) in {} invocations",
            run.calls(),
            throttled(&run),
            stats.invocations
        );
        assert!(last < 900, "{name}: before a heartbeat's time is over: {last} s");
    }
}

#[tokio::test(start_paused = true)]
async fn many_idle_instances_are_read_by_their_clusters_lists_where_these_are_short() {
    // Running tasks on the instance that stays: one page, or more pages than forty instances pay for.
    for (name, elsewhere, lists) in [("short", 50, 2), ("long", 1_100, 10 + 2 * 40)] {
        let mut run = Run::new(roomy(41), Wiring::default());
        let stays = run.fake.with(|world| world.instances("prod-ecs")).pop().unwrap();
        run.fake.with(|world| {
            for _ in 0..elsewhere {
                world.run_standalone(&stays, "batch", Duration::from_secs(1), None).unwrap();
            }
            for id in world.instances("prod-ecs") {
                if id != stays {
                    world.scale_in_instance(&id);
                }
            }
        });
        assert!(run.plumbing.run_until(|world| world.actions().all(|a| a.outcome.is_some()), LIMIT).await);
        run.all_let_go(40, "CONTINUE");
        assert_eq!(run.count("ListTasks"), lists, "{name}: {:#?}", run.story());
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_instance_among_many_whose_task_still_stops_is_not_let_go() {
    let mut run = Run::new(roomy(31), Wiring::default());
    let busy = run.fake.with(|world| {
        let id = world.instances("prod-ecs").remove(3);
        // Told to stop before the instances leave: ECS counts no task on it.
        world.run_standalone(&id, "batch", Duration::from_secs(400), Some(Duration::from_secs(1))).unwrap();
        id
    });
    run.run(3).await;
    run.scale_in(30);
    run.finish().await.all_let_go(30, "CONTINUE");
    assert!(run.delay(&busy) < 3.0, "{:#?}", run.story());
}

#[tokio::test(start_paused = true)]
async fn from_the_last_tasks_event_to_the_completed_hook_it_is_four_calls() {
    for (name, cold) in [("a function that knows the drain", false), ("a cold one", true)] {
        for (drain, minutes) in [("of a minute", 1), ("of five hours", 300)] {
            let variables = [("DEADLINE_SECONDS", "172800")];
            let mut run = Run::new(cluster(3), Wiring { cold, ..Wiring::with(&variables) });
            run.plumbing.watch_moves();
            let id = run.fake.with(|world| {
                let id = world.instances("prod-ecs").remove(0);
                for nth in 1..=4 {
                    let end = Duration::from_secs(60 * minutes) * nth / 4;
                    world.run_standalone(&id, "batch", Duration::from_secs(3), Some(end)).unwrap();
                }
                world.scale_in_instance(&id);
                id
            });
            // The invocation that the last event began is the last one to begin before the hook is completed.
            assert!(run.plumbing.run_until(|world| world.hook_outcome(&id).is_some(), LIMIT).await);
            let moves = run.plumbing.take_moves();
            let (began, by) = moves.iter().rev().find(|(_, one)| matches!(one, Move::Began { .. })).unwrap();
            assert!(matches!(by, Move::Began { line: Line::First, .. }), "{name}: by the event");
            // A call has its effect half-way.
            let completed = run.fake.with(|world| world.hook_outcome(&id).unwrap().at) + ROUND_TRIP / 2;
            // Before the first pass that counts tasks, the lists must be waited for.
            let waits = if minutes < 3 { Duration::from_secs(5) } else { Duration::ZERO };
            let calls = completed.saturating_sub(*began + waits).div_duration_f64(ROUND_TRIP).round();
            println!(
                "after the last task of a drain {drain}, {name}: {calls} calls one after another, and a wait of {waits:?}"
            );
            assert!((1.0..=4.0).contains(&calls), "{name}, {drain}: {:#?}", run.story());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn task_events_of_instances_that_stay_cost_one_describe_a_batch() {
    const EVENTS: u64 = 100_000;
    const HOUR: u64 = 3_600;
    let mut run = Run::new(cluster(100), Wiring::default());
    let sample: Value =
        serde_json::from_str(include_str!("../../../../events/ecs-drainer/eventbridge-task-stopped.json"))
            .unwrap();
    let ecs = aws_sdk_ecs::Client::new(&run.fake.sdk_config());
    let members = ecs.list_container_instances().cluster("prod").send().await.unwrap();
    let (members, asked) = (members.container_instance_arns.unwrap(), run.calls());
    assert_eq!(members.len(), 100);
    let mut members = members.iter().cycle();
    for second in 0..HOUR {
        for nth in EVENTS * second / HOUR..EVENTS * (second + 1) / HOUR {
            let mut event = sample.clone();
            event["detail"]["containerInstanceArn"] = members.next().unwrap().as_str().into();
            event["detail"]["taskArn"] = names::task_arn("prod", &format!("{nth:032x}")).into();
            run.plumbing.send(event.to_string());
        }
        run.run(1).await;
    }
    run.finish().await;
    let stats = run.plumbing.stats();
    assert_eq!(stats.deliveries, usize::try_from(EVENTS).unwrap());
    let calls = run.calls() - asked;
    println!(
        "task events of instances that stay, {EVENTS} in an hour: {calls} calls in {} invocations",
        stats.invocations
    );
    assert_eq!(calls, stats.invocations, "one a batch");
    assert_eq!(run.count("DescribeContainerInstances"), calls, "and no other");
}

#[tokio::test(start_paused = true)]
async fn marks_leave_the_tokens_to_draining() {
    // Five batches at a time: the first five leave their marks while the others set DRAINING.
    let mut run = Run::new(
        roomy(1_010).service("web", 1_010, 30),
        Wiring::default().plumbing(|plumbing| plumbing.first_concurrency = 5),
    );
    run.scale_in(1_000);
    run.run(5).await;
    assert_eq!(run.logged("set to DRAINING").len(), 1_000);
    assert_eq!(run.count("UpdateContainerInstancesState"), 100, "ten a call, none refused");
}
