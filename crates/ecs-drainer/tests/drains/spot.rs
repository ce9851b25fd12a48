//! Instances that will be gone in two minutes, or are gone already.

use std::time::Duration;

use aws_fake::scenario::{Scenario, ServicePlan};
use aws_fake::world::hooks::EndedBy;

use crate::harness::{Run, TOPIC, Wiring, cluster};

/// A spot notice gives this many seconds.
const NOTICE: u64 = 120;

/// A cluster whose tasks take an hour to stop.
fn busy() -> Scenario {
    cluster(3).service("web", 6, 3_600)
}

fn one(run: &Run) -> String {
    run.fake.with(|world| world.instances("prod-ecs")).remove(0)
}

/// Publishes a spot notice's request for an instance; returns when the instance will be gone.
fn notice(run: &mut Run, id: &str) -> Duration {
    let until = run.fake.now() + Duration::from_secs(NOTICE);
    let date = run.fake.with(|world| world.calendar().rfc3339(until));
    run.plumbing.send(format!(r#"{{"DrainRequest":"spot","EC2InstanceId":"{id}","Until":"{date}"}}"#));
    until
}

fn leave(run: &Run, id: &str) {
    run.fake.with(|world| world.scale_in_instance(id));
}

fn given_up(run: &Run, begins: &str) -> Vec<String> {
    let lines = run.logged(begins);
    lines.iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_spot_notice_is_drained_and_completes_nothing() {
    for cold in [false, true] {
        let scenario = cluster(3).service("web", 6, (20, 60));
        let mut run = Run::new(scenario, Wiring { cold, ..Wiring::default() });
        let id = one(&run);
        notice(&mut run, &id);
        run.finish().await;
        assert_eq!(run.fake.with(|world| world.unstopped_tasks(&id)), 0, "cold {cold}");
        assert_eq!(run.logged("drained, no hook to complete").len(), 1, "cold {cold}: {:#?}", run.story());
        assert!(run.fake.now() < Duration::from_secs(NOTICE), "cold {cold}: its queue is the urgent one");
        assert!(run.calls() <= 40, "cold {cold}: {:#?}", run.story());
    }
}

#[tokio::test(start_paused = true)]
async fn tasks_that_do_not_stop_in_time_are_named_before_the_end() {
    let mut run = Run::new(busy(), Wiring::default());
    let id = one(&run);
    let until = notice(&mut run, &id);
    run.run(until.saturating_sub(run.fake.now()).as_secs()).await;
    let told = given_up(&run, "given up, no hook to complete");
    assert_eq!(told, ["given up, no hook to complete: the deadline has come; still there: service:web 2"]);
    assert!(run.plumbing.is_idle(), "no continuation is left: {:?}", run.plumbing);
}

#[tokio::test(start_paused = true)]
async fn a_hook_of_the_same_instance_is_completed_before_the_end() {
    // Seconds from the lifecycle message to the notice; before the notice, if negative.
    for (name, apart) in [
        ("the hook came a minute before", 60),
        ("seconds before", 5),
        ("in the same batch", 0),
        ("seconds after", -5),
        ("half a minute after", -30),
    ] {
        for cold in [false, true] {
            let mut run = Run::new(busy(), Wiring { cold, ..Wiring::default() });
            let id = one(&run);
            let apart_by = u64::try_from(i64::abs(apart)).unwrap();
            let until = if apart >= 0 {
                leave(&run, &id);
                if apart > 0 {
                    run.run(apart_by).await;
                }
                notice(&mut run, &id)
            } else {
                let until = notice(&mut run, &id);
                run.run(apart_by).await;
                leave(&run, &id);
                until
            };
            run.run(until.saturating_sub(run.fake.now()).as_secs()).await;
            let outcome = run.fake.with(|world| world.hook_outcome(&id));
            let outcome = outcome.unwrap_or_else(|| panic!("{name}, cold {cold}: {:#?}", run.story()));
            assert_eq!((outcome.by, outcome.tasks_not_stopped), (EndedBy::Call, 2), "{name}, cold {cold}");
            let told = given_up(&run, "hook completed");
            assert_eq!(
                told,
                ["hook completed: the deadline has come; still there: service:web 2"],
                "{name}, cold {cold}"
            );
            run.finish().await;
            assert_eq!(run.count("CompleteLifecycleAction"), 1, "{name}, cold {cold}: {:#?}", run.story());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_hook_is_completed_as_soon_as_the_instance_is_empty() {
    for (name, hook, request) in [
        ("the hook came a minute before", 0, 60),
        ("the hook came before", 0, 5),
        ("together", 0, 0),
        ("the request came before", 5, 0),
        ("the request came half a minute before", 30, 0),
    ] {
        for cold in [false, true] {
            let scenario = cluster(3).service("web", 6, (80, 90));
            let mut run = Run::new(scenario, Wiring { cold, ..Wiring::default() });
            let id = one(&run);
            for second in 0..=60 {
                if second == hook {
                    leave(&run, &id);
                }
                if second == request {
                    notice(&mut run, &id);
                }
                run.run(1).await;
            }
            run.finish().await.all_let_go(1, "CONTINUE");
            let delay = run.delay(&id);
            assert!(delay < 2.0, "{name}, cold {cold}: {delay} s after the last task: {:#?}", run.story());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_chain_serves_a_hook_and_an_operators_request() {
    for (name, hook_first) in [("the hook first", true), ("the request first", false)] {
        for cold in [false, true] {
            let scenario = cluster(3).service("web", 6, 1_800);
            let mut run = Run::new(scenario, Wiring { cold, ..Wiring::default() });
            let id = one(&run);
            let request = format!(r#"{{"DrainRequest":"kernel update","EC2InstanceId":"{id}"}}"#);
            if hook_first {
                leave(&run, &id);
                run.run(20).await;
                run.plumbing.send(request);
            } else {
                run.plumbing.send(request);
                run.run(20).await;
                leave(&run, &id);
            }
            run.finish().await.all_let_go(1, "CONTINUE");
            let passes = run.count("PublishBatch");
            assert!(passes <= 1_800 / 180 + 2, "{name}, cold {cold}: {passes} passes in half an hour");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_is_terminated_ends_its_drain_at_once() {
    for (name, cold, terminated_first) in [
        ("in the middle of its drain", false, false),
        ("in the middle of its drain, cold", true, false),
        ("before Auto Scaling has noticed", false, true),
    ] {
        let scenario = busy().set(|settings| settings.state_events = true);
        let mut run = Run::new(scenario, Wiring { cold, ..Wiring::default() });
        let id = one(&run);
        if !terminated_first {
            leave(&run, &id);
            run.run(30).await;
        }
        run.fake.with(|world| world.terminate(&id));
        run.run(60).await;
        let outcome = run.fake.with(|world| world.hook_outcome(&id)).expect(name);
        assert_eq!(outcome.by, EndedBy::Call, "{name}");
        assert!(outcome.at < Duration::from_secs(50), "{name}: {:?}", outcome.at);
        assert_eq!(run.logged("hook completed: EC2 has terminated the instance").len(), 1, "{name}");
        run.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_termination_that_is_nobodys_business_costs_one_call_for_fifty() {
    let mut run = Run::new(cluster(2), Wiring::default());
    for n in 0..100 {
        run.plumbing.send(format!(
            r#"{{"source":"aws.ec2","detail-type":"EC2 Instance State-change Notification","detail":{{"instance-id":"i-{n:017x}","state":"terminated"}}}}"#
        ));
    }
    run.finish().await;
    assert_eq!((run.calls(), run.count("DescribeAutoScalingInstances")), (2, 2), "{:#?}", run.story());
}

#[tokio::test(start_paused = true)]
async fn a_notice_for_an_instance_in_no_cluster_ends_at_its_first_look() {
    let scenario = Scenario::new(1).cluster("prod", 1).hook(TOPIC, 900).with_service(ServicePlan::default());
    let mut run = Run::new(scenario, Wiring::with(&[("CLUSTERS", "prod")]));
    run.run(30).await;
    let calendar = run.fake.with(|world| world.calendar());
    let until = calendar.rfc3339(run.fake.now() + Duration::from_secs(NOTICE));
    for (name, launched, passes) in
        [("launched a day ago", "2025-12-31T00:00:00Z", 0), ("just launched", "2026-01-01T00:00:29Z", 6)]
    {
        let before = run.count("PublishBatch");
        run.plumbing.send(format!(
            r#"{{"DrainRequest":"spot","EC2InstanceId":"i-0123","Until":"{until}","LaunchedAt":"{launched}"}}"#
        ));
        run.plumbing.run_until_quiet(Duration::from_secs(600)).await;
        assert_eq!(run.count("PublishBatch") - before, passes, "{name}: {:#?}", run.story());
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_little_time_does_not_wait_for_what_has_only_begun() {
    let mut run = Run::new(cluster(2).service("web", 1, 3_600), Wiring::default());
    let tasks = |id: &String| run.fake.with(|world| world.unstopped_tasks(id));
    let (busy, idle): (Vec<_>, Vec<_>) =
        run.fake.with(|world| world.instances("prod-ecs")).into_iter().partition(|id| tasks(id) > 0);
    leave(&run, &idle[0]);
    notice(&mut run, &busy[0]);
    run.run(5).await;
    assert_eq!(run.plumbing.stats().invocations, 1, "both in one batch: {:#?}", run.story());
    assert_eq!(run.count("PublishBatch"), 1, "{:#?}", run.story());
    assert_eq!(run.count("CompleteLifecycleAction"), 0, "the idle one is not settled: {:#?}", run.story());
    run.run(10).await;
    assert_eq!(run.count("CompleteLifecycleAction"), 1, "{:#?}", run.story());
}
