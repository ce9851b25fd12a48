//! The wiring from a topic to a function, in paused time, with a function that drains naively.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::{cell::RefCell, rc::Rc, time::Duration};

use aws_fake::{
    FakeAws,
    faults::{Calls, Fault, FaultKind},
    plumbing::{Ending, Move, Plumbing, PlumbingSettings},
    scenario::Scenario,
    world::{Departure, Outgoing, clock::Moment, ecs::Status},
};
use aws_sdk_ecs::types::{ContainerInstanceStatus, DesiredStatus};
use serde_json::{Value, json};

const GROUP: &str = "prod-ecs";
const HOUR: Duration = Duration::from_hours(1);

fn fake(faults: Vec<Fault>) -> FakeAws {
    let scenario = Scenario::new(3).set(|settings| settings.faults = faults);
    FakeAws::new(scenario.cluster("prod", 3).service("web", 6, 20).hook("drain", 900))
}

/// What a recording function saw: when, how many records, and how often the first had been received.
type Seen = Rc<RefCell<Vec<(Moment, usize, String)>>>;

/// A function that writes down what it gets and answers this.
fn recorder(fake: &FakeAws, settings: PlumbingSettings, answer: Result<Value, String>) -> (Plumbing, Seen) {
    let seen = Seen::default();
    let (fake, log) = (fake.clone(), Rc::clone(&seen));
    let plumbing = Plumbing::new(&fake.clone(), settings, move |event| {
        let records = event["Records"].as_array().cloned().unwrap_or_default();
        let count =
            records[0]["attributes"]["ApproximateReceiveCount"].as_str().unwrap_or("direct").to_owned();
        log.borrow_mut().push((fake.now(), records.len(), count));
        std::future::ready(answer.clone())
    });
    (plumbing, seen)
}

#[tokio::test(start_paused = true)]
async fn messages_are_batched_and_delayed_by_their_queue() {
    let fake = fake(vec![]);
    let (mut plumbing, seen) = recorder(&fake, PlumbingSettings::default(), Ok(json!({})));
    fake.with(|world| {
        let topic = "arn:aws:sns:us-east-1:123456789012:drain";
        world.publish(topic, &json!({"EC2InstanceId": "i-1"}));
        world.publish(topic, &json!({"EC2InstanceId": "i-2"}));
        world.publish(topic, &json!({"DrainPass": 2}));
        world.publish(topic, &json!({"DrainPass": 2, "Until": "2026-01-01T00:02:00Z"}));
        world.publish(topic, &json!({"DrainRequest": "spot", "Until": "2026-01-01T00:02:00Z"}));
        world.publish(topic, &json!("no object"));
    });
    assert!(plumbing.run_until_quiet(HOUR).await);
    let seen: Vec<_> = seen.borrow().iter().map(|(at, records, _)| (at.as_secs(), *records)).collect();
    assert_eq!(
        seen,
        [(1, 3), (16, 1), (181, 1)],
        "the window; the urgent interval and the pass interval with it"
    );
    let stats = plumbing.stats();
    assert_eq!((stats.invocations, stats.deliveries, stats.filtered), (3, 5, 1));
}

