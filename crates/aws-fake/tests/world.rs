//! The World by itself: the service scheduler, lifecycle hooks, stale reads, deaths.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::time::Duration;

use aws_fake::{
    scenario::{HookPlan, Scenario, ServicePlan},
    world::{
        Departure, World,
        clock::Calendar,
        ecs::Status,
        groups::LifecycleState,
        history::Entry,
        hooks::{ActionResult, EndedBy},
    },
};
use serde_json::Value;

const GROUP: &str = "prod-ecs";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn world(scenario: Scenario) -> World {
    scenario.build(Calendar::default())
}

/// Lets this many seconds pass.
fn pass(world: &mut World, more: u64) {
    world.advance_to(world.now() + seconds(more));
}

fn first_instance(world: &World) -> String {
    world.instances(GROUP)[0].clone()
}

/// Sets the first instance DRAINING.
fn drain(world: &mut World) -> String {
    let instance = first_instance(world);
    world.set_container_instance_status(&instance, Status::Draining);
    instance
}

/// Happenings of one kind, as `group`s or what the field says.
fn seen(world: &World, what: &str, field: &str) -> Vec<String> {
    let entries = world.history().iter().filter(|entry| entry.what == what);
    entries.filter_map(|entry| entry.text(field).map(str::to_owned)).collect()
}

#[test]
fn draining_moves_tasks_as_the_limits_and_the_room_allow() {
    let rows = [
        // Two of four tasks leave an instance of two. Stop takes 10 s, start 3 s, scheduling 1 s.
        ("replacements first", 100, 200, 4_096, [2, 2, 2, 0]),
        ("stop first", 0, 100, 4_096, [2, 2, 0, 0]),
        ("one at a time", 100, 125, 4_096, [2, 2, 2, 1]),
        ("no deployment room", 100, 100, 4_096, [2, 2, 2, 2]),
        ("no room on instances", 100, 200, 256, [2, 2, 2, 2]),
        ("no room, but may go", 50, 200, 256, [2, 2, 0, 0]),
    ];
    for (case, minimum_healthy_percent, maximum_percent, cpu, expected) in rows {
        let service =
            ServicePlan { tasks: 4, minimum_healthy_percent, maximum_percent, ..ServicePlan::default() };
        let scenario = Scenario::new(1).cluster("prod", 2).with_cluster(|cluster| cluster.cpu = cpu);
        let mut world = world(scenario.with_service(service));
        pass(&mut world, 60);
        let instance = drain(&mut world);
        let mut left = Vec::new();
        for wait in [0, 8, 4, 6] {
            pass(&mut world, wait);
            left.push(world.unstopped_tasks(&instance));
        }
        assert_eq!(left, expected, "{case}: tasks left after 0, 8, 12 and 18 s");
    }
}

#[test]
fn a_drain_without_room_goes_on_when_there_is_room() {
    let scenario = Scenario::new(1).cluster("prod", 2).with_cluster(|cluster| cluster.cpu = 128);
    let mut world = world(scenario.service("web", 2, 10));
    let instance = drain(&mut world);
    pass(&mut world, 600);
    assert_eq!(world.unstopped_tasks(&instance), 1, "the other instance is full");
    world.launch_unregistered(GROUP, seconds(5));
    pass(&mut world, 30);
    assert_eq!(world.unstopped_tasks(&instance), 0);
}

#[test]
fn daemon_tasks_go_last_and_standalone_ones_by_themselves() {
    let mut world = world(Scenario::new(1).cluster("prod", 2).service("web", 2, 10).daemon("log-agent", 2));
    let instance = first_instance(&world);
    let batch = world.run_standalone(&instance, "batch", seconds(5), Some(seconds(60)));
    assert!(batch.is_some(), "the instance is registered");
    drain(&mut world);
    pass(&mut world, 50);
    assert_eq!(seen(&world, "task_stopped", "group"), ["service:web"], "the others still run");
    pass(&mut world, 50);
    assert_eq!(seen(&world, "task_stopped", "group"), ["service:web", "family:batch", "service:log-agent"]);
    assert_eq!(
        world.last_stop(&instance),
        Some(seconds(60 + 5 + 1 + 2)),
        "daemon: a scheduler's round later"
    );
}

#[test]
fn going_back_to_active_keeps_the_tasks() {
    let mut world = world(Scenario::new(1).cluster("prod", 2).service("web", 4, 10));
    pass(&mut world, 10);
    let instance = drain(&mut world);
    world.set_container_instance_status(&instance, Status::Active);
    pass(&mut world, 60);
    assert_eq!(world.unstopped_tasks(&instance), 2);
}

