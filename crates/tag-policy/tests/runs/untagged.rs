//! Instances without a tag: named, stopped or terminated, and above all left alone.

use std::time::Duration;

use aws_fake::faults::{Calls, Fault, FaultKind};
use aws_fake::world::identity::Identity;
use aws_fake::world::launches::MachinePlan;
use aws_fake::world::machines::{MachineState, Spot};
use serde_json::{Value, json};

use crate::harness::{World, days, machines, published, scenario};

/// A fleet of forty in order, and one that is planned otherwise, seen for a day under this setting.
async fn seen_for_a_day(plan: MachinePlan, action: &str) -> (World, Vec<String>) {
    let fine = [("ProjectCode", "x"), ("CreatedBy", "x"), ("Expires", "x")];
    let world = World::new_with_rest(plan, &fine, &[("UNTAGGED_ACTION", action)]);
    let ids = world.untagged();
    world.run("seen-1").await;
    tokio::time::sleep(days(1)).await;
    (world, ids)
}

impl World {
    fn new_with_rest(plan: MachinePlan, fine: &[(&str, &str)], variables: &[(&str, &str)]) -> Self {
        Self::with(scenario(&published()).machines(machines(100, fine)).machines(plan), variables)
    }

    fn untagged(&self) -> Vec<String> {
        let bare = |id: &String| {
            let own = self.fake.with(|world| world.tags(id));
            own.keys().all(|key| key.starts_with("aws:"))
        };
        self.ids().into_iter().filter(bare).collect()
    }
}

/// What the report says became of the first untagged instance.
fn outcome(summary: &Value) -> String {
    let outcome = &summary["untagged"][0]["outcome"];
    let held = outcome.pointer("/left/held").or_else(|| outcome.pointer("/left/spared")).unwrap_or(outcome);
    held.as_str().map_or_else(|| held.to_string(), str::to_owned)
}

#[tokio::test(start_paused = true)]
async fn by_default_they_are_named_and_tagged() {
    let world = World::new(scenario(&published()).machines(machines(2, &[])));
    let summary = world.run("e-1").await;
    assert_eq!((outcome(&summary), &summary["counts"]["untagged"]), ("reportOnly".to_owned(), &json!(2)));
    assert_eq!(world.tagged("ProjectCode", "Proj007"), 2);
    assert!(world.mails()[0].1.contains("\nInstances without a tag\n"));
}

