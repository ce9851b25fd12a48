//! What goes wrong, and what must hold all the same.

use std::time::Duration;

use aws_fake::faults::{Calls, Fault, FaultKind};
use aws_fake::scenario::{Scenario, ServicePlan};
use aws_fake::world::hooks::{ActionResult, EndedBy};

use crate::harness::{Run, TOPIC, Wiring, cluster, hours, long_drain};

/// How many calls an undisturbed run makes.
async fn undisturbed(cold: bool) -> usize {
    let mut run = long_drain(cold);
    run.scale_in(1);
    run.finish().await.all_let_go(1, "CONTINUE");
    run.calls()
}

fn disturbed(fault: Option<Fault>, cold: bool) -> Run {
    let wiring = Wiring { cold, ..Wiring::default() };
    let scenario = cluster(3).service("web", 6, (100, 1_000));
    Run::new(scenario.set(|settings| settings.faults.extend(fault)), wiring)
}

#[tokio::test(start_paused = true)]
async fn the_function_may_be_killed_between_any_two_calls() {
    for cold in [false, true] {
        let calls = undisturbed(cold).await;
        assert!(calls > 10, "a drain of some calls: {calls}");
        for n in 1..=calls {
            for kind in [FaultKind::KillBefore, FaultKind::KillAfter] {
                let call = u64::try_from(n).unwrap();
                let mut run = disturbed(Some(Fault::of_any(Calls::Nth(call), kind)), cold);
                run.scale_in(1);
                run.finish().await;
                assert_eq!(run.plumbing.stats().killed, 1, "{kind:?} {n}, cold {cold}");
                run.all_let_go(1, "CONTINUE");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn any_one_call_may_fail_in_any_way() {
    let calls = undisturbed(false).await;
    for n in 1..=calls {
        for kind in
            [FaultKind::Throttle, FaultKind::ServerError, FaultKind::TimeoutBefore, FaultKind::TimeoutAfter]
        {
            let call = u64::try_from(n).unwrap();
            let mut run = disturbed(Some(Fault::of_any(Calls::Nth(call), kind)), false);
            run.scale_in(1);
            run.finish().await.all_let_go(1, "CONTINUE");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_spell_of_throttling_at_every_call_is_ridden_out() {
    // Two attempts in five are refused: the SDK's retries do most, the chain the rest.
    for seed in 0..20 {
        let fault = Fault::of_any(Calls::Probability(0.4), FaultKind::Throttle);
        let scenario = cluster(3).service("web", 6, (10, 60));
        let scenario = scenario.set(|settings| {
            settings.seed = seed;
            settings.faults.push(fault);
        });
        let wiring = Wiring::default().plumbing(|plumbing| plumbing.max_receive = 50);
        let mut run = Run::new(scenario, wiring);
        run.scale_in(2);
        run.finish().await.all_let_go(2, "CONTINUE");
    }
}

#[tokio::test(start_paused = true)]
async fn retries_do_not_run_out_in_a_long_spell_of_throttling() {
    // 60 passes of eight attempts: their 420 retries are more than the SDK's 500 tokens would pay for.
    let fault = Fault::of("DescribeContainerInstances", Calls::First(480), FaultKind::Throttle);
    let scenario = cluster(3).service("web", 6, (10, 60)).set(|settings| settings.faults.push(fault));
    let mut run = Run::new(scenario, Wiring::with(&[("DEADLINE_SECONDS", "86400")]));
    run.scale_in(1);
    run.finish().await.all_let_go(1, "CONTINUE");
    let passes = run.story().iter().filter(|line| line.contains("PublishBatch")).count();
    assert_eq!(passes, 61, "the refused, and one that found tasks: {:#?}", run.story());
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_is_throttled_for_half_an_hour_only_delays() {
    for operation in [
        "ListClusters",
        "ListContainerInstances",
        "DescribeContainerInstances",
        "UpdateContainerInstancesState",
        "ListTasks",
        "DescribeTasks",
        "StopTask",
        "PutAttributes",
        "CompleteLifecycleAction",
        "RecordLifecycleActionHeartbeat",
        "DescribeLifecycleHooks",
        "DescribeAutoScalingInstances",
        "PublishBatch",
    ] {
        // Ten passes, or deliveries, of eight attempts each. The hook's timeout leaves room for them.
        let fault = Fault::of(operation, Calls::First(80), FaultKind::Throttle);
        let scenario = Scenario::new(1).cluster("prod", 3).hook(TOPIC, 7_200).service("web", 6, (100, 1_000));
        let scenario =
            scenario.with_cluster(|plan| plan.hook.iter_mut().for_each(|hook| hook.metadata = None));
        let stop = [("STANDALONE_TASKS", "stop"), ("DEADLINE_SECONDS", "86400")];
        let mut run = Run::new(scenario.set(|settings| settings.faults.push(fault)), Wiring::with(&stop));
        let id = run.fake.with(|world| {
            let id = world.instances("prod-ecs").remove(0);
            world.run_standalone(&id, "report", Duration::from_secs(9), None).unwrap();
            world.scale_in_instance(&id);
            world.disconnect_agent(&id);
            id
        });
        run.finish().await.all_let_go(1, "CONTINUE");
        let refused =
            run.story().iter().filter(|line| line.contains(operation) && line.contains("Throttling")).count();
        // A heartbeat is due only every two hours here, and no call is made that is not needed.
        let at_least = if operation == "RecordLifecycleActionHeartbeat" { 0 } else { 4 };
        assert!(refused >= at_least, "{operation} {id}: {:#?}", run.story());
    }
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_cannot_be_completed_is_reported_by_kind_and_times_out_at_its_limit() {
    // The back-off of a refused call's attempts is drawn, and seldom takes longer than a call may: then time has run out.
    for (kind, reported, seldom) in [
        (FaultKind::AccessDenied, "Denied", "Denied"),
        (FaultKind::Throttle, "Throttled", "Unavailable"),
        (FaultKind::ServerError, "Unavailable", "Unavailable"),
        (FaultKind::TimeoutBefore, "Unavailable", "Unavailable"),
    ] {
        let fault = Fault::of("CompleteLifecycleAction", Calls::All, kind);
        let scenario = Scenario::new(1).cluster("prod", 2).hook(TOPIC, 400).service("web", 2, 5);
        let mut run = Run::new(scenario.set(|settings| settings.faults.push(fault)), Wiring::default());
        run.scale_in(1);
        run.finish().await;
        assert_eq!(run.outcomes(), [("CONTINUE".to_owned(), EndedBy::Timeout, 0)]);
        let errors =
            run.logged("hook not completed, to be tried again: autoscaling:CompleteLifecycleAction failed: ");
        assert!(errors.len() > 10, "{kind:?}: one line a pass");
        assert!(errors.iter().all(|line| line["level"] == "ERROR"), "{errors:#?}");
        assert!(errors.iter().all(|line| line["kind"] == reported || line["kind"] == seldom), "{errors:#?}");
        let others = errors.iter().filter(|line| line["kind"] != reported).count();
        assert!(others < errors.len() / 4, "{kind:?}: {errors:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_delivery_that_finds_draining_set_does_not_complete_early() {
    // Every message twice, to a function that remembers nothing: the second finds DRAINING, a running
    // count of 0 (the tasks are no longer wanted) and tasks that have not stopped.
    let quick = ServicePlan {
        tasks: 6,
        minimum_healthy_percent: 0,
        stop_seconds: (90.0, 120.0),
        ..ServicePlan::default()
    };
    let wiring = Wiring::default().cold().plumbing(|plumbing| {
        plumbing.duplicate = 1.0;
        plumbing.delivery_seconds = (0.1, 20.0);
    });
    let mut run = Run::new(cluster(3).with_service(quick), wiring);
    run.scale_in(1);
    run.finish().await.all_let_go(1, "CONTINUE");
    assert!(run.plumbing.stats().duplicates > 3, "{:?}", run.plumbing.stats());
}

#[tokio::test(start_paused = true)]
async fn duplicates_do_not_multiply() {
    for cold in [false, true] {
        let wiring = Wiring { cold, ..Wiring::default() }.plumbing(|plumbing| {
            plumbing.duplicate = 1.0;
            plumbing.delivery_seconds = (0.1, 30.0);
        });
        let mut run = Run::new(cluster(2).service("web", 2, 3_600), wiring);
        run.scale_in(1);
        run.finish().await.all_let_go(1, "CONTINUE");
        let duplicates = run.plumbing.stats().duplicates;
        assert!(duplicates >= 18, "an hour of passes, each twice: {duplicates}");
        let (passes, looks) = (run.count("PublishBatch"), run.count("DescribeContainerInstances"));
        assert!(passes <= 3_600 / 180 + 1, "one chain, cold {cold}: {passes} passes in an hour");
        assert!(
            looks <= passes + 2 + duplicates,
            "one look a duplicate, cold {cold}: {looks} for {passes} passes"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_somebody_else_completed_is_a_success() {
    let mut run = long_drain(false);
    let left = run.scale_in(1);
    run.run(60).await;
    run.fake.with(|world| world.complete_hook(&left[0], ActionResult::Continue));
    run.finish().await;
    assert_eq!(run.plumbing.stats().failed_records, 0);
}

#[tokio::test(start_paused = true)]
async fn a_pass_publishes_before_the_functions_timeout_whatever_hangs() {
    for operation in
        ["ListTasks", "DescribeLifecycleHooks", "RecordLifecycleActionHeartbeat", "CompleteLifecycleAction"]
    {
        // Forty instances whose tasks stop at once, and an operation that does not answer for a while.
        let fault = Fault::of(operation, Calls::First(400), FaultKind::TimeoutBefore);
        let quick = ServicePlan {
            tasks: 100,
            minimum_healthy_percent: 0,
            stop_seconds: (30.0, 60.0),
            ..ServicePlan::default()
        };
        let scenario = cluster(50).with_service(quick).set(|settings| settings.faults.push(fault));
        let mut run =
            Run::new(scenario, Wiring::default().plumbing(|plumbing| plumbing.lose_task_events = true));
        run.scale_in(40);
        run.finish().await;
        assert_eq!(run.plumbing.stats().timed_out, 0, "{operation}");
        let by_call =
            run.outcomes().into_iter().filter(|(.., by, tasks)| *by == EndedBy::Call && *tasks == 0);
        assert_eq!(by_call.count(), 40, "{operation}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_instance_that_cannot_bear_a_mark_spoils_no_others() {
    let mut run = Run::new(cluster(12).service("web", 24, 400), Wiring::default().cold());
    let crowded = run.fake.with(|world| {
        let id = world.instances("prod-ecs").remove(0);
        (0..10).for_each(|n| world.set_attribute(&id, &format!("own-{n}"), "x"));
        id
    });
    run.scale_in(10);
    run.run(20).await;
    let unmarked: Vec<_> = run.fake.with(|world| {
        let held = world.held_instances();
        held.into_iter().filter(|id| world.attribute(id, "fleetkeeper.drain").is_none()).collect()
    });
    assert_eq!(unmarked, [crowded]);
    run.finish().await.all_let_go(10, "CONTINUE");
}

#[tokio::test(start_paused = true)]
async fn an_operator_may_ask_twice_for_an_instance() {
    let mut run = Run::new(cluster(2).service("web", 2, 20), Wiring::default().cold());
    let id = run.fake.with(|world| world.instances("prod-ecs")).remove(0);
    for times in 1..=2 {
        run.plumbing.send(format!(r#"{{"DrainRequest":"again","EC2InstanceId":"{id}","Cluster":"prod"}}"#));
        assert!(run.plumbing.run_until_quiet(hours(3)).await);
        assert_eq!(run.logged("drained, no hook to complete").len(), times);
        run.run(10).await;
    }
}

#[tokio::test(start_paused = true)]
async fn stale_reads_never_let_a_running_task_go() {
    for seed in 0..200 {
        let scenario = cluster(3).service("web", 6, (1, 15)).set(|settings| {
            settings.seed = seed;
            settings.staleness = Duration::from_secs(3);
        });
        let mut run = Run::new(scenario, Wiring { cold: seed % 2 == 0, ..Wiring::default() });
        run.scale_in(2);
        run.finish().await;
        for (result, by, tasks) in run.outcomes() {
            assert_eq!(
                (result.as_str(), by, tasks),
                ("CONTINUE", EndedBy::Call, 0),
                "seed {seed}: {:#?}",
                run.story()
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_was_placed_just_before_draining_is_not_missed() {
    for seed in 0..20 {
        let scenario = cluster(2).set(|settings| {
            settings.seed = seed;
            settings.staleness = Duration::from_secs(3);
        });
        let mut run = Run::new(scenario, Wiring::default());
        run.run(10).await;
        run.fake.with(|world| {
            let id = world.instances("prod-ecs").remove(0);
            let (stop_takes, ends_after) = (Duration::from_secs(5), Duration::from_secs(60));
            world.run_standalone(&id, "report", stop_takes, Some(ends_after)).unwrap();
            world.scale_in_instance(&id);
        });
        run.finish().await.all_let_go(1, "CONTINUE");
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_no_early_answer_has_counted_is_not_missed() {
    // A task that is placed a moment before DRAINING is missing from an old answer. If it ends before an answer counts it,
    // nobody knows of it; and seconds later, one list of tasks is too old to have it, and the other too new.
    for seed in 0..200 {
        let scenario = cluster(2).set(|settings| {
            settings.seed = seed;
            settings.staleness = Duration::from_secs(4);
        });
        let mut run = Run::new(scenario, Wiring { cold: seed % 2 == 0, ..Wiring::default() });
        run.run(10).await;
        run.fake.with(|world| {
            let ends_after = Duration::from_millis(2_000 + 20 * seed);
            for id in world.instances("prod-ecs").into_iter().take(2) {
                world.run_standalone(&id, "report", Duration::from_secs(30), Some(ends_after)).unwrap();
                world.scale_in_instance(&id);
            }
        });
        run.finish().await;
        for (result, by, tasks) in run.outcomes() {
            let expected = ("CONTINUE", EndedBy::Call, 0);
            assert_eq!((result.as_str(), by, tasks), expected, "seed {seed}: {:#?}", run.story());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_message_is_kept_aside_and_the_others_of_its_batch_are_done() {
    let mut run = Run::new(cluster(2).service("web", 2, 10), Wiring::default());
    run.scale_in(1);
    run.plumbing.send(r#"{"LifecycleTransition":"#);
    run.plumbing.send(r#"{"Event":"autoscaling:TEST_NOTIFICATION"}"#);
    run.fake.with(|world| world.publish(&aws_fake::world::names::topic_arn(TOPIC), &"not an object".into()));
    assert!(run.plumbing.run_until_quiet(hours(2)).await);
    run.all_let_go(1, "CONTINUE");
    assert_eq!(run.plumbing.stats().dead_letters, [r#"{"LifecycleTransition":"#]);
    assert_eq!(run.plumbing.stats().filtered, 1, "through the topic it never comes: SNS filters on the body");
    let told = run.logged("record failed, to be delivered again: Records[");
    assert_eq!(told.len(), 20, "one line a delivery");
    assert!(
        told[0]["message"].as_str().unwrap().ends_with("the message is not JSON (line 1, column 23)"),
        "{}",
        told[0]
    );
}
