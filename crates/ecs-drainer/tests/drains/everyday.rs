//! What happens every day.

use std::time::Duration;

use aws_fake::scenario::{Scenario, ServicePlan};

use crate::harness::{Run, TOPIC, Wiring, cluster};

#[tokio::test(start_paused = true)]
async fn an_empty_instance_is_let_go_at_once() {
    let mut run = Run::new(cluster(2), Wiring::default());
    let left = run.scale_in(1);
    run.finish().await.all_let_go(1, "CONTINUE");
    let at = run.fake.with(|world| world.hook_outcome(&left[0]).unwrap().at);
    // A second in the queue, five until tasks may be counted, five until their lists show all.
    assert!(at < Duration::from_secs(12), "{at:?}");
}

#[tokio::test(start_paused = true)]
async fn one_task_is_waited_for_and_its_end_ends_the_drain() {
    // Before the first pass that counts tasks, the lists must be waited for.
    for (interval, most) in [("15", 3.0), ("180", 8.0)] {
        for cold in [false, true] {
            let wiring = Wiring { cold, ..Wiring::with(&[("PASS_INTERVAL_SECONDS", interval)]) };
            let seconds = interval.parse().unwrap();
            let wiring = wiring.plumbing(|plumbing| plumbing.pass_interval = Duration::from_secs(seconds));
            let mut run = Run::new(cluster(2).service("web", 2, 40), wiring);
            let left = run.scale_in(1);
            run.finish().await.all_let_go(1, "CONTINUE");
            let delay = run.delay(&left[0]);
            assert!(delay < most, "a pass in {interval} s, cold {cold}: {delay} s after the last task");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn without_task_events_the_net_below_lets_it_go() {
    let wiring = Wiring::default().plumbing(|plumbing| plumbing.lose_task_events = true);
    let mut run = Run::new(cluster(2).service("web", 2, 40), wiring);
    let left = run.scale_in(1);
    run.finish().await.all_let_go(1, "CONTINUE");
    let delay = run.delay(&left[0]);
    assert!((3.0..183.0).contains(&delay), "{delay} s");
}

#[tokio::test(start_paused = true)]
async fn two_hundred_and_fifty_tasks_are_read_over_three_pages() {
    let crowded = |plan: &mut aws_fake::scenario::ClusterPlan| {
        plan.cpu = 1_000_000;
        plan.memory = 1_000_000;
    };
    let scenario = cluster(2).with_cluster(crowded).service("web", 500, (5, 90));
    let mut run = Run::new(scenario, Wiring::default());
    run.scale_in(1);
    run.finish().await.all_let_go(1, "CONTINUE");
    let last = run.fake.with(|world| world.calls().last().unwrap().0);
    let final_pass = run.fake.with(|world| {
        let calls = world.calls().filter(|(at, ..)| last.saturating_sub(*at) < Duration::from_secs(1));
        let count = |wanted: &str| calls.filter(|(_, operation, _)| *operation == wanted).count();
        count("DescribeTasks")
    });
    assert_eq!(final_pass, 3, "250 tasks, 100 a call: {:#?}", run.story());
}

#[tokio::test(start_paused = true)]
async fn forty_instances_leave_three_clusters_at_once() {
    let mut scenario = Scenario::new(4);
    for name in ["blue", "green", "red"] {
        scenario = scenario.cluster(name, 20).hook(TOPIC, 900).service("web", 60, (5, 60)).daemon("log", 2);
    }
    let mut run = Run::new(scenario, Wiring::default());
    run.fake.with(|world| {
        for (group, n) in [("blue-ecs", 14), ("green-ecs", 13), ("red-ecs", 13)] {
            world.scale_in(group, n);
        }
    });
    run.run(60).await;
    assert!(run.count("UpdateContainerInstancesState") <= 6, "ten a call: {:#?}", run.story());
    assert!(run.count("ListContainerInstances") <= 3, "a hundred a call: {:#?}", run.story());
    run.finish().await.all_let_go(40, "CONTINUE");
}

#[tokio::test(start_paused = true)]
async fn a_task_may_take_twenty_minutes_and_the_heartbeats_hold_the_hook() {
    let mut run = Run::new(cluster(2).service("batch", 2, 1_200), Wiring::default());
    run.scale_in(1);
    run.finish().await.all_let_go(1, "CONTINUE");
    // 900 s each, renewed when less than two intervals are left.
    assert_eq!(run.count("RecordLifecycleActionHeartbeat"), 2, "{:#?}", run.story());
}

#[tokio::test(start_paused = true)]
async fn a_day_long_drain_is_ordinary() {
    let day = [("DEADLINE_SECONDS", "172800")];
    let mut run = Run::new(cluster(2).service("batch", 2, 86_400), Wiring::with(&day));
    run.scale_in(1);
    run.finish().await.all_let_go(1, "CONTINUE");
    assert!(
        run.count("RecordLifecycleActionHeartbeat") <= 160,
        "{}",
        run.count("RecordLifecycleActionHeartbeat")
    );
}

#[tokio::test(start_paused = true)]
async fn no_room_elsewhere_is_waited_out() {
    // Both instances are full: the service's tasks stay until another instance comes.
    let full = ServicePlan { tasks: 2, cpu: 4_096, ..ServicePlan::default() };
    let mut run = Run::new(cluster(2).with_service(full), Wiring::default());
    let left = run.scale_in(1);
    run.run(600).await;
    let running =
        run.fake.with(|world| (world.unstopped_tasks(&left[0]), world.hook_outcome(&left[0]).is_none()));
    assert_eq!(running, (1, true), "neither stopped nor let go");
    run.fake.with(|world| world.launch_unregistered("prod-ecs", Duration::from_secs(1)));
    run.finish().await.all_let_go(1, "CONTINUE");
}

#[tokio::test(start_paused = true)]
async fn the_cluster_is_found_by_metadata_setting_or_search() {
    let without_metadata = |plan: &mut aws_fake::scenario::ClusterPlan| {
        plan.hook.iter_mut().for_each(|hook| hook.metadata = None);
    };
    for (name, variables, others, metadata, lists) in [
        ("by metadata", &[][..], 3, true, 0),
        ("by the setting", &[("CLUSTERS", "prod")][..], 3, false, 0),
        ("by search", &[][..], 3, false, 1),
        ("by search, over two pages", &[][..], 120, false, 2),
    ] {
        let mut scenario = cluster(2).service("web", 2, 10);
        if !metadata {
            scenario = scenario.with_cluster(without_metadata);
        }
        for n in 0..others {
            scenario = scenario.cluster(&format!("other-{n}"), 1);
        }
        let mut run = Run::new(scenario, Wiring::with(variables));
        run.scale_in(1);
        run.finish().await.all_let_go(1, "CONTINUE");
        assert_eq!(run.count("ListClusters"), lists, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_passes_over_the_filter_drains_nobody_else() {
    let scenario = cluster(150).service("web", 150, 10).set(|settings| settings.ignore_filters = true);
    let mut run = Run::new(scenario, Wiring::default());
    let left = run.scale_in(1);
    run.finish().await.all_let_go(1, "CONTINUE");
    let drained: Vec<_> = run.logged("set to DRAINING").iter().map(|line| line["instance"].clone()).collect();
    assert_eq!(drained, left);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_for_the_drainer_is_one_line_and_a_success() {
    for (sample, lines) in [
        (include_str!("../../../../events/ecs-drainer/sns-test-notification.json"), 1),
        (include_str!("../../../../events/ecs-drainer/sns-launching.json"), 1),
        (include_str!("../../../../events/ecs-drainer/sns-terminate-notice.json"), 1),
        (include_str!("../../../../events/ecs-drainer/eventbridge-spot-warning.json"), 1),
    ] {
        let run = Run::new(cluster(1), Wiring::default());
        let answer = run.drainer.handle(serde_json::from_str(sample).unwrap()).await;
        assert_eq!(answer, Ok(serde_json::Value::Null), "{sample}");
        assert_eq!((run.logged("skipped: ").len(), run.logged("").len()), (lines, lines), "{sample}");
        assert_eq!(run.calls(), 0, "{sample}");
    }
}

#[tokio::test(start_paused = true)]
async fn either_wiring_of_the_first_pass_works() {
    for (name, direct, lifecycle_events) in [
        ("queue", false, false),
        ("topic, straight to the function", true, false),
        ("event bus too", false, true),
    ] {
        let wiring = Wiring::default().plumbing(|plumbing| {
            plumbing.direct = direct;
            plumbing.lifecycle_events = lifecycle_events;
        });
        let mut run = Run::new(cluster(3).service("web", 6, 20), wiring);
        run.scale_in(1);
        run.finish().await.all_let_go(1, "CONTINUE");
        assert_eq!(run.plumbing.stats().failed_records, 0, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_operators_request_is_drained_and_completes_nothing() {
    let mut run = Run::new(cluster(2).service("web", 2, 20), Wiring::default());
    let id = run.fake.with(|world| world.instances("prod-ecs")).remove(0);
    run.plumbing
        .send(format!(r#"{{"DrainRequest":"kernel update","EC2InstanceId":"{id}","Cluster":"prod"}}"#));
    run.finish().await;
    assert_eq!(run.fake.with(|world| world.unstopped_tasks(&id)), 0);
    assert_eq!(run.count("CompleteLifecycleAction"), 0);
}