#[tokio::test(start_paused = true)]
async fn they_are_ended_after_their_grace_and_not_tagged_meanwhile() {
    for (action, state, outcome_then) in
        [("stop", "stopping", "stopped"), ("terminate", "shutting-down", "terminated")]
    {
        let (world, ids) = seen_for_a_day(machines(3, &[]), action).await;
        assert!(
            world.reports()[0]["untagged"][0]["outcome"]["left"]["held"]["grace"].is_object(),
            "{action}"
        );
        assert_eq!(world.written(), vec![], "{action}: a tag would hide it");
        let summary = world.run("seen-2").await;
        for id in &ids {
            assert_eq!(world.state(id), state, "{action}");
        }
        assert_eq!((outcome(&summary).as_str(), &summary["counts"][outcome_then]), (outcome_then, &json!(3)));
        assert!(world.mails().last().unwrap().1.contains(&outcome_then.to_uppercase()));
        assert_eq!(world.written(), vec![], "{action}: no rule is applied to it");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_spared_stays_and_why_is_said() {
    let one = || machines(1, &[]);
    for (name, plan, action, expected) in [
        ("in a group", MachinePlan { group: Some("web".to_owned()), ..one() }, "terminate", "autoScaling"),
        ("spot", MachinePlan { spot: Some(Spot::OneTime), ..one() }, "terminate", "spot"),
        ("managed", MachinePlan { managed_by: Some("eks".to_owned()), ..one() }, "terminate", "managed"),
        ("on an instance store", MachinePlan { instance_store: true, ..one() }, "stop", "instanceStore"),
        ("protected", MachinePlan { termination_protected: true, ..one() }, "terminate", "protected"),
        (
            "protected against the other",
            MachinePlan { termination_protected: true, ..one() },
            "stop",
            "protected",
        ),
        ("protected against stopping", MachinePlan { stop_protected: true, ..one() }, "stop", "protected"),
        ("stopped already", MachinePlan { state: MachineState::Stopped, ..one() }, "stop", "stopped"),
        ("pending", MachinePlan { state: MachineState::Pending, ..one() }, "terminate", "changing"),
    ] {
        let (world, ids) = seen_for_a_day(plan, action).await;
        let before = world.state(&ids[0]);
        let summary = world.run("seen-2").await;
        assert_eq!(world.state(&ids[0]), before, "{name}");
        assert_eq!((world.count("StopInstances"), world.count("TerminateInstances")), (0, 0), "{name}");
        // What is spared for good was tagged by the first run, and is no longer untagged.
        let said =
            if summary["untagged"] == json!([]) { outcome(&world.reports()[0]) } else { outcome(&summary) };
        assert_eq!(said, expected, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_exempt_instance_is_spared() {
    let mut rules = published();
    rules[0]["Exempt"] = json!({"M": {"aws:cloudformation:stack-name": {"S": "lab"}}});
    let lab = machines(1, &[("aws:cloudformation:stack-name", "lab")]);
    let world = World::with(
        scenario(&rules).machines(machines(100, &[("Name", "x")])).machines(lab),
        &[("UNTAGGED_ACTION", "terminate")],
    );
    world.run("e-1").await;
    tokio::time::sleep(days(2)).await;
    world.run("e-2").await;
    assert_eq!(world.count("TerminateInstances"), 0);
    assert_eq!(outcome(&world.reports()[0]), "exempt");
}

#[tokio::test(start_paused = true)]
async fn over_the_cap_none_is_touched_and_tagging_goes_on() {
    for (name, untagged, variables, touched) in [
        ("within both", 5, vec![], 5),
        ("over the count", 5, vec![("ACTION_CAP", "4")], 0),
        ("over the percentage", 6, vec![], 0),
        ("switched off", 1, vec![("ACTION_CAP", "0")], 0),
    ] {
        let variables: Vec<_> = [("UNTAGGED_ACTION", "terminate")].into_iter().chain(variables).collect();
        let world = World::new_with_rest(machines(untagged, &[]), &[("Name", "x")], &variables);
        world.run("e-1").await;
        world.fake.with(|world| {
            let id = world.machines().find(|one| !one.tags.newest().is_empty()).unwrap().id.clone();
            world.delete_tag(&id, "ProjectCode");
        });
        tokio::time::sleep(days(1)).await;
        let summary = world.run("e-2").await;
        let going = world.ids().iter().filter(|id| world.state(id) == "shutting-down").count();
        assert_eq!((going, &summary["cap"]["exceeded"]), (touched, &json!(touched == 0)), "{name}");
        assert_eq!(summary["counts"]["tagsRepaired"], 1, "{name}");
        if touched == 0 {
            assert!(world.mails().last().unwrap().1.contains("none was touched"), "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_wide_cap_is_used_without_a_throttle() {
    let variables = [("UNTAGGED_ACTION", "terminate"), ("ACTION_CAP", "1000"), ("ACTION_CAP_PERCENT", "100")];
    let world = World::new_with_rest(machines(300, &[]), &[("Name", "x")], &variables);
    world.run("e-1").await;
    tokio::time::sleep(days(1)).await;
    let summary = world.run("e-2").await;
    assert_eq!(summary["counts"]["terminated"], 300);
    assert_eq!((world.errors(), world.count("DescribeInstanceAttribute")), (Vec::<String>::new(), 600));
}

#[tokio::test(start_paused = true)]
async fn one_that_is_protected_or_gone_does_not_save_the_others() {
    let (world, ids) = seen_for_a_day(machines(5, &[]), "terminate").await;
    // After the last look: protected without the reads having seen it, and gone.
    let event = world.scheduled("seen-2");
    let latency = Fault::of("TerminateInstances", Calls::All, FaultKind::Latency(Duration::from_secs(2)));
    world.fake.with(|world| world.add_fault(latency));
    world.fake.with(|world| world.protect(&ids[0], false));
    let change = async {
        // Between the second read and the act.
        while world.count("DescribeInstanceAttribute") < 10 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        world.fake.with(|world| {
            world.protect(&ids[0], true);
            world.remove_machine(&ids[1]);
        });
    };
    let (summary, ()) = tokio::join!(world.invoke(&event, "request-2"), change);
    let summary = summary.unwrap();
    assert_eq!((world.state(&ids[0]).as_str(), world.state(&ids[1]).as_str()), ("running", "gone"));
    for id in &ids[2..] {
        assert_eq!(world.state(id), "shutting-down");
    }
    assert_eq!((&summary["counts"]["terminated"], &summary["counts"]["failures"]), (&json!(3), &json!(2)));
}

#[tokio::test(start_paused = true)]
async fn what_gets_a_tag_before_the_act_is_left() {
    let (world, ids) = seen_for_a_day(machines(2, &[]), "terminate").await;
    let event = world.scheduled("seen-2");
    let tag = async {
        // After the first read, before the second.
        let before = world.count("UpdateItem");
        while world.count("UpdateItem") == before {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        world.fake.with(|world| world.set_tag(&ids[0], "Name", "mine"));
    };
    let (summary, ()) = tokio::join!(world.invoke(&event, "request-2"), tag);
    assert_eq!((world.state(&ids[0]).as_str(), world.state(&ids[1]).as_str()), ("running", "shutting-down"));
    let left = summary.unwrap()["untagged"]
        .as_array()
        .unwrap()
        .iter()
        .any(|one| one["instance"] == ids[0].as_str() && one["outcome"]["left"]["held"] == "changed");
    assert!(left);
}

#[tokio::test(start_paused = true)]
async fn a_users_tag_does_not_reset_the_first_sighting() {
    let (world, ids) = seen_for_a_day(machines(1, &[]), "terminate").await;
    world.fake.with(|world| world.set_tag(&ids[0], "Name", "mine"));
    world.run("tagged").await;
    assert_eq!(world.state(&ids[0]), "running");
    let own = world.fake.with(|world| world.tags(&ids[0]));
    world.fake.with(|world| own.keys().for_each(|key| world.delete_tag(&ids[0], key)));
    world.run("untagged-again").await;
    assert_eq!(world.state(&ids[0]), "shutting-down");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_ended_before_its_launcher_has_been_looked_up() {
    let young =
        MachinePlan { launched_ago: days(5), owner: Some(Identity::iam_user("ann")), ..machines(1, &[]) };
    let (world, ids) = seen_for_a_day(young, "terminate").await;
    // The first run has looked it up. Forget it, and let the trail be down.
    let reservation = world.fake.with(|world| world.machine(&ids[0]).unwrap().reservation.clone());
    assert_eq!(world.item(&format!("owner#{reservation}")).unwrap()["Owner"]["S"], "ann");
    let expired = json!({"Id": {"S": format!("owner#{reservation}")}, "ExpiresAt": {"N": "1"}});
    world.fake.with(|world| {
        world.put_item(crate::harness::STATE, &expired);
        world.add_fault(Fault::of("LookupEvents", Calls::First(4), FaultKind::ServerError));
    });
    let summary = world.run("down").await;
    assert_eq!((outcome(&summary).as_str(), world.state(&ids[0]).as_str()), ("ownerPending", "running"));
    let summary = world.run("up").await;
    assert_eq!((outcome(&summary).as_str(), world.state(&ids[0]).as_str()), ("terminated", "shutting-down"));
    assert_eq!(summary["untagged"][0]["owner"], "ann");
}

#[tokio::test(start_paused = true)]
async fn a_fall_of_the_fleet_or_a_faulty_rule_ends_nothing() {
    for name in ["fall", "faulty"] {
        let (world, ids) = seen_for_a_day(machines(2, &[]), "terminate").await;
        world.fake.with(|world| {
            if name == "fall" {
                let gone: Vec<String> =
                    world.machines().map(|one| one.id.clone()).filter(|id| !ids.contains(id)).collect();
                gone.iter().take(60).for_each(|id| world.remove_machine(id));
            } else {
                world.put_item(crate::harness::RULES, &json!({"RuleId": {"N": "9"}}));
            }
        });
        let summary = world.run("e-2").await;
        assert_eq!(
            (outcome(&summary).as_str(), world.state(&ids[0]).as_str()),
            ("notThisRun", "running"),
            "{name}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_names_what_is_due_and_ends_nothing() {
    let (world, ids) = seen_for_a_day(machines(2, &[]), "terminate").await;
    let summary = world.invoke(&json!({"dryRun": true}), "request-dry").await.unwrap();
    assert_eq!((&summary["cap"]["due"], outcome(&summary).as_str()), (&json!(2), "notThisRun"));
    assert_eq!(world.state(&ids[0]), "running");
}
