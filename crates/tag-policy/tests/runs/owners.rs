//! Who launched it.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_fake::faults::{Calls, Fault, FaultKind};
use aws_fake::scenario::{GroupPlan, Scenario};
use aws_fake::world::identity::Identity;
use aws_fake::world::launches::MachinePlan;
use serde_json::json;

use crate::harness::{World, days, hours, machines, published, scenario, tags};

/// One instance, launched by somebody so many days ago, that lacks only its owner.
fn launched(by: Identity, days_ago: u64) -> MachinePlan {
    MachinePlan {
        owner: Some(by),
        launched_ago: days(days_ago),
        ..machines(1, &[("ProjectCode", "x"), ("Expires", "x")])
    }
}

fn fleet(plans: impl IntoIterator<Item = MachinePlan>) -> Scenario {
    plans.into_iter().fold(scenario(&published()), Scenario::machines)
}

/// So many reservations, a quarter of an hour apart, of one or two instances each.
fn reservations(count: u64, apart: Duration) -> Scenario {
    fleet((0..count).map(|n| MachinePlan {
        count: if n % 2 == 0 { 1 } else { 2 },
        launched_ago: hours(24) + apart * u32::try_from(n).unwrap(),
        ..launched(Identity::iam_user(&format!("user{n}")), 1)
    }))
}

