//! EC2 and CloudTrail by the SDK's own clients, in paused time: pages, filters, tags, states, launches, errors.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::{collections::BTreeMap, fmt::Debug, time::Duration};

use aws_fake::{
    FakeAws,
    faults::{Calls, Fault, FaultKind},
    scenario::{GroupPlan, Scenario},
    world::{
        Departure,
        identity::Identity,
        launches::{Launch, MachinePlan},
        machines::{MachineState, Spot},
        names::{DEFAULT_VPC, subnet_id},
    },
};
use aws_sdk_cloudtrail::types::{LookupAttribute, LookupAttributeKey};
use aws_sdk_ec2::{
    error::ProvideErrorMetadata,
    primitives::DateTime,
    types::{
        AttributeBooleanValue, DeviceType, Filter, InstanceAttributeName, InstanceLifecycleType, Placement,
        Reservation, ResourceType, Tag, TagSpecification,
    },
};
use serde_json::Value;
use tokio::time::sleep;

const NO_ID: &str = "i-00000000000000000";

struct Clients {
    fake: FakeAws,
    ec2: aws_sdk_ec2::Client,
    trail: aws_sdk_cloudtrail::Client,
}

fn clients(scenario: Scenario) -> Clients {
    let fake = FakeAws::new(scenario);
    let config = fake.sdk_config();
    Clients { ec2: aws_sdk_ec2::Client::new(&config), trail: aws_sdk_cloudtrail::Client::new(&config), fake }
}

fn plan(count: usize) -> MachinePlan {
    MachinePlan { count, ..MachinePlan::default() }
}

fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

fn filter(name: &str, values: &[&str]) -> Filter {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    Filter::builder().name(name).set_values(Some(values)).build()
}

fn refusal<T: Debug, E: ProvideErrorMetadata + Debug>(answer: Result<T, E>) -> (String, String) {
    let error = answer.expect_err("a refusal");
    (error.code().unwrap_or_default().to_owned(), error.message().unwrap_or_default().to_owned())
}

fn code<T: Debug, E: ProvideErrorMetadata + Debug>(answer: Result<T, E>) -> String {
    refusal(answer).0
}

fn ids(fake: &FakeAws) -> Vec<String> {
    fake.with(|world| world.machines().map(|machine| machine.id.clone()).collect())
}

fn told_ids(reservations: &[Reservation]) -> Vec<&str> {
    reservations
        .iter()
        .flat_map(Reservation::instances)
        .filter_map(|instance| instance.instance_id())
        .collect()
}

/// Code, and the instances of an answer in order.
async fn found(ec2: &aws_sdk_ec2::Client, filters: Vec<Filter>) -> Vec<String> {
    let answer = ec2.describe_instances().set_filters(Some(filters)).send().await.expect("described");
    let mut ids: Vec<_> = told_ids(answer.reservations()).into_iter().map(str::to_owned).collect();
    ids.sort();
    ids
}

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
async fn tags_are_written_over_and_deleted() {
    let machine = MachinePlan { tags: tags(&[("a", "1"), ("b", "2"), ("aws:x", "y")]), ..plan(2) };
    let Clients { fake, ec2, .. } = clients(Scenario::new(1).machines(machine));
    let some = ids(&fake);
    let create = ec2.create_tags().set_resources(Some(some.clone())).tags(tag("a", "3")).tags(tag("ä", ""));
    create.send().await.expect("created");
    let now = |id: &str| fake.with(|world| world.tags(id));
    for id in &some {
        assert_eq!(now(id), tags(&[("a", "3"), ("b", "2"), ("ä", ""), ("aws:x", "y")]));
    }
    let delete = |tag: Tag| ec2.delete_tags().resources(&some[0]).tags(tag).send();
    delete(tag("a", "1")).await.expect("deleted nothing");
    delete(tag("ä", "")).await.expect("deleted an empty one");
    delete(Tag::builder().key("b").build()).await.expect("deleted, whatever it was");
    assert_eq!(now(&some[0]), tags(&[("a", "3"), ("aws:x", "y")]));
    ec2.delete_tags().resources(&some[0]).send().await.expect("deleted all");
    assert_eq!(now(&some[0]), tags(&[("aws:x", "y")]), "but AWS's own");
}

