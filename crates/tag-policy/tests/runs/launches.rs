//! What has just been launched.

use std::time::Duration;

use aws_fake::faults::{Calls, Fault, FaultKind};
use aws_fake::scenario::GroupPlan;
use aws_fake::world::identity::Identity;
use aws_fake::world::launches::Launch;
use serde_json::{Value, json};

use crate::harness::{TODAY, World, machines, published, scenario, tags};

fn empty() -> World {
    World::new(scenario(&published()))
}

/// Launches, and gives the event that AWS would send.
fn launch(world: &World, launch: &Launch) -> (Vec<String>, Value) {
    let ids = world.fake.with(|world| world.launch(launch));
    (ids, world.launch_events().remove(0))
}

#[tokio::test(start_paused = true)]
async fn new_instances_are_tagged_at_once_with_their_launcher_and_no_look_up() {
    let world = empty();
    let own = Launch {
        count: 3,
        tags: tags(&[("ProjectCode", "Mine")]),
        ..Launch::by(Identity::sso("Admin", "ann@example.com"))
    };
    let (ids, event) = launch(&world, &own);
    let calls = world.call_count();
    let summary = world.invoke(&event, "request-1").await.unwrap();
    for id in &ids {
        let expected = tags(&[("ProjectCode", "Mine"), ("CreatedBy", "ann@example.com"), ("Expires", TODAY)]);
        assert_eq!(world.fake.with(|world| world.tags(id)), expected);
    }
    assert_eq!(summary["run"]["kind"], "launch");
    let expected =
        [("CreateTags", 1), ("DescribeInstances", 1), ("Publish", 1), ("Scan", 1), ("UpdateItem", 2)];
    assert_eq!(world.calls(calls), expected.map(|(name, count)| (name.to_owned(), count)).into());
    let again = world.invoke(&event, "request-2").await.unwrap();
    assert_eq!(again, json!({"skipped": "this launch has been answered"}));
    assert_eq!(world.mails().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_launch_that_failed_or_names_nothing_is_handled() {
    let world = empty();
    world.fake.with(|world| world.launch_failed(&Identity::iam_user("ann"), "Client.InstanceLimitExceeded"));
    let failed = world.launch_events().remove(0);
    assert_eq!(world.invoke(&failed, "request-1").await, Ok(json!({"skipped": "the launch failed"})));
    assert_eq!(world.call_count(), 0);
    // Too large an answer is left out of the event; the trail's resources name the instances.
    let (ids, mut event) = launch(&world, &Launch { count: 2, ..Launch::by(Identity::iam_user("ann")) });
    event["detail"]["responseElements"] = Value::Null;
    world.invoke(&event, "request-2").await.unwrap();
    assert_eq!((world.count("LookupEvents"), world.tagged("CreatedBy", "ann")), (1, ids.len()));
    // Not even that: nothing to do now, the next run sees them.
    let (_, mut event) = launch(&world, &Launch::by(Identity::iam_user("bob")));
    event["detail"]["responseElements"] = Value::Null;
    event["detail"]["eventID"] = json!("00000000-0000-0000-0000-000000000000");
    let summary = world.invoke(&event, "request-3").await.unwrap();
    assert_eq!(summary["counts"]["instances"], 0);
    assert_eq!(world.tagged("CreatedBy", "bob"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_launch_into_a_group_is_the_creators() {
    let by_service = Identity::service("autoscaling.amazonaws.com");
    let group = |pairs: &[(&str, &str)]| GroupPlan {
        name: "web".to_owned(),
        tags: tags(pairs),
        ..GroupPlan::default()
    };
    for (name, group, expected) in [
        ("its tag says so", group(&[("CreatedBy", "bob")]), Some("bob")),
        ("left to the next run", group(&[]), None),
    ] {
        let world = World::new(scenario(&published()).group(group));
        let own = tags(&[("aws:autoscaling:groupName", "web")]);
        let (ids, event) = launch(&world, &Launch { tags: own, ..Launch::by(by_service.clone()) });
        world.invoke(&event, "request-1").await.unwrap();
        assert_eq!(world.tag(&ids[0], "CreatedBy").as_deref(), expected, "{name}");
        assert_eq!(world.tag(&ids[0], "ProjectCode").as_deref(), Some("Proj007"), "{name}");
        assert_eq!(world.count("LookupEvents"), 0, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn instances_that_cannot_be_seen_yet_are_looked_for_again() {
    for (name, invisible, seen) in [("a moment", 2, true), ("long", 60, false)] {
        let world = empty();
        let (ids, event) = launch(&world, &Launch::by(Identity::iam_user("ann")));
        // EC2 is eventually consistent: the reads come from before the launch.
        let hidden = world.fake.with(|world| {
            let machine = world.machine(&ids[0]).cloned();
            world.remove_machine(&ids[0]);
            machine
        });
        let appear = async {
            tokio::time::sleep(Duration::from_secs(invisible)).await;
            world.fake.with(|world| world.restore_machine(hidden.unwrap()));
        };
        let (summary, ()) = tokio::join!(world.invoke(&event, "request-1"), appear);
        assert_eq!(summary.unwrap()["counts"]["notVisible"], usize::from(!seen), "{name}");
        assert_eq!(world.tag(&ids[0], "CreatedBy").is_some(), seen, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn launches_in_other_vpcs_are_none_of_its_business() {
    let world = World::with(scenario(&published()), &[("VPC_IDS", "vpc-0a")]);
    let (ids, event) =
        launch(&world, &Launch { vpc: "vpc-0b".to_owned(), ..Launch::by(Identity::iam_user("ann")) });
    let summary = world.invoke(&event, "request-1").await.unwrap();
    assert_eq!((&summary["counts"]["instances"], &summary["counts"]["notVisible"]), (&json!(0), &json!(0)));
    assert_eq!((world.tag(&ids[0], "ProjectCode"), world.mails().len()), (None, 0));
}

#[tokio::test(start_paused = true)]
async fn rules_with_a_grace_wait_for_the_launchers_own_tags() {
    let mut rules = published();
    rules[0]["GraceHours"] = json!({"N": "2"});
    let world = World::new(scenario(&rules));
    let (ids, event) = launch(&world, &Launch::by(Identity::iam_user("ann")));
    world.invoke(&event, "request-1").await.unwrap();
    assert_eq!(
        (world.tag(&ids[0], "ProjectCode"), world.tag(&ids[0], "CreatedBy").as_deref()),
        (None, Some("ann"))
    );
    world.run("e-1").await;
    assert_eq!(world.tag(&ids[0], "ProjectCode"), None);
    world.run("e-2").await;
    assert_eq!(world.tag(&ids[0], "ProjectCode").as_deref(), Some("Proj007"));
}

#[tokio::test(start_paused = true)]
async fn a_report_of_a_launch_can_be_kept_to_problems() {
    for (setting, mails) in [("all", 1), ("problems", 0)] {
        let world = World::with(scenario(&published()), &[("LAUNCH_REPORTS", setting)]);
        let own = Launch { tags: tags(&[("Name", "x")]), ..Launch::by(Identity::iam_user("ann")) };
        let (_, event) = launch(&world, &own);
        world.invoke(&event, "request-1").await.unwrap();
        assert_eq!(world.mails().len(), mails, "{setting}");
    }
}

#[tokio::test(start_paused = true)]
async fn where_untagged_instances_are_stopped_a_launch_does_not_hide_them() {
    let world = World::with(
        scenario(&published()).machines(machines(50, &[("Name", "x")])),
        &[("UNTAGGED_ACTION", "stop")],
    );
    let (ids, event) = launch(&world, &Launch::by(Identity::iam_user("ann")));
    world.invoke(&event, "request-1").await.unwrap();
    assert_eq!(world.fake.with(|world| world.tags(&ids[0])), tags(&[]), "no rule tags what is to be stopped");
    assert_eq!(world.count("BatchWriteItem"), 1, "but its launcher is remembered");
    let reservation = world.fake.with(|world| world.machine(&ids[0]).unwrap().reservation.clone());
    assert_eq!(world.item(&format!("owner#{reservation}")).unwrap()["Owner"]["S"], "ann");
}

#[tokio::test(start_paused = true)]
async fn a_launch_that_could_not_be_tagged_is_tried_again() {
    let world = empty();
    world.fake.with(|world| world.add_fault(Fault::of("Scan", Calls::First(4), FaultKind::ServerError)));
    let (ids, event) = launch(&world, &Launch::by(Identity::iam_user("ann")));
    let error = world.invoke(&event, "request-1").await.unwrap_err();
    assert!(error.starts_with("dynamodb:Scan failed"), "{error}");
    tokio::time::sleep(Duration::from_secs(60)).await;
    world.invoke(&event, "request-1").await.unwrap();
    assert_eq!(world.tag(&ids[0], "CreatedBy").as_deref(), Some("ann"));
}
