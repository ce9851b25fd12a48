//! Stopping and terminating, and what protects from it.

use std::time::Duration;

use aws_fake::{
    FakeAws,
    faults::{Calls, Fault, FaultKind},
    scenario::{GroupPlan, Scenario},
    world::{
        Departure,
        launches::MachinePlan,
        machines::{MachineState, Spot},
    },
};
use aws_sdk_ec2::types::{AttributeBooleanValue, InstanceAttributeName};
use tokio::time::sleep;

use crate::{Clients, NO_ID, clients, code, ids, plan, refusal, tags};

#[tokio::test(start_paused = true)]
async fn machines_stop_and_go_in_time() {
    let Clients { fake, ec2, .. } = clients(Scenario::new(1).machines(plan(2)));
    let some = ids(&fake);
    let state = |id: &str| fake.with(|world| world.machine_state(id)).map_or("", MachineState::name);
    let stopped = ec2.stop_instances().instance_ids(&some[0]).send().await.expect("stopped");
    let change = &stopped.stopping_instances()[0];
    let names = [change.previous_state(), change.current_state()]
        .map(|state| state.unwrap().name().unwrap().as_str());
    assert_eq!(names, ["running", "stopping"]);
    ec2.terminate_instances().instance_ids(&some[1]).send().await.expect("terminated");
    ec2.terminate_instances().instance_ids(&some[1]).send().await.expect("again");
    let mut seen = Vec::new();
    for wait in [1, 25, 3_600] {
        sleep(Duration::from_secs(wait)).await;
        seen.push([state(&some[0]), state(&some[1])]);
    }
    assert_eq!(seen, [["stopping", "shutting-down"], ["stopped", "terminated"], ["stopped", ""]]);
    assert_eq!(
        code(ec2.terminate_instances().instance_ids(&some[1]).send().await),
        "InvalidInstanceID.NotFound"
    );
    ec2.stop_instances().instance_ids(&some[0]).send().await.expect("it is stopped already");
}

#[tokio::test(start_paused = true)]
async fn a_protected_instance_keeps_its_zone() {
    for stop in [false, true] {
        let scenario = Scenario::new(1).machines(plan(6));
        let Clients { fake, ec2, .. } = clients(scenario);
        let some = ids(&fake);
        let zone_of = |id: &str| fake.with(|world| world.machine(id).unwrap().zone.clone());
        let guarded = some[0].clone();
        fake.with(|world| {
            world.change_machine(&guarded, |machine| {
                if stop { machine.stop_protected = true } else { machine.termination_protected = true }
            });
        });
        let refused = if stop {
            refusal(ec2.stop_instances().set_instance_ids(Some(some.clone())).send().await)
        } else {
            refusal(ec2.terminate_instances().set_instance_ids(Some(some.clone())).send().await)
        };
        assert_eq!(refused.0, "OperationNotPermitted");
        assert!(refused.1.contains(&guarded), "{}", refused.1);
        for id in &some {
            let runs = fake.with(|world| world.machine_state(id)) == Some(MachineState::Running);
            assert_eq!(runs, zone_of(id) == zone_of(&guarded), "{id}");
        }
        let attribute = if stop { "disableApiStop" } else { "disableApiTermination" };
        let told = ec2
            .describe_instance_attribute()
            .instance_id(&guarded)
            .attribute(InstanceAttributeName::from(attribute));
        let told = told.send().await.expect("told");
        let value = if stop { told.disable_api_stop() } else { told.disable_api_termination() };
        assert_eq!(value.and_then(AttributeBooleanValue::value), Some(true));
    }
}

#[tokio::test(start_paused = true)]
async fn stopping_and_terminating_are_refused_wholly() {
    let rows = [
        ("pending", MachinePlan { state: MachineState::Pending, ..plan(1) }, "IncorrectInstanceState", true),
        (
            "terminated",
            MachinePlan { state: MachineState::Terminated, ..plan(1) },
            "IncorrectInstanceState",
            true,
        ),
        ("an instance store", MachinePlan { instance_store: true, ..plan(1) }, "UnsupportedOperation", true),
        (
            "a one-time spot",
            MachinePlan { spot: Some(Spot::OneTime), ..plan(1) },
            "UnsupportedOperation",
            true,
        ),
        (
            "managed",
            MachinePlan { managed_by: Some("ecs.amazonaws.com".into()), ..plan(1) },
            "OperationNotPermitted",
            false,
        ),
    ];
    for (case, machine, expected, terminates) in rows {
        let Clients { fake, ec2, .. } = clients(Scenario::new(1).machines(machine).machines(plan(1)));
        let both = Some(ids(&fake));
        assert_eq!(
            code(ec2.stop_instances().set_instance_ids(both.clone()).send().await),
            expected,
            "{case}"
        );
        let running = |fake: &FakeAws| {
            fake.with(|world| {
                world
                    .machines()
                    .filter(|machine| machine.seen(world.now()) == Some(MachineState::Running))
                    .count()
            })
        };
        assert!(running(&fake) >= 1, "{case}: nothing was stopped");
        let answer = ec2.terminate_instances().set_instance_ids(both).send().await;
        assert_eq!(answer.is_ok(), terminates, "{case}: {answer:?}");
    }
    let Clients { fake, ec2, .. } = clients(Scenario::new(1).machines(plan(1)));
    let some = ids(&fake);
    let call = ec2.terminate_instances().instance_ids(&some[0]).instance_ids(NO_ID);
    assert_eq!(code(call.send().await), "InvalidInstanceID.NotFound");
    assert_eq!(
        code(ec2.stop_instances().instance_ids(&some[0]).dry_run(true).send().await),
        "DryRunOperation"
    );
    let denied = Fault::of("TerminateInstances", Calls::All, FaultKind::AccessDenied);
    fake.with(|world| world.add_fault(denied));
    let call = ec2.terminate_instances().instance_ids(&some[0]).dry_run(true);
    assert_eq!(code(call.send().await), "UnauthorizedOperation");
    assert_eq!(fake.with(|world| world.machine_state(&some[0])), Some(MachineState::Running));
}

#[tokio::test(start_paused = true)]
async fn groups_launch_machines_and_miss_them() {
    let scenario = Scenario::new(1).cluster("prod", 2).with_cluster(|cluster| {
        cluster.tags.insert("team".into(), "web".into());
    });
    let Clients { fake, ec2, .. } =
        clients(scenario.group(GroupPlan { name: "idle".into(), ..GroupPlan::default() }));
    let members = fake.with(|world| world.instances("prod-ecs"));
    assert_eq!(ids(&fake), members);
    let first = &members[0];
    let expected = tags(&[("aws:autoscaling:groupName", "prod-ecs"), ("team", "web")]);
    assert_eq!(fake.with(|world| world.tags(first)), expected);
    ec2.terminate_instances().instance_ids(first).send().await.expect("terminated");
    sleep(Duration::from_mins(2)).await;
    let now = fake.with(|world| world.instances("prod-ecs"));
    assert!(now.len() == 2 && !now.contains(first), "replaced: {now:?}");
    assert_eq!(fake.with(|world| world.machine_state(first)), Some(MachineState::Terminated));
    let outbox = fake.with(aws_fake::world::World::take_outbox);
    assert!(
        outbox.iter().all(
            |outgoing| !matches!(&outgoing.what, Departure::Event(event) if event["source"] == "aws.ec2")
        )
    );
}