#[tokio::test(start_paused = true)]
async fn tags_are_refused_wholly() {
    let full: BTreeMap<_, _> = (0..50).map(|number| (format!("k{number}"), String::new())).collect();
    let scenario = Scenario::new(1)
        .set(|settings| settings.throttling = false)
        .machines(plan(2))
        .machines(MachinePlan { tags: full.clone(), ..plan(1) });
    let Clients { fake, ec2, .. } = clients(scenario);
    let crowded = fake.with(|world| {
        world
            .machines()
            .find(|machine| !machine.tags.newest().is_empty())
            .map(|machine| machine.id.clone())
            .unwrap()
    });
    let free: Vec<_> = ids(&fake).into_iter().filter(|id| *id != crowded).collect();
    let create = |ids: &[&str], tags: Vec<Tag>| {
        let ids = ids.iter().map(|id| (*id).to_owned()).collect();
        ec2.create_tags().set_resources(Some(ids)).set_tags(Some(tags)).send()
    };
    let (a, b) = (free[0].as_str(), free[1].as_str());
    let long = "ä".repeat(129);
    let many: Vec<_> = (0..51).map(|number| tag(&format!("t{number}"), "")).collect();
    let thousand: Vec<String> = (0..1_001).map(|number| format!("i-{number:017x}")).collect();
    let thousand: Vec<&str> = thousand.iter().map(String::as_str).collect();
    let rows = [
        ("an unknown one", vec![a, NO_ID, b], vec![tag("k", "v")], "InvalidInstanceID.NotFound"),
        ("a malformed one", vec![a, "i-x"], vec![tag("k", "v")], "InvalidInstanceID.Malformed"),
        ("another thing", vec!["vol-0123456789abcdef0"], vec![tag("k", "v")], "InvalidID"),
        ("a 51st", vec![a, &crowded], vec![tag("k", "v")], "TagLimitExceeded"),
        ("51", vec![a], many, "TagLimitExceeded"),
        ("AWS's", vec![a], vec![tag("aws:k", "v")], "InvalidParameterValue"),
        ("AWS's in capitals", vec![a], vec![tag("AwS:k", "v")], "InvalidParameterValue"),
        ("a long key", vec![a], vec![tag(&long, "v")], "InvalidParameterValue"),
        ("a long value", vec![a], vec![tag("k", &long.repeat(2))], "InvalidParameterValue"),
        ("no key", vec![a], vec![tag("", "v")], "InvalidParameterValue"),
        ("a key twice", vec![a], vec![tag("k", "v"), tag("k", "w")], "InvalidParameterValue"),
        ("no tags", vec![a], vec![], "MissingParameter"),
        ("no instances", vec![], vec![tag("k", "v")], "MissingParameter"),
        ("1,001 instances", thousand, vec![tag("k", "v")], "InvalidParameterValue"),
    ];
    for (case, ids, tags, expected) in rows {
        assert_eq!(code(create(&ids, tags).await), expected, "{case}");
    }
    let message = refusal(create(&[a, NO_ID, "i-12345678"], vec![tag("k", "v")]).await).1;
    assert_eq!(message, format!("The instance IDs '{NO_ID}, i-12345678' do not exist"));
    assert!(fake.with(|world| free.iter().all(|id| world.tags(id).is_empty())), "nothing was written");
    create(&[&crowded], vec![tag("k7", "changed")]).await.expect("writing over is no 51st");
    assert_eq!(fake.with(|world| world.tag(&crowded, "k7").map(str::to_owned)).as_deref(), Some("changed"));
    let delete = ec2.delete_tags().resources(a).tags(Tag::builder().key("AWS:x").build());
    assert_eq!(code(delete.send().await), "InvalidParameterValue");
}

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
async fn launches_are_told_and_found() {
    let Clients { fake, ec2, trail } = clients(Scenario::new(1).set(|settings| {
        settings.caller = Identity::sso("Admin", "alice@example.com");
        settings.trail_delay = Duration::from_mins(5);
    }));
    let specification =
        TagSpecification::builder().resource_type(ResourceType::Instance).tags(tag("k", "v")).build();
    let run = || {
        ec2.run_instances().image_id("ami-0abcdef1234567890").min_count(1).max_count(3).client_token("once")
    };
    let subnet = subnet_id(DEFAULT_VPC, "us-east-1b");
    let launched = run().subnet_id(&subnet).tag_specifications(specification).send().await.expect("launched");
    let again = run().send().await.expect("the same token");
    assert_eq!(launched.reservation_id(), again.reservation_id());
    let some = ids(&fake);
    assert_eq!(some.len(), 3);
    let instance = &launched.instances()[0];
    assert_eq!(instance.placement().and_then(Placement::availability_zone), Some("us-east-1b"));
    assert_eq!(instance.state().unwrap().name().unwrap().as_str(), "pending");
    let events: Vec<_> = fake.with(|world| {
        let events = world.take_outbox().into_iter().filter_map(|outgoing| match outgoing.what {
            Departure::Event(event) => Some(event),
            Departure::Notification { .. } => None,
        });
        events.collect()
    });
    assert_eq!(events.len(), 2, "one a call");
    let event = &events[0];
    assert_eq!(
        (&event["source"], &event["detail-type"]),
        (&"aws.ec2".into(), &"AWS API Call via CloudTrail".into())
    );
    let detail = &event["detail"];
    assert_eq!(
        (&detail["eventSource"], &detail["eventName"]),
        (&"ec2.amazonaws.com".into(), &"RunInstances".into())
    );
    assert_eq!(detail["eventTime"], "2026-01-01T00:00:00Z");
    assert_eq!(detail["responseElements"]["reservationId"].as_str(), launched.reservation_id());
    let items = detail["responseElements"]["instancesSet"]["items"].as_array().expect("items");
    let mut told: Vec<_> = items.iter().filter_map(|item| item["instanceId"].as_str()).collect();
    told.sort_unstable();
    assert_eq!(told, some);
    let issuer = &detail["userIdentity"]["sessionContext"]["sessionIssuer"]["userName"];
    assert_eq!(issuer, "AWSReservedSSO_Admin_0123456789abcdef");

    let look_up = || {
        let attribute = LookupAttribute::builder()
            .attribute_key(LookupAttributeKey::ResourceName)
            .attribute_value(&some[0]);
        trail.lookup_events().lookup_attributes(attribute.build().unwrap()).send()
    };
    assert!(look_up().await.expect("looked up").events().is_empty(), "not yet");
    sleep(Duration::from_secs(301)).await;
    assert_eq!(fake.with(|world| world.machine_state(&some[0])), Some(MachineState::Running));
    let found = look_up().await.expect("looked up");
    let found = &found.events()[0];
    assert_eq!((found.event_name(), found.username()), (Some("RunInstances"), Some("alice@example.com")));
    let record: Value = serde_json::from_str(found.cloud_trail_event().expect("the record")).expect("JSON");
    assert_eq!(record["userIdentity"], detail["userIdentity"]);
    let kinds: Vec<_> = found.resources().iter().filter_map(|resource| resource.resource_type()).collect();
    assert_eq!(kinds[0], "AWS::EC2::Ami", "the instance is not the first");
    assert_eq!(fake.with(|world| world.look_ups().count()), 2);
}

