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
            assert_eq!(is_in_order(&world), Vec::<String>::new(), "{kind:?} at call {nth}");
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
async fn a_call_whose_answer_is_lost_neither_loses_the_run_nor_repeats_it() {
    for operation in
        ["UpdateItem", "CreateTags", "StopInstances", "Publish", "LookupEvents", "BatchWriteItem"]
    {
        for nth in 1..=2 {
            let world = busy().await;
            let fault = Fault::of(operation, Calls::Nth(nth), FaultKind::TimeoutAfter);
            world.fake.with(|world| world.add_fault(fault));
            let summary = world.run("e-1").await;
            assert_eq!(summary["skipped"], Value::Null, "{operation} {nth}");
            assert_eq!(is_in_order(&world), Vec::<String>::new(), "{operation} {nth}");
            let again = world.run("e-2").await;
            assert_eq!(again["counts"]["tagsRepaired"], 0, "{operation} {nth}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_comes_too_early_is_an_error_and_not_taken_for_an_answer() {
    let world = busy().await;
    let event = world.scheduled("e-1");
    let death = Fault::of("CreateTags", Calls::First(1), FaultKind::KillAfter);
    world.fake.with(|world| world.add_fault(death));
    let dead = aws_fake::plumbing::invocation::run(world.invoke(&event, "request-1")).await;
    assert!(dead.is_none());
    tokio::time::sleep(std::time::Duration::from_secs(60)).await;
    let early = world.invoke(&event, "request-1").await.unwrap_err();
    assert!(early.starts_with("another attempt of this run may still be at work"), "{early}");
    let other = world.invoke(&event, "request-2").await.unwrap();
    assert!(other.get("skipped").is_some(), "another delivery leaves it to the first: {other}");
    tokio::time::sleep(std::time::Duration::from_secs(600)).await;
    let summary = world.invoke(&event, "request-3").await.unwrap();
    assert_eq!(summary["retried"], true, "a replay takes over what was never finished");
    assert_eq!(is_in_order(&world), Vec::<String>::new());
    tokio::time::sleep(std::time::Duration::from_secs(6_000)).await;
    let mails = world.mails().len();
    for request in ["request-1", "request-3"] {
        let done = world.invoke(&event, request).await.unwrap();
        assert!(done.get("skipped").is_some(), "{done}");
    }
    assert_eq!(world.mails().len(), mails);
}

#[tokio::test(start_paused = true)]
async fn the_retry_of_a_run_by_hand_goes_on_with_its_day() {
    let world = World::new(scenario(&published()).machines(machines(3, &[])));
    // A quarter to midnight: the retry comes on the next day.
    tokio::time::sleep(std::time::Duration::from_secs(24 * 3_600 - 900)).await;
    let event = serde_json::json!({"dryRun": false});
    world.fake.with(|world| world.add_fault(Fault::of("CreateTags", Calls::First(1), FaultKind::KillBefore)));
    let dead = aws_fake::plumbing::invocation::run(world.invoke(&event, "request-1")).await;
    assert!(dead.is_none());
    tokio::time::sleep(std::time::Duration::from_secs(1_000)).await;
    world.invoke(&event, "request-1").await.unwrap();
    assert_eq!(world.tagged("Expires", TODAY), 3);
    let done = world.invoke(&event, "request-1").await.unwrap();
    assert!(done.get("skipped").is_some(), "{done}");
}

#[tokio::test(start_paused = true)]
async fn a_fall_of_the_fleet_is_still_one_for_the_retry() {
    let world = busy().await;
    let ids = world.ids();
    world.fake.with(|world| ids.iter().skip(20).for_each(|id| world.remove_machine(id)));
    world.fake.with(|world| world.add_fault(Fault::of("Publish", Calls::First(4), FaultKind::ServerError)));
    let event = world.scheduled("e-1");
    let written = world.written().len();
    world.invoke(&event, "request-1").await.unwrap_err();
    let summary = world.invoke(&event, "request-1").await.unwrap();
    assert!(summary["reportOnly"]["fleetFell"].is_object(), "{summary}");
    assert_eq!(world.written().len(), written);
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
async fn the_longest_values_are_written_and_longer_names_are_cut() {
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

#[tokio::test(start_paused = true)]
async fn short_pages_partial_batches_and_stale_reads_lose_nothing() {
    let owned = |n: u64| MachinePlan {
        owner: Some(Identity::iam_user("ann")),
        launched_ago: days(3) + crate::harness::hours(n),
        ..machines(1, &[("Name", "x")])
    };
    let fleet = (0..60).map(owned).fold(scenario(&published()), aws_fake::scenario::Scenario::machines);
    let world = World::new(fleet.set(|settings| {
        settings.sparse_pages = true;
        settings.unprocessed = 0.2;
        settings.staleness = std::time::Duration::from_secs(2);
    }));
    world.run("e-1").await;
    assert_eq!((world.tagged("CreatedBy", "ann"), world.tagged("ProjectCode", "Proj007")), (60, 60));
    let lookups = world.count("LookupEvents");
    // What was written last is read by everyone after this.
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    world.fake.with(|world| {
        let ids: Vec<String> = world.machines().map(|one| one.id.clone()).collect();
        for id in &ids {
            world.delete_tag(id, "CreatedBy");
        }
    });
    world.run("e-2").await;
    assert_eq!(world.tagged("CreatedBy", "ann"), 60);
    assert_eq!(world.count("LookupEvents"), lookups, "every answer was remembered, and read");
}