/// A World whose group has a hook of this heartbeat timeout, with one instance on its way out.
fn held(heartbeat_seconds: u64, abandon: bool) -> (World, String) {
    let hook = HookPlan { heartbeat_seconds, abandon, topic: Some("drain".into()), ..HookPlan::default() };
    let scenario = Scenario::new(1).cluster("prod", 2).with_cluster(|cluster| cluster.hook = Some(hook));
    let mut world = world(scenario.service("web", 2, 10));
    world.scale_in(GROUP, 1);
    let instance = world.held_instances()[0].clone();
    (world, instance)
}

#[test]
fn a_hook_times_out_with_its_default_result() {
    for (abandon, expected) in [(false, ActionResult::Continue), (true, ActionResult::Abandon)] {
        let (mut world, instance) = held(60, abandon);
        pass(&mut world, 59);
        assert_eq!(world.lifecycle_state(&instance), Some(LifecycleState::TerminatingWait));
        pass(&mut world, 1);
        let outcome = world.hook_outcome(&instance).expect("it timed out");
        let told = (outcome.result, outcome.by, outcome.at, outcome.tasks_not_stopped);
        assert_eq!(told, (expected, EndedBy::Timeout, seconds(60), 1));
        assert_eq!(world.lifecycle_state(&instance), Some(LifecycleState::TerminatingProceed));
        pass(&mut world, 1);
        assert_eq!(world.lifecycle_state(&instance), Some(LifecycleState::Terminated));
        assert_eq!(seen(&world, "task_killed", "last_status"), ["RUNNING"], "nobody drained it");
        assert_eq!(world.container_instance_status(&instance), Some(Status::Inactive));
    }
}

#[test]
fn a_completed_hook_knows_the_truth() {
    let (mut world, instance) = held(600, false);
    world.set_container_instance_status(&instance, Status::Draining);
    pass(&mut world, 6);
    assert_eq!(world.unstopped_tasks(&instance), 1, "its desired status is STOPPED, its last is not");
    pass(&mut world, 60);
    world.complete_hook(&instance, ActionResult::Continue);
    let outcome = world.hook_outcome(&instance).expect("completed");
    assert_eq!((outcome.by, outcome.tasks_not_stopped), (EndedBy::Call, 0));
    pass(&mut world, 600);
    assert!(seen(&world, "task_killed", "group").is_empty());
    assert_eq!(seen(&world, "hook_completed", "result"), ["CONTINUE"], "once");
}

#[test]
fn what_leaves_has_the_documented_shapes() {
    let (mut world, instance) = held(600, false);
    world.set_container_instance_status(&instance, Status::Draining);
    pass(&mut world, 60);
    let mut notified = Vec::new();
    let mut events = Vec::new();
    for outgoing in world.take_outbox() {
        match outgoing.what {
            Departure::Notification { topic, message, .. } => notified.push((topic, message)),
            Departure::Event(event) => events.push(event),
        }
    }
    assert_eq!(notified.len(), 1);
    let (topic, message) = &notified[0];
    assert_eq!(topic, "arn:aws:sns:us-east-1:123456789012:drain");
    let message: Value = serde_json::from_str(message).expect("JSON");
    assert_eq!(message["EC2InstanceId"], instance.as_str());
    assert_eq!(message["LifecycleTransition"], "autoscaling:EC2_INSTANCE_TERMINATING");
    assert_eq!(message["Time"], "2026-01-01T00:00:00.000Z");
    let kinds: Vec<_> =
        events.iter().map(|event| event["detail-type"].as_str().unwrap_or_default()).collect();
    assert_eq!(kinds, ["EC2 Instance-terminate Lifecycle Action", "ECS Task State Change"]);
    let detail = &events[1]["detail"];
    let told =
        ["group", "startedBy", "launchType", "lastStatus", "stopCode"].map(|field| detail[field].as_str());
    let expected =
        ["service:web", "ecs-svc/9223370556150183303", "EC2", "STOPPED", "ServiceSchedulerInitiated"];
    assert_eq!(told, expected.map(Some));
    assert!(
        detail["containerInstanceArn"].as_str().is_some_and(|arn| arn.contains(":container-instance/prod/"))
    );
}

#[test]
fn instances_die_in_different_ways() {
    let (mut dead, instance) = held(600, false);
    dead.die(&instance);
    assert_eq!(dead.lifecycle_state(&instance), Some(LifecycleState::Terminated), "forgotten at once");
    assert_eq!(dead.unstopped_tasks(&instance), 1, "ECS does not know yet");
    pass(&mut dead, 11);
    assert_eq!(dead.unstopped_tasks(&instance), 0);
    assert_eq!(dead.container_instance_status(&instance), Some(Status::Inactive));
    assert_eq!(dead.hook_outcome(&instance).map(|outcome| outcome.by), Some(EndedBy::Cancelled));

    let scenario = Scenario::new(1).cluster("prod", 2).service("web", 2, 10).hook("drain", 600);
    let mut by_hand = world(scenario);
    let instance = first_instance(&by_hand);
    by_hand.terminate(&instance);
    assert_eq!(by_hand.unstopped_tasks(&instance), 0, "killed");
    pass(&mut by_hand, 11);
    assert_eq!(
        by_hand.lifecycle_state(&instance),
        Some(LifecycleState::TerminatingWait),
        "held all the same"
    );
    pass(&mut by_hand, 60);
    assert_eq!(by_hand.instances(GROUP).len(), 3, "with the replacement");
}

