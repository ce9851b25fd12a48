//! Launches, and what CloudTrail and the event bus have of them.

use std::time::Duration;

use aws_fake::{
    scenario::Scenario,
    world::{
        Departure,
        identity::Identity,
        launches::MachinePlan,
        machines::MachineState,
        names::{DEFAULT_VPC, subnet_id},
    },
};
use aws_sdk_cloudtrail::{
    config::{Config, retry::RetryConfig},
    types::{LookupAttribute, LookupAttributeKey},
};
use aws_sdk_ec2::{
    primitives::DateTime,
    types::{Placement, ResourceType, TagSpecification},
};
use serde_json::Value;
use tokio::time::sleep;

use crate::{Clients, clients, code, ids, plan, tag};

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
    let once = Config::builder().retry_config(RetryConfig::disabled());
    let ask = || trail.lookup_events().customize().config_override(once.clone()).send();
    let mut through = Vec::new();
    // Two at once, and one more for each half second.
    for pause in [0, 0, 0, 500, 0] {
        sleep(Duration::from_millis(pause)).await;
        through.push(ask().await.is_ok());
    }
    assert_eq!(through, [true, true, false, true, false]);
    let refused =
        fake.with(|world| world.calls().filter(|call| call.2 == Some("ThrottlingException")).count());
    assert_eq!(refused, 2);
}