#[tokio::test(start_paused = true)]
async fn failed_launches_are_told_too() {
    let Clients { fake, ec2, .. } = clients(Scenario::new(1));
    let run = || ec2.run_instances().image_id("ami-0abcdef1234567890").min_count(1);
    let rows = [
        ("no such subnet", run().max_count(1).subnet_id("subnet-1"), "InvalidSubnetID.NotFound"),
        ("too many", run().max_count(1_001), "InstanceLimitExceeded"),
        ("fewer than the least", run().max_count(0), "InvalidParameterValue"),
        ("dry", run().max_count(1).dry_run(true), "DryRunOperation"),
    ];
    let expected: Vec<_> = rows.iter().map(|(.., code)| format!("Client.{code}")).collect();
    for (case, call, expected) in rows {
        assert_eq!(code(call.send().await), expected, "{case}");
    }
    let told: Vec<_> = fake.with(|world| world.trail().filter_map(|event| event.error.clone()).collect());
    assert_eq!(told, expected);
    assert!(fake.with(|world| world.trail().all(|event| event.to_json()["responseElements"].is_null())));
}

#[tokio::test(start_paused = true)]
async fn everybody_is_written_down_in_their_own_way() {
    let rows = [
        (Identity::iam_user("alice"), "IAMUser", "/userName", "alice", Some("alice")),
        (
            Identity::assumed_role("deploy", "ci-17"),
            "AssumedRole",
            "/arn",
            "arn:aws:sts::123456789012:assumed-role/deploy/ci-17",
            Some("ci-17"),
        ),
        (
            Identity::sso("Admin", "bob@example.com"),
            "AssumedRole",
            "/sessionContext/sessionIssuer/userName",
            "AWSReservedSSO_Admin_0123456789abcdef",
            Some("bob@example.com"),
        ),
        (
            Identity::IdentityCenterUser("1234".into()),
            "IdentityCenterUser",
            "/onBehalfOf/userId",
            "1234",
            Some("1234"),
        ),
        (Identity::Root, "Root", "/arn", "arn:aws:iam::123456789012:root", Some("root")),
        (
            Identity::service("autoscaling.amazonaws.com"),
            "AssumedRole",
            "/invokedBy",
            "autoscaling.amazonaws.com",
            Some("AutoScaling"),
        ),
        (
            Identity::AwsService("spot.amazonaws.com".into()),
            "AWSService",
            "/invokedBy",
            "spot.amazonaws.com",
            None,
        ),
    ];
    for (owner, kind, pointer, expected, username) in rows {
        let machines =
            MachinePlan { owner: Some(owner.clone()), launched_ago: Duration::from_hours(48), ..plan(2) };
        let Clients { fake, trail, .. } = clients(Scenario::new(1).machines(machines));
        let some = ids(&fake);
        let attribute = LookupAttribute::builder()
            .attribute_key(LookupAttributeKey::ResourceName)
            .attribute_value(&some[1]);
        let found =
            trail.lookup_events().lookup_attributes(attribute.build().unwrap()).send().await.expect("found");
        let event = &found.events()[0];
        assert_eq!(event.username(), username, "{owner:?}");
        let record: Value = serde_json::from_str(event.cloud_trail_event().unwrap()).unwrap();
        let identity = &record["userIdentity"];
        assert_eq!(
            (identity["type"].as_str(), identity.pointer(pointer).and_then(Value::as_str)),
            (Some(kind), Some(expected))
        );
        assert_eq!(record["eventTime"], "2025-12-30T00:00:00Z");
    }
}