#[test]
fn an_instance_comes_back_from_the_warm_pool() {
    let scenario = Scenario::new(1).cluster("prod", 2).with_cluster(|cluster| cluster.reuse = true);
    let mut world = world(scenario.service("web", 2, 10).hook("drain", 600));
    assert!(!world.take_back(&first_instance(&world)), "it is in use");
    let mut tokens = Vec::new();
    for round in 0..2 {
        let instance = drain(&mut world);
        world.scale_in_instance(&instance);
        pass(&mut world, 30);
        let open = world.actions().find(|action| action.outcome.is_none()).expect("held");
        tokens.push(open.token.clone());
        world.complete_hook(&instance, ActionResult::Continue);
        pass(&mut world, 60);
        let seen = (world.lifecycle_state(&instance), world.container_instance_status(&instance));
        assert_eq!(seen, (Some(LifecycleState::Warmed), Some(Status::Draining)), "round {round}");
        assert!(world.take_back(&instance), "round {round}");
        let seen = (world.lifecycle_state(&instance), world.container_instance_status(&instance));
        assert_eq!(seen, (Some(LifecycleState::InService), Some(Status::Active)), "round {round}");
        pass(&mut world, 60);
        assert_eq!(world.instances(GROUP).len(), 2, "round {round}: nothing else is launched or terminated");
    }
    assert_ne!(tokens[0], tokens[1], "one instance, one hook, two actions");

    // In the pool it can die like any other.
    let instance = drain(&mut world);
    world.scale_in_instance(&instance);
    world.complete_hook(&instance, ActionResult::Continue);
    world.terminate(&instance);
    assert_eq!(world.lifecycle_state(&instance), Some(LifecycleState::Terminated));
    assert!(!world.take_back(&instance));
}

#[test]
fn every_hook_of_a_group_holds_an_instance() {
    let mut world = world(Scenario::new(1).cluster("prod", 2).hook("drain", 600));
    world.put_hook(GROUP, HookPlan { name: "logs".into(), heartbeat_seconds: 60, ..HookPlan::default() });
    world.put_hook(GROUP, HookPlan { name: "logs".into(), heartbeat_seconds: 30, ..HookPlan::default() });
    let instance = first_instance(&world);
    world.scale_in_instance(&instance);
    pass(&mut world, 31);
    let held: Vec<_> = world.actions().filter(|action| action.outcome.is_none()).collect();
    assert_eq!(held.iter().map(|action| action.hook.name.as_str()).collect::<Vec<_>>(), ["drain"]);
    assert_eq!(world.lifecycle_state(&instance), Some(LifecycleState::TerminatingWait));
}

#[test]
fn an_agent_answers_again_where_there_is_a_machine() {
    let mut world = world(Scenario::new(1).cluster("prod", 2).service("web", 4, 10));
    let instance = first_instance(&world);
    world.disconnect_agent(&instance);
    world.deregister(&world.instances(GROUP)[1].clone());
    pass(&mut world, 30);
    let placed = |world: &World| world.unstopped_tasks(&instance);
    assert_eq!(placed(&world), 2, "a silent agent gets no tasks");
    world.reconnect_agent(&instance);
    world.set_container_instance_status(&instance, Status::Draining);
    world.set_container_instance_status(&instance, Status::Active);
    pass(&mut world, 30);
    assert_eq!(placed(&world), 4);
}

#[test]
fn only_a_machine_that_is_there_registers_anew() {
    for (name, dies, placed) in [("there", false, 2), ("gone", true, 1)] {
        let mut world = world(Scenario::new(1).cluster("prod", 1).daemon("agent", 1));
        let instance = first_instance(&world);
        if dies {
            world.die(&instance);
            pass(&mut world, 30);
        }
        world.register_anew(&instance);
        pass(&mut world, 30);
        let on_it = |entry: &&Entry| {
            entry.what == "task_started" && entry.text("instance") == Some(instance.as_str())
        };
        assert_eq!(world.history().iter().filter(on_it).count(), placed, "{name}");
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed| {
        let scenario = Scenario::new(seed).cluster("prod", 5).service("web", 20, (5, 30)).hook("drain", 60);
        let mut world = world(scenario);
        world.scale_in(GROUP, 3);
        for instance in world.held_instances() {
            world.set_container_instance_status(&instance, Status::Draining);
        }
        pass(&mut world, 300);
        let calendar = world.calendar();
        world.history().iter().map(|entry| entry.to_json(calendar).to_string()).collect::<Vec<_>>()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}
