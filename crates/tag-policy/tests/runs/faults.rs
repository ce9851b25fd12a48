//! Runs that are cut off, and services that fail.

use std::collections::BTreeMap;

use aws_fake::faults::{Calls, Fault, FaultKind};
use aws_fake::world::identity::Identity;
use aws_fake::world::launches::MachinePlan;
use serde_json::Value;

use crate::harness::{TODAY, World, days, machines, published, scenario};

/// A fleet whose run makes every kind of call: repairs, look-ups, a report, and an instance to stop.
async fn busy() -> World {
    let owned = MachinePlan {
        owner: Some(Identity::iam_user("ann")),
        launched_ago: days(3),
        ..machines(2, &[("Name", "x")])
    };
    let group = MachinePlan { group: Some("web".to_owned()), ..machines(2, &[("ProjectCode", "")]) };
    let world = World::with(
        scenario(&published())
            .machines(machines(60, &[("Name", "x")]))
            .machines(group)
            .machines(machines(1, &[])),
        &[("UNTAGGED_ACTION", "stop")],
    );
    world.run("before").await;
    tokio::time::sleep(days(1)).await;
    world.fake.with(|world| {
        world.add_machines(&owned);
        let ids: Vec<String> = world.machines().map(|one| one.id.clone()).collect();
        for id in ids.iter().take(10) {
            if world.tags(id).len() > 2 {
                world.delete_tag(id, "ProjectCode");
            }
        }
    });
    world
}

