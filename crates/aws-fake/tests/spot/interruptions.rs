//! What becomes of an instance that EC2 wants back.

use aws_fake::{
    scenario::{Action, Scenario},
    world::{
        World, clock::Calendar, groups::LifecycleState, history::Entry, hooks::ActionResult,
        launches::MachinePlan, machines::MachineState,
    },
};

use crate::{GROUP, NO_ID, build, prod, seconds, told};

/// What happened to an instance and to any task, each with its second.
fn story(world: &World, instance: &str) -> Vec<String> {
    let line = |entry: &Entry| {
        let what = match entry.what {
            "instance_state" | "target_state" => entry.text("state")?,
            "interrupted" | "rebalance_recommended" | "hook_started" | "task_killed" => entry.what,
            _ => return None,
        };
        let about = entry.text("instance").unwrap_or(instance);
        (about == instance).then(|| format!("{what} {}", entry.at.as_secs()))
    };
    world.history().iter().filter_map(line).collect()
}

#[test]
fn an_interrupted_instance_is_gone_after_two_minutes() {
    let rows: [(&str, bool, bool, &[&str]); 4] = [
        (
            "Auto Scaling sees it when the machine is gone",
            true,
            false,
            &[
                "interrupted 0",
                "task_killed 120",
                "task_killed 120",
                "Terminating 130",
                "Terminating:Wait 130",
                "hook_started 130",
            ],
        ),
        (
            "with Capacity Rebalancing it begins at once, and the hook holds nothing back",
            true,
            true,
            &[
                "interrupted 0",
                "Terminating 2",
                "Terminating:Wait 2",
                "hook_started 2",
                "task_killed 120",
                "task_killed 120",
            ],
        ),
        (
            "without a hook",
            false,
            false,
            &[
                "interrupted 0",
                "task_killed 120",
                "task_killed 120",
                "Terminating 130",
                "Terminating:Proceed 130",
                "Terminated 131",
            ],
        ),
        (
            "without a hook, with Capacity Rebalancing, the two minutes are not used",
            false,
            true,
            &[
                "interrupted 0",
                "Terminating 2",
                "Terminating:Proceed 2",
                "task_killed 3",
                "task_killed 3",
                "Terminated 3",
            ],
        ),
    ];
    for (case, hook, rebalance, expected) in rows {
        let scenario = if hook { prod().hook("drain", 900) } else { prod() };
        let scenario = scenario.with_cluster(|cluster| cluster.capacity_rebalance = rebalance);
        let (mut world, instance) = build(scenario);
        world.interrupt(&instance);
        world.advance_to(seconds(300));
        let seen: Vec<_> = story(&world, &instance);
        // A task's end is recorded before the state that it ends in.
        assert_eq!(sorted(seen), sorted(expected.iter().map(|line| (*line).to_owned()).collect()), "{case}");
        assert_eq!(world.machine_state(&instance), Some(MachineState::Terminated), "{case}");
        world.complete_hook(&instance, ActionResult::Continue);
        world.advance_to(seconds(310));
        assert_eq!(world.lifecycle_state(&instance), Some(LifecycleState::Terminated), "{case}");
        let now = world.instances(GROUP);
        assert!(now.len() == 3 && !now.contains(&instance), "{case}: replaced: {now:?}");
    }
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

/// The second of a look, the machine's state, and how many of its tasks have not stopped.
type Look = (u64, Option<MachineState>, usize);

#[test]
fn the_machine_is_there_until_the_last_moment() {
    let rows: [(&str, &[Look]); 3] = [
        (
            "terminate",
            &[
                (119, Some(MachineState::Running), 2),
                (120, Some(MachineState::ShuttingDown), 0),
                (140, Some(MachineState::Terminated), 0),
                (4_000, None, 0),
            ],
        ),
        (
            "stop",
            &[
                (119, Some(MachineState::Running), 2),
                (120, Some(MachineState::Stopping), 2),
                // A health check later the group has terminated it.
                (130, Some(MachineState::ShuttingDown), 2),
                (131, Some(MachineState::Terminated), 0),
            ],
        ),
        ("hibernate", &[(0, Some(MachineState::Stopping), 2), (11, Some(MachineState::Terminated), 0)]),
    ];
    for (action, expected) in rows {
        let (mut world, instance) = build(prod());
        world.interrupt_with(&instance, action);
        for (second, state, tasks) in expected {
            world.advance_to(seconds(*second));
            let seen = (world.machine_state(&instance), world.unstopped_tasks(&instance));
            assert_eq!(seen, (*state, *tasks), "{action}, after {second} s");
        }
    }
}

#[test]
fn machines_without_a_group_are_interrupted_too() {
    let scenario = Scenario::new(1).machines(MachinePlan { count: 2, ..MachinePlan::default() });
    let mut world = scenario.build(Calendar::default());
    let ids: Vec<_> = world.machines().map(|machine| machine.id.clone()).collect();
    let [one, other] = ids.as_slice() else { panic!("two machines: {ids:?}") };
    world.interrupt(one);
    world.terminate_machine(other);
    world.interrupt(other);
    world.recommend_rebalance(other);
    world.interrupt(NO_ID);
    assert_eq!(told(&mut world).len(), 1, "none about what leaves already, or is not there");
    assert!(world.machine(one).and_then(|machine| machine.spot).is_some(), "it is a spot instance");
    world.advance_to(seconds(119));
    assert_eq!(world.machine_state(one), Some(MachineState::Running));
    world.advance_to(seconds(120));
    assert_eq!(world.machine_state(one), Some(MachineState::ShuttingDown));
}

#[test]
fn a_script_is_played() {
    let scenario = prod()
        .step(seconds(5), Action::RecommendRebalance(GROUP.to_owned()))
        .step(seconds(9), Action::Interrupt(GROUP.to_owned()))
        .step(seconds(10), Action::Interrupt(NO_ID.to_owned()));
    let (mut world, instance) = build(scenario);
    world.advance_to(seconds(60));
    assert_eq!(story(&world, &instance), ["rebalance_recommended 5", "interrupted 9"]);
}
