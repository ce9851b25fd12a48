//! `DescribeInstances` and `DescribeAvailabilityZones`.

use std::{collections::BTreeMap, time::Duration};

use aws_fake::{
    FakeAws,
    scenario::Scenario,
    world::{
        identity::Identity,
        launches::{Launch, MachinePlan},
        machines::{MachineState, Spot},
        names::DEFAULT_VPC,
    },
};
use aws_sdk_ec2::{
    primitives::DateTime,
    types::{DeviceType, InstanceLifecycleType},
};
use tokio::time::sleep;

use crate::{Clients, NO_ID, clients, code, filter, found, ids, plan, refusal, tags, told_ids};

#[tokio::test(start_paused = true)]
async fn instances_are_described_as_they_are() {
    let hours = |hours| Duration::from_hours(hours);
    let rows = [
        ("plain", MachinePlan { tags: tags(&[("Name", "a & b"), ("empty", "")]), ..plan(1) }),
        ("restarted", MachinePlan { launched_ago: hours(1), attached_ago: Some(hours(50)), ..plan(1) }),
        ("spot", MachinePlan { spot: Some(Spot::OneTime), instance_store: true, ..plan(1) }),
        ("managed", MachinePlan { managed_by: Some("ecs.amazonaws.com".into()), ..plan(1) }),
        (
            "of a group",
            MachinePlan { group: Some("web".into()), requester: Some("amazon-asg".into()), ..plan(1) },
        ),
        ("terminated", MachinePlan { state: MachineState::Terminated, ..plan(1) }),
    ];
    for (case, plan) in rows {
        let Clients { fake, ec2, .. } = clients(Scenario::new(1).machines(plan.clone()));
        let machine = fake.with(|world| world.machines().next().cloned()).expect(case);
        let answer = ec2.describe_instances().instance_ids(&machine.id).send().await.expect(case);
        let reservation = &answer.reservations()[0];
        let seen = (reservation.reservation_id(), reservation.requester_id(), reservation.owner_id());
        let expected = (Some(&*machine.reservation), plan.requester.as_deref(), Some("123456789012"));
        assert_eq!(seen, expected, "{case}");
        let instance = &reservation.instances()[0];
        let state = instance.state().and_then(|state| state.name()).expect(case);
        assert_eq!(
            (state.as_str(), instance.state().unwrap().code()),
            (plan.state.name(), Some(plan.state.code().cast_signed()))
        );
        let there = plan.state != MachineState::Terminated;
        assert_eq!(instance.vpc_id().is_some(), there, "{case}: a terminated one has no network");
        let launched = instance.launch_time().unwrap().secs();
        let began = 1_767_225_600;
        assert_eq!(launched, began - i64::try_from(plan.launched_ago.as_secs()).unwrap(), "{case}");
        let interface = instance.network_interfaces().first().and_then(|interface| interface.attachment());
        let attached = interface.and_then(|attachment| attachment.attach_time()).map(DateTime::secs);
        let first = plan.attached_ago.unwrap_or(plan.launched_ago);
        assert_eq!(attached, there.then(|| began - i64::try_from(first.as_secs()).unwrap()), "{case}");
        let lifecycle = instance.instance_lifecycle().map(InstanceLifecycleType::as_str);
        assert_eq!(lifecycle, plan.spot.map(|_| "spot"), "{case}");
        let root = instance.root_device_type().map(DeviceType::as_str);
        assert_eq!(root, Some(if plan.instance_store { "instance-store" } else { "ebs" }), "{case}");
        let operator = instance.operator().expect(case);
        assert_eq!(
            (operator.managed(), operator.principal()),
            (Some(plan.managed_by.is_some()), plan.managed_by.as_deref())
        );
        let told: BTreeMap<_, _> =
            instance.tags().iter().filter_map(|tag| Some((tag.key()?, tag.value()?))).collect();
        let mut expected: BTreeMap<_, _> = plan.tags.iter().map(|(key, value)| (&**key, &**value)).collect();
        if let Some(group) = &plan.group {
            expected.insert("aws:autoscaling:groupName", group);
        }
        assert_eq!(told, expected, "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn filters_narrow() {
    let scenario = Scenario::new(1)
        .machines(MachinePlan { vpc: "vpc-1".into(), tags: tags(&[("team", "a")]), ..plan(3) })
        .machines(MachinePlan { state: MachineState::Stopped, tags: tags(&[("team", "b")]), ..plan(3) })
        .machines(MachinePlan {
            client_token: Some("token".into()),
            ids: vec!["i-0123456789abcdef0".into()],
            ..plan(1)
        });
    let Clients { fake, ec2, .. } = clients(scenario);
    let one = fake.with(|world| world.machine("i-0123456789abcdef0").cloned()).expect("it is there");
    let rows = [
        (vec![], 7),
        (vec![filter("vpc-id", &["vpc-1"])], 3),
        (vec![filter("vpc-id", &["vpc-1", DEFAULT_VPC])], 7),
        (vec![filter("vpc-id", &["vpc-2"])], 0),
        (vec![filter("instance-state-name", &["running"])], 4),
        (vec![filter("instance-state-name", &["stopped", "pending"])], 3),
        (vec![filter("availability-zone", &["us-east-1a"])], 3),
        (vec![filter("availability-zone", &["us-east-1a"]), filter("vpc-id", &["vpc-1"])], 1),
        (vec![filter("tag:team", &["a"])], 3),
        (vec![filter("tag:team", &["A"])], 0),
        (vec![filter("tag:team", &["?"])], 6),
        (vec![filter("tag-key", &["te*"])], 6),
        (vec![filter("instance-id", &[&one.id, NO_ID])], 1),
        (vec![filter("instance-id", &[&one.id]), filter("tag-key", &["team"])], 0),
        (vec![filter("client-token", &["token"])], 1),
        (vec![filter("reservation-id", &[&one.reservation])], 1),
    ];
    for (filters, expected) in rows {
        assert_eq!(found(&ec2, filters.clone()).await.len(), expected, "{filters:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_instances_have_ten_pages() {
    let scenario = Scenario::new(1).machines(MachinePlan { per_reservation: 7, ..plan(10_000) });
    let Clients { fake, ec2, .. } = clients(scenario);
    let mut pages = ec2.describe_instances().max_results(1_000).into_paginator().send();
    let mut seen = Vec::new();
    let mut calls = 0;
    while let Some(page) = pages.next().await {
        let page = page.expect("a page");
        let told = told_ids(page.reservations());
        assert_eq!(told.len(), 1_000);
        seen.extend(told.into_iter().map(str::to_owned));
        calls += 1;
    }
    seen.sort();
    assert_eq!((calls, seen == ids(&fake)), (10, true), "each once");
}

#[tokio::test(start_paused = true)]
async fn pages_may_be_sparse() {
    let scenario = Scenario::new(1)
        .set(|settings| settings.sparse_pages = true)
        .machines(MachinePlan { per_reservation: 3, ..plan(40) })
        .machines(MachinePlan { vpc: "vpc-1".into(), per_reservation: 2, ..plan(10) });
    let Clients { ec2, .. } = clients(scenario);
    let mut pages =
        ec2.describe_instances().max_results(5).filters(filter("vpc-id", &["vpc-1"])).into_paginator().send();
    let mut sizes = Vec::new();
    while let Some(page) = pages.next().await {
        sizes.push(told_ids(page.expect("a page").reservations()).len());
    }
    assert_eq!((sizes.len(), sizes.iter().sum::<usize>()), (10, 10), "{sizes:?}");
    assert!(sizes.contains(&0), "{sizes:?}: some are empty");
}

#[tokio::test(start_paused = true)]
async fn describing_is_refused() {
    let Clients { fake, ec2, .. } = clients(Scenario::new(1).machines(plan(2)));
    let some = ids(&fake);
    let describe = || ec2.describe_instances();
    let many: Vec<String> = (0..201).map(|number| format!("vpc-{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let rows = [
        ("unknown", describe().instance_ids(&some[0]).instance_ids(NO_ID), "InvalidInstanceID.NotFound"),
        ("malformed", describe().instance_ids("i-1"), "InvalidInstanceID.Malformed"),
        ("ids and a size", describe().instance_ids(&some[0]).max_results(5), "InvalidParameterCombination"),
        ("too small", describe().max_results(4), "InvalidParameterValue"),
        ("too large", describe().max_results(1_001), "InvalidParameterValue"),
        ("a token", describe().next_token("x"), "InvalidNextToken"),
        ("a filter", describe().filters(filter("vpc", &["x"])), "InvalidParameterValue"),
        ("201 values", describe().filters(filter("vpc-id", &many)), "FilterLimitExceeded"),
        ("dry", describe().dry_run(true), "DryRunOperation"),
    ];
    for (case, call, expected) in rows {
        assert_eq!(code(call.send().await), expected, "{case}");
    }
    let one = refusal(describe().instance_ids(NO_ID).send().await).1;
    assert_eq!(one, format!("The instance ID '{NO_ID}' does not exist"));
    let two = refusal(describe().instance_ids(NO_ID).instance_ids("i-12345678").send().await).1;
    assert_eq!(two, format!("The instance IDs '{NO_ID}, i-12345678' do not exist"));
    let filtered = describe().filters(filter("vpc-id", &many[..200])).send().await.expect("200 values");
    assert!(filtered.reservations().is_empty());
}

#[tokio::test(start_paused = true)]
async fn zones_are_told() {
    let odd = MachinePlan { zones: vec!["us-east-1d".into()], ..plan(1) };
    let Clients { ec2, .. } = clients(Scenario::new(1).machines(odd));
    for (all, expected) in [(false, 4), (true, 5)] {
        let told = ec2.describe_availability_zones().all_availability_zones(all).send().await.expect("told");
        assert_eq!(told.availability_zones().len(), expected);
        let closed = told
            .availability_zones()
            .iter()
            .filter(|zone| zone.opt_in_status().is_some_and(|status| status.as_str() == "not-opted-in"));
        assert_eq!(closed.count(), usize::from(all));
    }
    let one = ec2
        .describe_availability_zones()
        .filters(filter("zone-name", &["us-east-1d"]))
        .send()
        .await
        .expect("told");
    assert_eq!(one.availability_zones()[0].zone_name(), Some("us-east-1d"));
    assert_eq!(
        code(ec2.describe_availability_zones().zone_names("us-west-1a").send().await),
        "InvalidParameterValue"
    );
}

#[tokio::test(start_paused = true)]
async fn stale_reads_see_the_past() {
    let scenario = Scenario::new(3).set(|settings| {
        settings.staleness = Duration::from_secs(10);
        settings.throttling = false;
    });
    let Clients { fake, ec2, .. } = clients(scenario.machines(plan(1)));
    sleep(Duration::from_mins(1)).await;
    let old = ids(&fake)[0].clone();
    let new = fake.with(|world| {
        world.set_tag(&old, "k", "v");
        world.launch(&Launch::by(Identity::Root))[0].clone()
    });
    let mut seen = Vec::new();
    for _ in 0..2 {
        let (mut tagged, mut launched) = (0, 0);
        for _ in 0..50 {
            tagged += found(&ec2, vec![filter("tag-key", &["k"])]).await.len();
            launched += usize::from(ec2.describe_instances().instance_ids(&new).send().await.is_ok());
        }
        seen.push([tagged, launched]);
        sleep(Duration::from_secs(10)).await;
    }
    assert!(seen[0].iter().all(|seen| (1..30).contains(seen)), "{seen:?}: of 50 reads in two seconds");
    assert_eq!(seen[1], [50, 50], "after the staleness");
}

#[tokio::test(start_paused = true)]
async fn instances_have_buckets_of_their_own() {
    let Clients { fake, ec2, .. } = clients(Scenario::new(1).machines(plan(1)));
    let refused = |fake: &FakeAws| fake.with(|world| world.calls().filter(|call| call.2.is_some()).count());
    let filtered = (0..100).map(|_| ec2.describe_instances().filters(filter("vpc-id", &["x"])).send());
    futures::future::join_all(filtered).await;
    assert_eq!(refused(&fake), 0, "a hundred with a filter");
    futures::future::join_all((0..51).map(|_| ec2.describe_instances().send())).await;
    assert!((1..=3).contains(&refused(&fake)), "fifty without, then the 51st until a token has come");
    let code = fake.with(|world| world.calls().find_map(|call| call.2.map(str::to_owned)));
    assert_eq!(code.as_deref(), Some("RequestLimitExceeded"));
}