/// What a run has to bring about, whatever happened to it.
fn is_in_order(world: &World) -> Vec<String> {
    let mut wrong = Vec::new();
    for id in world.ids() {
        let own = world.fake.with(|world| world.tags(&id));
        let is_bare = own.keys().all(|key| key.starts_with("aws:"));
        if !is_bare
            && ["ProjectCode", "CreatedBy", "Expires"]
                .iter()
                .any(|key| own.get(*key).is_none_or(String::is_empty))
        {
            wrong.push(format!("{id}: {own:?}"));
        }
        if is_bare && !world.state(&id).starts_with("stop") {
            wrong.push(format!("{id} is {}", world.state(&id)));
        }
    }
    wrong
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_killed_at_any_call_is_finished_by_its_retry_and_repeats_no_write() {
    let calls = {
        let world = busy().await;
        let before = world.call_count();
        world.run("e-1").await;
        assert_eq!(is_in_order(&world), Vec::<String>::new());
        world.call_count() - before
    };
    assert!(calls > 12, "{calls} calls: the run is worth killing");
    for nth in 1..=calls {
        for kind in [FaultKind::KillBefore, FaultKind::KillAfter] {
            let world = busy().await;
            let (written, mails) = (world.written().len(), world.mails().len());
            let nth_call = u64::try_from(nth).unwrap();
            world.fake.with(|world| world.add_fault(Fault::of_any(Calls::Nth(nth_call), kind)));
            let event = world.scheduled("e-1");
            let killed = world.survive(&event, "request-1").await;
            assert!(killed.is_none(), "{kind:?} at call {nth}");
            let retried = world.survive(&event, "request-1").await.expect("no second kill").unwrap();
            // A retry ends nothing: the next run does.
            let wrong = is_in_order(&world);
            assert!(wrong.iter().all(|one| one.ends_with("is running")), "{kind:?} at call {nth}: {wrong:?}");
            world.run("e-2").await;
            assert_eq!(is_in_order(&world), Vec::<String>::new(), "{kind:?} at call {nth}");
            let mut repeats: BTreeMap<(String, String), usize> = BTreeMap::new();
            for (id, key, _) in world.written().into_iter().skip(written) {
                *repeats.entry((id, key)).or_default() += 1;
            }
            assert!(
                repeats.values().all(|count| *count == 1),
                "{kind:?} at call {nth}: a tag was written twice"
            );
            assert!(world.mails().len() > mails, "{kind:?} at call {nth}: nobody was told");
            if retried["retried"] == true {
                assert!(
                    world.mails().iter().any(|(_, text)| text.contains("was cut off")),
                    "{kind:?} at call {nth}"
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn another_delivery_while_the_first_is_at_work_does_nothing() {
    let world = busy().await;
    let event = world.scheduled("e-1");
    let (first, second) = tokio::join!(world.invoke(&event, "request-1"), world.invoke(&event, "request-2"));
    let skipped =
        [first.unwrap(), second.unwrap()].iter().filter(|answer| answer.get("skipped").is_some()).count();
    assert_eq!(skipped, 1);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_an_error_before_anything_is_done() {
    for (operation, kind) in [
        ("Scan", FaultKind::AccessDenied),
        ("DescribeInstances", FaultKind::ServerError),
        ("DescribeInstances", FaultKind::TimeoutBefore),
        ("UpdateItem", FaultKind::Throttle),
        ("UpdateItem", FaultKind::AccessDenied),
    ] {
        let world = World::new(scenario(&published()).machines(machines(3, &[])));
        world.fake.with(|world| world.add_fault(Fault::of(operation, Calls::All, kind)));
        let error = world.invoke(&world.scheduled("e-1"), "request-1").await.unwrap_err();
        assert!(error.contains(&format!(":{operation} failed: ")), "{operation} {kind:?}: {error}");
        assert_eq!((world.written(), world.mails().len()), (vec![], 0), "{operation} {kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_report_that_cannot_be_sent_is_an_error_and_its_retry_sends_one() {
    let world = World::new(scenario(&published()).machines(machines(3, &[])));
    world.fake.with(|world| world.add_fault(Fault::of("Publish", Calls::First(4), FaultKind::ServerError)));
    let event = world.scheduled("e-1");
    let error = world.invoke(&event, "request-1").await.unwrap_err();
    assert!(error.starts_with("sns:Publish failed"), "{error}");
    let written = world.written();
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    let summary = world.invoke(&event, "request-1").await.unwrap();
    assert_eq!(summary["retried"], true);
    assert_eq!((world.written(), world.mails().len()), (written, 1));
}

#[tokio::test(start_paused = true)]
async fn writes_that_fail_are_said_and_made_by_the_next_run() {
    for (name, kind) in [
        ("throttled", FaultKind::Throttle),
        ("denied", FaultKind::AccessDenied),
        ("down", FaultKind::ServerError),
    ] {
        let world = World::new(scenario(&published()).machines(machines(700, &[])));
        // The first of two batches, with all attempts of the SDK.
        world.fake.with(|world| world.add_fault(Fault::of("CreateTags", Calls::First(8), kind)));
        let summary = world.run("e-1").await;
        let failures = summary["counts"]["failures"].as_u64().unwrap();
        assert!(failures > 0, "{name}");
        assert_eq!(failures + summary["counts"]["tagsRepaired"].as_u64().unwrap(), 2_100, "{name}");
        for run in 2..8 {
            world.run(&format!("e-{run}")).await;
        }
        assert_eq!(world.tagged("Expires", TODAY), 700, "{name}");
        let rule = |report: &Value| report["rules"][0]["repairs"].as_u64().unwrap();
        let repaired: u64 = world.reports().iter().map(rule).sum();
        assert_eq!(repaired, 700, "{name}: each repair is reported once");
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_that_ec2_refuses_does_not_lose_the_other_tags() {
    let mut rules = published();
    // 256 characters pass the check of the rules; an owner's name is cut to as many.
    rules[0]["Default"]["S"] = Value::from("ä".repeat(256));
    let owned = MachinePlan {
        owner: Some(Identity::iam_user(&"o".repeat(300))),
        launched_ago: days(3),
        ..machines(1, &[])
    };
    let world = World::new(scenario(&rules).machines(owned));
    let summary = world.run("e-1").await;
    assert_eq!((&summary["counts"]["tagsRepaired"], &summary["counts"]["failures"]), (&3.into(), &0.into()));
}