#[tokio::test(start_paused = true)]
async fn the_trail_is_looked_up_page_by_page() {
    let owner = Identity::iam_user("alice");
    let day = Duration::from_hours(24);
    let Clients { fake, trail, .. } = clients(Scenario::new(1).set(|settings| settings.throttling = false));
    let some = fake.with(|world| {
        let recent = MachinePlan {
            count: 60,
            per_reservation: 1,
            launched_ago: day,
            owner: Some(owner.clone()),
            ..plan(0)
        };
        let mut some = world.add_machines(&MachinePlan { count: 60, ..recent });
        let old = MachinePlan { launched_ago: 91 * day, owner: Some(owner.clone()), ..plan(1) };
        some.extend(world.add_machines(&old));
        world.write_call("StopInstances", &owner, day / 2, &[&some[0]]);
        world.write_group_creation("web", &Identity::Root, 2 * day);
        some
    });
    let ask = |key: LookupAttributeKey, value: &str| {
        let attribute = LookupAttribute::builder().attribute_key(key).attribute_value(value).build().unwrap();
        trail.lookup_events().lookup_attributes(attribute)
    };
    let rows = [
        (LookupAttributeKey::ResourceName, some[0].as_str(), 2),
        (LookupAttributeKey::ResourceName, &some[1], 1),
        (LookupAttributeKey::ResourceName, &some[60], 0),
        (LookupAttributeKey::ResourceName, "web", 1),
        (LookupAttributeKey::EventName, "CreateAutoScalingGroup", 1),
        (LookupAttributeKey::Username, "root", 1),
        (LookupAttributeKey::EventSource, "autoscaling.amazonaws.com", 1),
        (LookupAttributeKey::EventName, "RunInstances", 50),
    ];
    for (key, value, expected) in rows {
        let found = ask(key.clone(), value).send().await.expect("looked up");
        assert_eq!(found.events().len(), expected, "{key} {value}");
        assert_eq!(found.next_token().is_some(), expected == 50);
    }
    let newest = ask(LookupAttributeKey::ResourceName, &some[0]).send().await.expect("looked up");
    assert_eq!(newest.events()[0].event_name(), Some("StopInstances"), "the newest first");
    let first = ask(LookupAttributeKey::EventName, "RunInstances").send().await.expect("looked up");
    let token = first.next_token().expect("more");
    let second =
        ask(LookupAttributeKey::EventName, "RunInstances").next_token(token).send().await.expect("looked up");
    assert_eq!((second.events().len(), second.next_token()), (10, None));
    let other = ask(LookupAttributeKey::EventName, "StopInstances").next_token(token).send().await;
    assert_eq!(code(other), "InvalidNextTokenException");
    let second_of = |seconds: i64| DateTime::from_secs(1_767_225_600 - seconds);
    let window = |from, to| {
        ask(LookupAttributeKey::ResourceName, &some[0]).start_time(second_of(from)).end_time(second_of(to))
    };
    assert_eq!(
        window(86_400, 86_400).send().await.expect("looked up").events().len(),
        1,
        "both ends are in it"
    );
    assert_eq!(window(86_399, 43_201).send().await.expect("looked up").events().len(), 0);
    assert_eq!(code(window(1, 2).send().await), "InvalidTimeRangeException");
    let two = ask(LookupAttributeKey::EventName, "x").lookup_attributes(
        LookupAttribute::builder()
            .attribute_key(LookupAttributeKey::EventId)
            .attribute_value("x")
            .build()
            .unwrap(),
    );
    assert_eq!(code(two.send().await), "InvalidLookupAttributesException");
    assert_eq!(
        code(ask(LookupAttributeKey::EventName, "x").max_results(51).send().await),
        "InvalidMaxResultsException"
    );
}

#[tokio::test(start_paused = true)]
async fn look_ups_are_two_a_second() {
    let Clients { fake, trail, .. } = clients(Scenario::new(1));
    let asked = (0..3).map(|_| trail.lookup_events().send());
    assert!(futures::future::join_all(asked).await.iter().all(Result::is_ok), "a retry comes through");
    let refused =
        fake.with(|world| world.calls().filter(|call| call.2 == Some("ThrottlingException")).count());
    assert!((1..=2).contains(&refused), "{refused}: the third, and its retry when that comes too soon");
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