#[tokio::test(start_paused = true)]
async fn the_launcher_is_found_in_the_trail_and_written() {
    for (name, plan, expected) in [
        ("an IAM user", launched(Identity::iam_user("ann"), 3), "ann"),
        ("a user of SSO", launched(Identity::sso("Admin", "bob@example.com"), 3), "bob@example.com"),
        ("a machine's role", launched(Identity::assumed_role("ci", "i-0123456789abcdef0"), 3), "ci"),
        (
            "restarted since",
            MachinePlan { attached_ago: Some(days(10)), ..launched(Identity::iam_user("ann"), 1) },
            "ann",
        ),
        (
            "not in the trail",
            MachinePlan { owner: None, ..launched(Identity::iam_user("ann"), 3) },
            "Undefined",
        ),
        ("older than the trail", launched(Identity::iam_user("ann"), 91), "Undefined"),
        (
            "managed",
            MachinePlan {
                managed_by: Some("eks.amazonaws.com".to_owned()),
                ..launched(Identity::iam_user("x"), 3)
            },
            "eks.amazonaws.com",
        ),
    ] {
        let world = World::with(fleet([plan]), &[("OWNER_SOURCE_TAG", "CreatedBySource")]);
        world.run("e-1").await;
        let id = world.ids().remove(0);
        assert_eq!(world.tag(&id, "CreatedBy").as_deref(), Some(expected), "{name}");
        assert!(world.tag(&id, "CreatedBySource").is_some(), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_of_a_group_belongs_to_the_groups_creator() {
    let member = || MachinePlan {
        group: Some("web".to_owned()),
        count: 5,
        per_reservation: 1,
        ..launched(Identity::service("autoscaling.amazonaws.com"), 3)
    };
    let group = |pairs: &[(&str, &str)], creator| GroupPlan {
        name: "web".to_owned(),
        tags: tags(pairs),
        creator,
        created_ago: days(30),
    };
    let ann = || Some(Identity::iam_user("ann"));
    for (name, group, expected, lookups) in [
        ("its tag says so", group(&[("CreatedBy", "bob")], ann()), "bob", 0),
        ("the trail says so", group(&[], ann()), "ann", 1),
        ("nobody can tell", group(&[("CreatedBy", "")], None), "Undefined", 1),
    ] {
        let world = World::new(scenario(&published()).group(group).machines(member()));
        world.run("e-1").await;
        assert_eq!(world.tagged("CreatedBy", expected), 5, "{name}");
        assert_eq!(world.count("LookupEvents"), lookups, "{name}: one for all");
    }
}

#[tokio::test(start_paused = true)]
async fn two_thousand_reservations_are_looked_up_once_each_over_several_runs() {
    let world = World::new(reservations(2_000, Duration::from_secs(900)));
    let mut runs = 0;
    while world.tagged("CreatedBy", "user0") == 0 {
        runs += 1;
        let before = world.count("LookupEvents");
        let summary = world.run(&format!("e-{runs}")).await;
        let lookups = world.count("LookupEvents") - before;
        assert!(lookups <= 200, "{lookups} in one run");
        assert_eq!(summary["lookups"]["owed"], 2_000_usize.saturating_sub(200 * runs), "run {runs}");
        assert!(runs < 20);
    }
    assert_eq!((runs, world.count("LookupEvents")), (10, 2_000));
    assert_eq!(world.errors(), Vec::<String>::new(), "no throttle");
    let mut asked: BTreeMap<String, usize> = BTreeMap::new();
    world.fake.with(|world| {
        for look_up in world.look_ups() {
            *asked.entry(look_up.value.to_owned()).or_default() += 1;
        }
    });
    assert!(asked.len() == 2_000 && asked.values().all(|count| *count == 1), "each once");
    for id in world.ids() {
        assert!(world.tag(&id, "CreatedBy").is_some_and(|owner| owner.starts_with("user")), "{id}");
    }
    let calls = world.call_count();
    world.run("last").await;
    assert!(!world.calls(calls).contains_key("LookupEvents"));
}

#[tokio::test(start_paused = true)]
async fn launches_near_each_other_share_their_look_ups() {
    let world = World::new(reservations(150, Duration::from_secs(60)));
    world.run("e-1").await;
    assert_eq!(world.count("LookupEvents"), 3, "150 events in pages of 50");
    assert_eq!((world.tagged("CreatedBy", "user0"), world.tagged("CreatedBy", "user149")), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn launches_all_day_are_not_called_undefined_for_being_many() {
    // All of them in one window: more than a search has pages for.
    let world = World::new(reservations(1_100, Duration::from_secs(60)));
    world.run("e-1").await;
    assert_eq!(world.tagged("CreatedBy", "Undefined"), 0);
    world.run("e-2").await;
    assert_eq!((world.tagged("CreatedBy", "Undefined"), world.tagged("CreatedBy", "user1099")), (0, 2));
}

#[tokio::test(start_paused = true)]
async fn a_launch_whose_event_does_not_name_its_instances_is_found_by_them() {
    let world = World::new(fleet([launched(Identity::iam_user("ann"), 3)]));
    world.fake.with(aws_fake::world::World::forget_responses);
    world.run("e-1").await;
    assert_eq!(world.tagged("CreatedBy", "ann"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_sweep_through_others_noise_gives_way_to_single_questions() {
    // Two launches in one window, among 400 of others whose instances are gone.
    let noise = (0..400).map(|n| MachinePlan {
        launched_ago: hours(24) + Duration::from_millis(100 * n),
        ..launched(Identity::iam_user("noise"), 1)
    });
    let two = [1, 200].map(|second| MachinePlan {
        launched_ago: hours(24) + Duration::from_secs(second),
        ..launched(Identity::iam_user("ann"), 1)
    });
    let world = World::new(fleet(two.into_iter().chain(noise)));
    world.fake.with(|world| {
        let gone: Vec<String> = world.machines().map(|one| one.id.clone()).collect();
        let owned = |id: &String| {
            world.trail().any(|event| {
                event.identity == Identity::iam_user("ann")
                    && event.resources.iter().any(|(_, name)| name == id)
            })
        };
        let gone: Vec<String> = gone.into_iter().filter(|id| !owned(id)).collect();
        for id in gone {
            world.remove_machine(&id);
        }
    });
    world.run("e-1").await;
    assert_eq!(world.tagged("CreatedBy", "ann"), 2);
    assert!(world.count("LookupEvents") <= 5, "{}", world.count("LookupEvents"));
}

#[tokio::test(start_paused = true)]
async fn what_is_tagged_during_the_look_ups_keeps_its_value() {
    let world = World::new(reservations(20, Duration::from_secs(900)));
    let ids = world.ids();
    let event = world.scheduled("e-1");
    let edit = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        world.fake.with(|world| ids.iter().for_each(|id| world.set_tag(id, "CreatedBy", "me")));
    };
    let (summary, ()) = tokio::join!(world.invoke(&event, "request-1"), edit);
    assert_eq!(summary.unwrap()["lookups"]["answered"], 20);
    assert_eq!(world.tagged("CreatedBy", "me"), ids.len());
    assert_eq!(world.count("CreateTags"), 0);
}

#[tokio::test(start_paused = true)]
async fn what_the_trail_cannot_show_yet_is_asked_again_and_not_called_undefined() {
    let young = MachinePlan {
        owner: None,
        launched_ago: Duration::from_secs(120),
        ..launched(Identity::iam_user("x"), 0)
    };
    let world = World::new(fleet([young]));
    let id = world.ids().remove(0);
    let summary = world.invoke(&world.scheduled("e-1"), "request-1").await.unwrap();
    assert_eq!((world.tag(&id, "CreatedBy"), &summary["lookups"]["owed"]), (None, &json!(1)));
    assert_eq!(world.item("run#all").unwrap()["Owed"]["L"].as_array().unwrap().len(), 1);
    world.run("e-2").await;
    assert_eq!(world.tag(&id, "CreatedBy").as_deref(), Some("Undefined"));
}

#[tokio::test(start_paused = true)]
async fn answers_are_remembered_the_unknown_ones_too() {
    for (name, owner, expected) in
        [("known", Some(Identity::iam_user("ann")), "ann"), ("unknown", None, "Undefined")]
    {
        let world = World::new(fleet([MachinePlan { owner, ..launched(Identity::iam_user("x"), 3) }]));
        let id = world.ids().remove(0);
        world.run("e-1").await;
        world.fake.with(|world| world.delete_tag(&id, "CreatedBy"));
        world.run("e-2").await;
        assert_eq!(world.tag(&id, "CreatedBy").as_deref(), Some(expected), "{name}");
        assert_eq!(world.count("LookupEvents"), 1, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_trail_that_cannot_be_asked_leaves_all_else_done() {
    for (name, kind) in [
        ("denied", FaultKind::AccessDenied),
        ("throttled", FaultKind::Throttle),
        ("down", FaultKind::ServerError),
    ] {
        let world = World::new(fleet([launched(Identity::iam_user("ann"), 3), machines(2, &[])]));
        world.fake.with(|world| world.add_fault(Fault::of("LookupEvents", Calls::First(10), kind)));
        let summary = world.run("e-1").await;
        assert!(
            summary["lookups"]["brokenOff"].as_str().unwrap().starts_with("cloudtrail:LookupEvents failed"),
            "{name}"
        );
        assert_eq!(
            (world.tagged("ProjectCode", "Proj007"), world.tagged("CreatedBy", "ann")),
            (2, 0),
            "{name}"
        );
        assert!(world.mails()[0].1.contains("Look-ups were broken off"), "{name}");
        for run in 2..13 {
            world.run(&format!("e-{run}")).await;
        }
        assert_eq!(world.tagged("CreatedBy", "ann"), 1, "{name}: a later run makes up for it");
    }
}
