//! What EC2 tells the event bus.

use std::time::Duration;

use aws_fake::{
    scenario::Scenario,
    world::{World, clock::Calendar, launches::MachinePlan},
};
use serde_json::{Value, json};

use crate::{GROUP, build, prod, seconds, told};

/// Something that is done to an instance.
type Deed = fn(&mut World, &str);
/// A state, and the second at which it is told.
type Told = (u64, &'static str);

#[test]
fn events_have_the_documented_shapes() {
    let id = "i-0b662ef9931388ba0";
    let arn = format!("arn:aws:ec2:us-east-1:123456789012:instance/{id}");
    let event = |kind: &str, resource: &str, detail: Value| {
        json!({
            "version": "0", "detail-type": kind, "source": "aws.ec2", "account": "123456789012",
            "time": "2026-01-01T00:00:01Z", "region": "us-east-1", "resources": [resource], "detail": detail,
        })
    };
    let warning = |action: &str| {
        let detail = json!({"instance-id": id, "instance-action": action});
        let resource = format!("arn:aws:ec2:us-east-1b:instance/{id}");
        event("EC2 Spot Instance Interruption Warning", &resource, detail)
    };
    let state = |state: &str| {
        let detail = json!({"instance-id": id, "state": state});
        event("EC2 Instance State-change Notification", &arn, detail)
    };
    let recommended = event("EC2 Instance Rebalance Recommendation", &arn, json!({"instance-id": id}));
    let rows: [(&str, Deed, Vec<Value>); 6] = [
        ("interrupted", World::interrupt, vec![warning("terminate")]),
        ("stopped", |world, id| world.interrupt_with(id, "stop"), vec![warning("stop")]),
        ("hibernated", |world, id| world.interrupt_with(id, "hibernate"), vec![warning("hibernate")]),
        ("recommended", World::recommend_rebalance, vec![recommended]),
        ("terminated by a call", World::terminate_machine, vec![state("shutting-down")]),
        ("gone", |world, id| world.machine_goes(id), vec![state("shutting-down"), state("terminated")]),
    ];
    for (case, deed, expected) in rows {
        let plan = MachinePlan {
            ids: vec![id.to_owned()],
            zones: vec!["us-east-1b".to_owned()],
            ..MachinePlan::default()
        };
        let scenario = Scenario::new(1).set(|settings| settings.state_events = true).machines(plan);
        let mut world = scenario.build(Calendar::default());
        world.advance_to(Duration::from_millis(1_999));
        deed(&mut world, id);
        let mut seen: Vec<_> = told(&mut world).into_iter().map(|(_, event)| event).collect();
        for event in &mut seen {
            let given = event.as_object_mut().and_then(|event| event.remove("id"));
            assert_eq!(given.and_then(|id| id.as_str().map(str::len)), Some(36), "{case}: a UUID");
        }
        assert_eq!(seen, expected, "{case}");
    }
}

/// A short cut to a machine that needs no time to shut down.
trait Goes {
    fn machine_goes(&mut self, id: &str);
}

impl Goes for World {
    fn machine_goes(&mut self, id: &str) {
        self.settings_mut().stopping = Duration::ZERO;
        self.terminate_machine(id);
    }
}

#[test]
fn state_events_come_at_the_moment_of_the_change() {
    let rows: [(&str, Deed, &[Told]); 7] = [
        ("by a call", World::terminate_machine, &[(0, "shutting-down"), (20, "terminated")]),
        ("at once", World::terminate, &[(0, "shutting-down"), (0, "terminated")]),
        ("dead", World::die, &[(10, "shutting-down"), (10, "terminated")]),
        ("interrupted", World::interrupt, &[(120, "shutting-down"), (140, "terminated")]),
        ("scaled in", World::scale_in_instance, &[(0, "shutting-down"), (1, "terminated")]),
        (
            "twice",
            |world, id| {
                world.interrupt(id);
                world.terminate_machine(id);
            },
            &[(0, "shutting-down"), (20, "terminated")],
        ),
        ("stopped, and missed", World::stop_machine, &[(10, "shutting-down"), (11, "terminated")]),
    ];
    for (case, deed, expected) in rows {
        for on in [false, true] {
            let scenario = prod().set(|settings| settings.state_events = on);
            let (mut world, instance) = build(scenario);
            deed(&mut world, &instance);
            world.advance_to(seconds(600));
            let mut seen = Vec::new();
            for (at, event) in told(&mut world) {
                assert_eq!(event["detail"]["instance-id"], instance.as_str(), "{case}");
                let state = event["detail"]["state"].as_str().map(str::to_owned);
                seen.extend(state.map(|state| (at, state)));
            }
            let expected: Vec<_> =
                expected.iter().filter(|_| on).map(|(at, state)| (*at, (*state).to_owned())).collect();
            assert_eq!(seen, expected, "{case}, state events: {on}");
        }
    }
}

#[test]
fn events_change_nothing_about_a_seed() {
    let run = |events: bool| {
        let scenario = Scenario::new(3).cluster("prod", 5).service("web", 20, (5, 30)).hook("drain", 60);
        let mut world = scenario.set(|settings| settings.state_events = events).build(Calendar::default());
        world.scale_in(GROUP, 3);
        if events {
            let bystander = world.add_machines(&MachinePlan::default()).remove(0);
            world.recommend_rebalance(&bystander);
            world.interrupt(&bystander);
        }
        world.advance_to(seconds(400));
        let calendar = world.calendar();
        let entries = world.history().iter().filter(|entry| entry.what != "interrupted");
        let entries = entries.filter(|entry| entry.what != "rebalance_recommended");
        entries.map(|entry| entry.to_json(calendar).to_string()).collect::<Vec<_>>()
    };
    assert_eq!(run(false), run(true));
}