#[tokio::test(start_paused = true)]
async fn failures_come_back_and_die_at_last() {
    let rows = [
        ("an error", Err("boom".to_owned()), false, [1, 182, 363, 544, 725].to_vec()),
        (
            "an answer that names nobody",
            Ok(json!({"batchItemFailures": [{}]})),
            false,
            [1, 182, 363, 544, 725].to_vec(),
        ),
        ("an error, from the topic", Err("boom".to_owned()), true, [0, 60, 180].to_vec()),
    ];
    for (case, answer, direct, expected) in rows {
        let fake = fake(vec![]);
        let settings = PlumbingSettings { direct, max_receive: 5, ..PlumbingSettings::default() };
        let (mut plumbing, seen) = recorder(&fake, settings, answer);
        fake.with(|world| world.publish("arn:aws:sns:us-east-1:123456789012:drain", &json!({})));
        assert!(plumbing.run_until_quiet(HOUR * 2).await, "{case}");
        let at: Vec<_> = seen.borrow().iter().map(|(at, ..)| at.as_secs()).collect();
        assert_eq!(at, expected, "{case}");
        assert_eq!(plumbing.stats().dead_letters, ["{}"], "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn messages_are_doubled_and_events_lost_if_asked() {
    let fake = fake(vec![]);
    let settings = PlumbingSettings { duplicate: 1.0, lose_task_events: true, ..PlumbingSettings::default() };
    let (mut plumbing, _) = recorder(&fake, settings, Ok(json!(null)));
    let instance = fake.with(|world| {
        world.scale_in(GROUP, 1);
        world.held_instances()[0].clone()
    });
    fake.with(|world| world.set_container_instance_status(&instance, Status::Draining));
    assert!(plumbing.run_until(|world| world.unstopped_tasks(&instance) == 0, HOUR).await);
    plumbing.run_until(|_| false, Duration::from_secs(5)).await;
    let stats = plumbing.stats();
    assert_eq!((stats.deliveries, stats.lost_events), (2, 2), "the message twice, two events");
}

/// An event of the bus, as EC2 and Auto Scaling emit them.
fn event(source: &str, kind: &str, detail: &Value) -> Outgoing {
    let what = json!({"source": source, "detail-type": kind, "detail": detail});
    Outgoing { at: Moment::ZERO, what: Departure::Event(what) }
}

#[tokio::test(start_paused = true)]
async fn events_reach_whom_their_rules_name() {
    let state = "EC2 Instance State-change Notification";
    let rows = [
        ("a task", "aws.ecs", "ECS Task State Change", json!({}), false, (1, 0)),
        ("terminated", "aws.ec2", state, json!({"state": "terminated"}), false, (1, 0)),
        ("shutting down", "aws.ec2", state, json!({"state": "shutting-down"}), false, (0, 0)),
        ("a warning", "aws.ec2", "EC2 Spot Instance Interruption Warning", json!({}), false, (0, 1)),
        ("a hook", "aws.autoscaling", "EC2 Instance-terminate Lifecycle Action", json!({}), true, (1, 0)),
        (
            "a hook without a rule",
            "aws.autoscaling",
            "EC2 Instance-terminate Lifecycle Action",
            json!({}),
            false,
            (0, 0),
        ),
    ];
    for (case, source, kind, detail, lifecycle_events, expected) in rows {
        for (lose_best_effort, lost) in [(0.0, 0), (1.0, usize::from(source != "aws.ecs"))] {
            let fake = fake(vec![]);
            let settings =
                PlumbingSettings { lifecycle_events, lose_best_effort, ..PlumbingSettings::default() };
            let (mut plumbing, seen) = recorder(&fake, settings, Ok(json!(null)));
            let others = Rc::new(RefCell::new(0));
            let counted = Rc::clone(&others);
            let is_warning = |event: &Value| event["detail-type"] == "EC2 Spot Instance Interruption Warning";
            plumbing.invoke_on(is_warning, HOUR, move |event| {
                assert_eq!(event["source"], "aws.ec2", "the event itself, in no envelope");
                *counted.borrow_mut() += 1;
                std::future::ready(Ok(json!(null)))
            });
            plumbing.emit(event(source, kind, &detail));
            assert!(plumbing.run_until_quiet(HOUR).await, "{case}");
            let reached = (seen.borrow().len(), *others.borrow());
            assert_eq!(reached, if lost == 0 { expected } else { (0, 0) }, "{case}");
            assert_eq!(plumbing.stats().lost_events, lost, "{case}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_is_tried_three_times() {
    let fake = fake(vec![]);
    let (mut plumbing, _) = recorder(&fake, PlumbingSettings::default(), Ok(json!(null)));
    let at = Rc::new(RefCell::new(Vec::new()));
    let (clock, seen) = (fake.clone(), Rc::clone(&at));
    plumbing.invoke_on(
        |_| true,
        Duration::from_secs(30),
        move |_| {
            seen.borrow_mut().push(clock.now().as_secs());
            std::future::pending()
        },
    );
    plumbing.watch_moves();
    plumbing.emit(event("aws.ec2", "EC2 Spot Instance Interruption Warning", &json!({})));
    assert!(plumbing.run_until_quiet(HOUR).await);
    assert_eq!(*at.borrow(), [0, 90, 240], "a minute after the first has timed out, then two");
    let told: Vec<_> = plumbing.take_moves().iter().map(|(_, moved)| told(moved)).collect();
    assert_eq!(told.join(" "), "sent began timed-out began timed-out began timed-out dead");
}

fn told(moved: &Move) -> &'static str {
    match moved {
        Move::Sent { .. } => "sent",
        Move::Lost(_) => "lost",
        Move::Began { .. } => "began",
        Move::Ended { ending: Ending::TimedOut, .. } => "timed-out",
        Move::Ended { .. } => "ended",
        Move::Dead { .. } => "dead",
    }
}

/// A function that sets the message's instance DRAINING, and completes its hook once its tasks are STOPPED.
/// Until then it names its records as failed. The shortest right drainer, and a wasteful one.
async fn drain(config: aws_config::SdkConfig, event: Value) -> Result<Value, String> {
    let ecs = aws_sdk_ecs::Client::new(&config);
    let scaling = aws_sdk_autoscaling::Client::new(&config);
    let text = |error: &dyn std::error::Error| error.to_string();
    let mut failures = Vec::new();
    for record in event["Records"].as_array().into_iter().flatten() {
        let body: Value =
            serde_json::from_str(record["body"].as_str().unwrap_or_default()).unwrap_or_default();
        let (Some(instance), Some(token)) =
            (body["EC2InstanceId"].as_str(), body["LifecycleActionToken"].as_str())
        else {
            continue;
        };
        let filter = format!("ec2InstanceId=={instance}");
        let listed = ecs
            .list_container_instances()
            .cluster("prod")
            .filter(filter)
            .send()
            .await
            .map_err(|e| text(&e))?;
        let arns = listed.container_instance_arns.unwrap_or_default();
        let draining = ContainerInstanceStatus::Draining;
        let update = ecs.update_container_instances_state().cluster("prod").status(draining);
        update.set_container_instances(Some(arns.clone())).send().await.map_err(|e| text(&e))?;
        let mut tasks = Vec::new();
        for status in [DesiredStatus::Running, DesiredStatus::Stopped] {
            let list = ecs.list_tasks().cluster("prod").container_instance(&arns[0]).desired_status(status);
            tasks.extend(list.send().await.map_err(|e| text(&e))?.task_arns.unwrap_or_default());
        }
        let described =
            ecs.describe_tasks().cluster("prod").set_tasks(Some(tasks)).send().await.map_err(|e| text(&e))?;
        if described.tasks().iter().any(|task| task.last_status() != Some("STOPPED")) {
            failures.push(json!({"itemIdentifier": record["messageId"]}));
            continue;
        }
        let complete =
            scaling.complete_lifecycle_action().auto_scaling_group_name(GROUP).lifecycle_hook_name("drain");
        let complete = complete.lifecycle_action_token(token).lifecycle_action_result("CONTINUE");
        complete.send().await.map_err(|e| text(&e))?;
    }
    Ok(json!({"batchItemFailures": failures}))
}

#[tokio::test(start_paused = true)]
async fn a_function_drains_through_faults() {
    let kill = |operation, nth, kind| vec![Fault::of(operation, Calls::Nth(nth), kind)];
    let rows = [
        ("no fault", vec![], 0),
        ("killed before it drains", kill("UpdateContainerInstancesState", 1, FaultKind::KillBefore), 1),
        ("killed after it drained", kill("UpdateContainerInstancesState", 1, FaultKind::KillAfter), 1),
        ("killed before it completes", kill("CompleteLifecycleAction", 1, FaultKind::KillBefore), 1),
        ("an answer lost", kill("ListTasks", 2, FaultKind::TimeoutBefore), 0),
        ("a tenth throttled", vec![Fault::of_any(Calls::Probability(0.1), FaultKind::Throttle)], 0),
    ];
    for (case, faults, killed) in rows {
        let fake = fake(faults);
        let config = fake.sdk_config();
        let mut plumbing =
            Plumbing::new(&fake, PlumbingSettings::default(), move |event| drain(config.clone(), event));
        let instance = fake.with(|world| {
            world.scale_in(GROUP, 1);
            world.held_instances()[0].clone()
        });
        assert!(plumbing.run_until(|world| world.hook_outcome(&instance).is_some(), HOUR).await, "{case}");
        let outcome = fake.with(|world| world.hook_outcome(&instance)).expect(case);
        assert_eq!(outcome.tasks_not_stopped, 0, "{case}");
        assert_eq!(plumbing.stats().killed, killed, "{case}: {:?}", plumbing.stats());
        assert!(outcome.at < Moment::from_mins(10), "{case}: {:?}", outcome.at);
    }
}

#[tokio::test(start_paused = true)]
async fn a_function_that_hangs_is_ended() {
    let fake = fake(vec![]);
    let mut plumbing =
        Plumbing::new(&fake, PlumbingSettings { max_receive: 5, ..PlumbingSettings::default() }, |_| {
            std::future::pending()
        });
    plumbing.send("{}");
    assert!(plumbing.run_until_quiet(HOUR).await);
    let stats = plumbing.stats();
    assert_eq!((stats.timed_out, stats.dead_letters.len()), (5, 1));
    assert_eq!(stats.running_time.as_secs(), 5 * 90);
}

#[tokio::test(start_paused = true)]
async fn stale_reads_see_the_past() {
    let scenario = Scenario::new(3).set(|settings| settings.staleness = Duration::from_secs(10));
    let fake = FakeAws::new(scenario.cluster("prod", 2).service("web", 2, 20));
    let ecs = aws_sdk_ecs::Client::new(&fake.sdk_config());
    tokio::time::sleep(Duration::from_mins(1)).await;
    let instance = fake.with(|world| world.instances(GROUP)[0].clone());
    fake.with(|world| world.set_container_instance_status(&instance, Status::Draining));
    let mut seen = Vec::new();
    for _ in 0..2 {
        let mut draining = 0;
        for _ in 0..50 {
            let list =
                ecs.list_container_instances().cluster("prod").status(ContainerInstanceStatus::Draining);
            draining += list.send().await.unwrap().container_instance_arns().len();
        }
        seen.push(draining);
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    assert!(seen[0] < 20, "within {seen:?} of 50 reads in the first second the change was there");
    assert_eq!(seen[1], 50, "after the staleness it always is");
}
