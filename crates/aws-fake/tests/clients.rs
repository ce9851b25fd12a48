//! The SDK's own clients against the World, in paused time: wire formats, limits, errors, retries.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::{fmt::Debug, time::Duration};

use aws_fake::{
    FakeAws,
    faults::{Calls, Fault, FaultKind},
    scenario::{GroupPlan, Scenario},
    world::{groups::LifecycleState, hooks::EndedBy},
};
use aws_sdk_autoscaling::{
    error::ProvideErrorMetadata,
    types::{Filter, Tag},
};
use aws_sdk_ecs::types::{
    Attribute, ContainerInstanceField, ContainerInstanceStatus, DesiredStatus, TargetType,
};
use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};
use tokio::time::Instant;

const GROUP: &str = "prod-ecs";
const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:drain";

struct Clients {
    fake: FakeAws,
    ecs: aws_sdk_ecs::Client,
    scaling: aws_sdk_autoscaling::Client,
    sns: aws_sdk_sns::Client,
}

fn clients(scenario: Scenario) -> Clients {
    let fake = FakeAws::new(scenario);
    let config = fake.sdk_config();
    Clients {
        ecs: aws_sdk_ecs::Client::new(&config),
        scaling: aws_sdk_autoscaling::Client::new(&config),
        sns: aws_sdk_sns::Client::new(&config),
        fake,
    }
}

fn prod(instances: usize) -> Clients {
    clients(Scenario::new(7).cluster("prod", instances).service("web", instances * 2, 10).hook("drain", 900))
}

/// Code and message of an error answer.
fn refusal<T: Debug, E: ProvideErrorMetadata + Debug>(answer: Result<T, E>) -> (String, String) {
    let error = answer.expect_err("a refusal");
    (error.code().unwrap_or_default().to_owned(), error.message().unwrap_or_default().to_owned())
}

fn code<T: Debug, E: ProvideErrorMetadata + Debug>(answer: Result<T, E>) -> String {
    refusal(answer).0
}

#[tokio::test(start_paused = true)]
async fn ecs_reads() {
    let Clients { fake, ecs, .. } = prod(3);
    let clusters = ecs.list_clusters().send().await.unwrap();
    assert_eq!(clusters.cluster_arns(), ["arn:aws:ecs:us-east-1:123456789012:cluster/prod"]);
    let instances = fake.with(|world| world.instances(GROUP));
    let filter = format!("ec2InstanceId in [{}, {}]", instances[0], instances[2]);
    let listed = ecs.list_container_instances().cluster("prod").filter(filter).send().await.unwrap();
    assert_eq!(listed.container_instance_arns().len(), 2);
    let missing = "0".repeat(32);
    let described = ecs
        .describe_container_instances()
        .cluster("prod")
        .set_container_instances(listed.container_instance_arns)
        .container_instances(&missing)
        .include(ContainerInstanceField::Tags)
        .send()
        .await
        .unwrap();
    assert_eq!(described.failures()[0].reason(), Some("MISSING"));
    let one = &described.container_instances()[0];
    assert_eq!((one.status(), one.running_tasks_count(), one.pending_tasks_count()), (Some("ACTIVE"), 2, 0));
    assert!(one.agent_connected() && one.registered_at().is_some());
    let arn = one.container_instance_arn().unwrap();
    let tasks = ecs.list_tasks().cluster("prod").container_instance(arn).send().await.unwrap();
    assert_eq!(tasks.task_arns().len(), 2);
    let tasks = ecs.describe_tasks().cluster("prod").set_tasks(tasks.task_arns).send().await.unwrap();
    let task = &tasks.tasks()[0];
    let seen = (task.last_status(), task.desired_status(), task.group(), task.stopped_at());
    assert_eq!(seen, (Some("RUNNING"), Some("RUNNING"), Some("service:web"), None));
}

#[tokio::test(start_paused = true)]
async fn lists_have_pages() {
    let Clients { ecs, .. } = prod(250);
    let mut pages = ecs.list_container_instances().cluster("prod").into_paginator().send();
    let mut sizes = Vec::new();
    while let Some(page) = pages.next().await {
        sizes.push(page.unwrap().container_instance_arns().len());
    }
    assert_eq!(sizes, [100, 100, 50]);
}

#[tokio::test(start_paused = true)]
async fn ecs_refuses() {
    let Clients { fake, ecs, .. } = prod(1);
    let ids = |n: usize| Some((0..n).map(|i| format!("{i:032x}")).collect::<Vec<_>>());
    let describe = || ecs.describe_container_instances().cluster("prod");
    let update = || ecs.update_container_instances_state().cluster("prod");
    let draining = ContainerInstanceStatus::Draining;
    let invalid = "InvalidParameterException";
    assert_eq!(code(describe().set_container_instances(ids(101)).send().await), invalid, "more than 100");
    assert_eq!(code(describe().set_container_instances(ids(0)).send().await), invalid, "none");
    assert_eq!(code(describe().container_instances("i-1").send().await), invalid, "malformed");
    assert_eq!(code(ecs.describe_tasks().cluster("prod").set_tasks(ids(101)).send().await), invalid);
    assert_eq!(
        code(update().set_container_instances(ids(11)).status(draining.clone()).send().await),
        invalid
    );
    assert_eq!(code(ecs.list_tasks().cluster("prod").family("web").send().await), invalid, "unknown here");
    let listed = ecs.list_tasks().cluster("prod").max_results(101).send().await;
    assert_eq!(code(listed), invalid, "a page of more than 100");
    assert_eq!(code(ecs.list_tasks().cluster("test").send().await), "ClusterNotFoundException");
    assert_eq!(code(ecs.list_tasks().send().await), "ClusterNotFoundException", "there is no default");
    let updated = update().set_container_instances(ids(1)).status(draining).send().await.unwrap();
    assert_eq!(updated.failures()[0].reason(), Some("MISSING"));
    fake.with(|world| world.delete_cluster("prod"));
    assert_eq!(code(ecs.list_tasks().cluster("prod").send().await), "ClusterNotFoundException", "deleted");
    assert!(ecs.list_clusters().send().await.unwrap().cluster_arns().is_empty());
}

#[tokio::test(start_paused = true)]
async fn draining_again_is_no_error_but_inactive_is() {
    let Clients { fake, ecs, .. } = prod(2);
    let listed = ecs.list_container_instances().cluster("prod").send().await.unwrap();
    let instance = fake.with(|world| world.instances(GROUP)[0].clone());
    let update = |status| {
        let arns = listed.container_instance_arns.clone();
        ecs.update_container_instances_state()
            .cluster("prod")
            .set_container_instances(arns)
            .status(status)
            .send()
    };
    for status in [
        ContainerInstanceStatus::Draining,
        ContainerInstanceStatus::Draining,
        ContainerInstanceStatus::Active,
    ] {
        let updated = update(status.clone()).await.unwrap();
        assert!(updated.failures().is_empty(), "{status}");
        assert_eq!(updated.container_instances()[1].status(), Some(status.as_str()));
    }
    fake.with(|world| world.deregister(&instance));
    let updated = update(ContainerInstanceStatus::Draining).await.unwrap();
    assert_eq!((updated.failures().len(), updated.container_instances().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn tasks_are_listed_by_desired_status_while_they_stop() {
    let Clients { ecs, .. } = prod(1);
    let tasks = ecs.list_tasks().cluster("prod").send().await.unwrap();
    let task = tasks.task_arns()[0].clone();
    let stopped = ecs.stop_task().cluster("prod").task(&task).reason("drain").send().await.unwrap();
    assert_eq!(stopped.task().unwrap().desired_status(), Some("STOPPED"));
    let rows = [(0, "DEACTIVATING", 1), (5, "STOPPING", 2), (6, "STOPPED", 2)];
    for (wait, last_status, running) in rows {
        tokio::time::sleep(Duration::from_secs(wait)).await;
        let listed = ecs.list_tasks().cluster("prod").send().await.unwrap();
        assert_eq!(
            listed.task_arns().len(),
            running,
            "after {wait} s more: wanted ones, with the replacement"
        );
        let listed =
            ecs.list_tasks().cluster("prod").desired_status(DesiredStatus::Stopped).send().await.unwrap();
        assert_eq!(listed.task_arns(), [task.as_str()]);
        let described = ecs.describe_tasks().cluster("prod").tasks(&task).send().await.unwrap();
        assert_eq!(described.tasks()[0].last_status(), Some(last_status), "after {wait} s more");
    }
    tokio::time::sleep(Duration::from_hours(1)).await;
    let listed =
        ecs.list_tasks().cluster("prod").desired_status(DesiredStatus::Stopped).send().await.unwrap();
    assert!(listed.task_arns().is_empty(), "forgotten after an hour");
}

#[tokio::test(start_paused = true)]
async fn attributes_have_limits() {
    let Clients { fake, ecs, .. } = prod(1);
    let listed = ecs.list_container_instances().cluster("prod").send().await.unwrap();
    let arn = listed.container_instance_arns()[0].clone();
    let put = |names: Vec<String>, value: &str, target: &str| {
        let attributes = names.into_iter().map(|name| {
            let kind = TargetType::ContainerInstance;
            Attribute::builder().name(name).value(value).target_type(kind).target_id(target).build().unwrap()
        });
        ecs.put_attributes().cluster("prod").set_attributes(Some(attributes.collect())).send()
    };
    let names = |n: usize| (0..n).map(|i| format!("drain.{i}")).collect::<Vec<_>>();
    put(names(10), "2026-01-01T00:00:00Z a@b/c\\d", &arn).await.unwrap();
    let instance = fake.with(|world| world.instances(GROUP)[0].clone());
    assert!(fake.with(|world| world.attribute(&instance, "drain.9")).is_some());
    let rows = [
        ("again", names(10), "x".repeat(128), arn.as_str(), None),
        ("eleven at once", names(11), "x".into(), &arn, Some("InvalidParameterException")),
        ("an eleventh", vec!["more".into()], "x".into(), &arn, Some("AttributeLimitExceededException")),
        ("a long value", names(1), "x".repeat(129), &arn, Some("InvalidParameterException")),
        ("a value's character", names(1), "x=y".into(), &arn, Some("InvalidParameterException")),
        ("a space at the end", names(1), "x ".into(), &arn, Some("InvalidParameterException")),
        ("a name's character", vec!["a b".into()], "x".into(), &arn, Some("InvalidParameterException")),
        ("nobody", names(1), "x".into(), "00000000000000000000000000000000", Some("TargetNotFoundException")),
    ];
    for (case, names, value, target, expected) in rows {
        let answer = put(names, &value, target).await;
        assert_eq!(
            answer.err().and_then(|error| error.code().map(str::to_owned)).as_deref(),
            expected,
            "{case}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_hook_from_its_creation_to_its_end() {
    let Clients { fake, scaling, .. } =
        clients(Scenario::new(7).topic("drain").cluster("prod", 3).with_cluster(|cluster| cluster.min = 2));
    let put = || scaling.put_lifecycle_hook().lifecycle_hook_name("drain").auto_scaling_group_name(GROUP);
    let terminating = "autoscaling:EC2_INSTANCE_TERMINATING";
    for timeout in [29, 7_201] {
        let answer = put().lifecycle_transition(terminating).heartbeat_timeout(timeout).send().await;
        assert_eq!(code(answer), "ValidationError", "{timeout} s");
    }
    let answer =
        put().lifecycle_transition(terminating).role_arn("r").notification_target_arn("t").send().await;
    assert_eq!(code(answer), "ValidationError", "no such topic");
    let wanted = put().lifecycle_transition(terminating).heartbeat_timeout(60).default_result("CONTINUE");
    let wanted = wanted
        .role_arn("role")
        .notification_target_arn(TOPIC)
        .notification_metadata("{\"cluster\":\"prod\"}");
    wanted.send().await.unwrap();
    let hooks = scaling.describe_lifecycle_hooks().auto_scaling_group_name(GROUP).send().await.unwrap();
    let hook = &hooks.lifecycle_hooks()[0];
    assert_eq!(
        (hook.global_timeout(), hook.notification_metadata()),
        (Some(6_000), Some("{\"cluster\":\"prod\"}"))
    );

    let set = |n| scaling.set_desired_capacity().auto_scaling_group_name(GROUP).desired_capacity(n).send();
    assert_eq!(code(set(1).await), "ValidationError", "below the least");
    set(2).await.unwrap();
    let groups = scaling.describe_auto_scaling_groups().auto_scaling_group_names(GROUP).send().await.unwrap();
    let mut members = groups.auto_scaling_groups()[0].instances().iter();
    let held = members.find(|member| member.lifecycle_state().unwrap().as_str() == "Terminating:Wait");
    let held = held.and_then(|member| member.instance_id()).expect("a held instance").to_owned();

    let complete = || {
        let call = scaling.complete_lifecycle_action().auto_scaling_group_name(GROUP);
        call.lifecycle_hook_name("drain").lifecycle_action_result("CONTINUE")
    };
    let beat = || {
        scaling
            .record_lifecycle_action_heartbeat()
            .auto_scaling_group_name(GROUP)
            .lifecycle_hook_name("drain")
    };
    beat().instance_id(&held).send().await.unwrap();
    let (_, message) = refusal(complete().lifecycle_action_token("0").send().await);
    assert_eq!(message, "No active Lifecycle Action found with token 0");
    complete().instance_id(&held).send().await.unwrap();
    for answer in
        [code(complete().instance_id(&held).send().await), code(beat().instance_id(&held).send().await)]
    {
        assert_eq!(answer, "ValidationError", "over");
    }
    let (_, message) = refusal(complete().instance_id(&held).send().await);
    assert_eq!(message, format!("No active Lifecycle Action found with instance ID {held}"));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(fake.with(|world| world.lifecycle_state(&held)), Some(LifecycleState::Terminated));
    let described = scaling.describe_auto_scaling_instances().instance_ids(&held).send().await.unwrap();
    assert!(described.auto_scaling_instances().is_empty(), "an unknown id is left out");
    let many = Some(vec![held; 51]);
    assert_eq!(
        code(scaling.describe_auto_scaling_instances().set_instance_ids(many).send().await),
        "ValidationError"
    );
}

#[tokio::test(start_paused = true)]
async fn heartbeats_hold_an_instance_but_not_for_ever() {
    let Clients { fake, scaling, .. } = clients(Scenario::new(7).cluster("prod", 1).hook("drain", 30));
    let instance = fake.with(|world| {
        world.scale_in(GROUP, 1);
        world.held_instances()[0].clone()
    });
    for beat in 0..103 {
        tokio::time::sleep(Duration::from_secs(29)).await;
        let call = scaling.record_lifecycle_action_heartbeat().auto_scaling_group_name(GROUP);
        call.lifecycle_hook_name("drain").instance_id(&instance).send().await.expect("held");
        assert!(fake.with(|world| world.hook_outcome(&instance).is_none()), "beat {beat}");
    }
    tokio::time::sleep(Duration::from_mins(3)).await;
    let outcome = fake.with(|world| world.hook_outcome(&instance)).expect("over");
    assert_eq!((outcome.at, outcome.by), (Duration::from_mins(50), EndedBy::Timeout));
}

#[tokio::test(start_paused = true)]
async fn instances_are_terminated_by_name() {
    let Clients { fake, scaling, .. } = prod(2);
    let instance = fake.with(|world| world.instances(GROUP)[0].clone());
    let terminate = |id: &str| {
        let call = scaling.terminate_instance_in_auto_scaling_group().instance_id(id);
        call.should_decrement_desired_capacity(true).send()
    };
    assert_eq!(code(terminate("i-0").await), "ValidationError");
    let answer = terminate(&instance).await.unwrap();
    assert_eq!(answer.activity().unwrap().auto_scaling_group_name(), Some(GROUP));
    assert_eq!(fake.with(|world| world.lifecycle_state(&instance)), Some(LifecycleState::TerminatingWait));
    let described = scaling.describe_auto_scaling_instances().instance_ids(instance).send().await.unwrap();
    assert_eq!(described.auto_scaling_instances()[0].lifecycle_state(), Some("Terminating:Wait"));
}

#[tokio::test(start_paused = true)]
async fn sns_publishes_within_its_limits() {
    let Clients { fake, sns, .. } = prod(1);
    let value = MessageAttributeValue::builder().data_type("String").string_value("v").build().unwrap();
    let publish = |topic: &str| sns.publish().topic_arn(topic).message("<m & m>");
    assert!(publish(TOPIC).message_attributes("k", value).send().await.unwrap().message_id().is_some());
    assert_eq!(code(publish("arn:aws:sns:us-east-1:123456789012:x").send().await), "NotFound");
    let entry = |id: &str, message: &str| {
        PublishBatchRequestEntry::builder().id(id).message(message).build().unwrap()
    };
    let batch = |entries: Vec<_>| {
        sns.publish_batch().topic_arn(TOPIC).set_publish_batch_request_entries(Some(entries)).send()
    };
    let published = batch((0..10).map(|i| entry(&format!("m{i}"), "{}")).collect()).await.unwrap();
    assert_eq!((published.successful().len(), published.failed().len()), (10, 0));
    let half = "x".repeat(140_000);
    let rows = [
        ("none", vec![], "EmptyBatchRequest"),
        ("eleven", (0..11).map(|i| entry(&format!("m{i}"), "{}")).collect(), "TooManyEntriesInBatchRequest"),
        ("twice", vec![entry("a", "{}"), entry("a", "{}")], "BatchEntryIdsNotDistinct"),
        ("an id's character", vec![entry("a.b", "{}")], "InvalidBatchEntryId"),
        ("too long", vec![entry("a", &half), entry("b", &half)], "BatchRequestTooLong"),
    ];
    for (case, entries, expected) in rows {
        assert_eq!(code(batch(entries).await).trim_end_matches("Exception"), expected, "{case}");
    }
    assert_eq!(fake.with(|world| world.take_outbox().len()), 11);
}

#[tokio::test(start_paused = true)]
async fn sns_keeps_subjects_and_structures() {
    let Clients { fake, sns, .. } = prod(1);
    let value =
        MessageAttributeValue::builder().data_type("String").string_value("ä".repeat(100)).build().unwrap();
    let parts = r#"{"default": "d", "sqs": "s"}"#;
    let publish = || sns.publish().topic_arn(TOPIC).message(parts).message_attributes("k", value.clone());
    publish().subject("Tags: 3 of 4").message_structure("json").send().await.unwrap();
    let long = "x".repeat(100);
    for subject in ["", " x", "a\nb", "a\tb", "ä", &long] {
        assert_eq!(code(publish().subject(subject).send().await), "InvalidParameter", "{subject:?}");
    }
    publish().subject(&long[1..]).send().await.unwrap();
    for message in ["text", "[]", "{}", r#"{"default": 1}"#, r#"{"default": "d", "sqs": {}}"#] {
        let refused = code(publish().message(message).message_structure("json").send().await);
        assert_eq!(refused, "InvalidParameter", "{message}");
    }
    assert_eq!(code(publish().message_structure("xml").send().await), "InvalidParameter");
    // 262,144 bytes: with the attribute's name, type and value, an ä having two.
    let largest = 262_144 - "kString".len() - 200;
    publish().message("x".repeat(largest)).send().await.unwrap();
    assert_eq!(code(publish().message("x".repeat(largest + 1)).send().await), "InvalidParameter");
    fake.with(|world| {
        let first = world.published_to("drain").next().unwrap();
        assert_eq!((first.subject.as_deref(), first.is_json), (Some("Tags: 3 of 4"), true));
        let told = ["sqs", "lambda", "email"].map(|protocol| first.text_for(protocol));
        assert_eq!(told, ["s", "d", "d"]);
        assert_eq!(first.attributes["k"].data_type, "String");
        assert_eq!(world.published().len(), 3);
    });
}

#[tokio::test(start_paused = true)]
async fn groups_have_tags() {
    let group = |name: &str| GroupPlan {
        name: name.to_owned(),
        tags: [("team".to_owned(), name.to_owned()), ("CreatedBy".to_owned(), "alice".to_owned())].into(),
        ..GroupPlan::default()
    };
    let Clients { scaling, .. } = clients(Scenario::new(7).group(group("a")).group(group("b")));
    let filter = |name: &str, values: &[&str]| {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        Filter::builder().name(name).set_values(Some(values)).build()
    };
    let rows = [
        (vec![], 4),
        (vec![filter("auto-scaling-group", &["a"])], 2),
        (vec![filter("auto-scaling-group", &["a", "b"]), filter("key", &["CreatedBy"])], 2),
        (vec![filter("value", &["b"])], 1),
        (vec![filter("propagate-at-launch", &["true"])], 0),
    ];
    for (filters, expected) in rows {
        let mut pages =
            scaling.describe_tags().max_records(1).set_filters(Some(filters.clone())).into_paginator().send();
        let mut told = 0;
        while let Some(page) = pages.next().await {
            told += page.unwrap().tags().len();
        }
        assert_eq!(told, expected, "{filters:?}");
    }
    assert_eq!(code(scaling.describe_tags().filters(filter("name", &["a"])).send().await), "ValidationError");
    let create = |group: &str| {
        let tag =
            Tag::builder().resource_id(group).resource_type("auto-scaling-group").key("team").value("c");
        scaling.create_or_update_tags().tags(tag.build()).send()
    };
    create("a").await.unwrap();
    let told = scaling.describe_tags().filters(filter("value", &["c"])).send().await.unwrap();
    assert_eq!(told.tags()[0].resource_id(), Some("a"));
    assert_eq!(code(create("x").await), "ValidationError");
}

#[tokio::test(start_paused = true)]
async fn calls_take_virtual_time_and_are_retried_in_it() {
    let kinds = [
        ("no fault", None, 1, 0.02..0.03, true),
        ("throttled once", Some((Calls::First(1), FaultKind::Throttle)), 2, 0.04..3.0, true),
        ("a server's error", Some((Calls::First(2), FaultKind::ServerError)), 3, 0.06..5.0, true),
        ("no answer", Some((Calls::First(1), FaultKind::TimeoutAfter)), 2, 5.0..8.0, true),
        ("slow", Some((Calls::All, FaultKind::Latency(Duration::from_secs(2)))), 1, 2.0..2.1, true),
        ("denied", Some((Calls::All, FaultKind::AccessDenied)), 1, 0.02..0.03, false),
        ("throttled for ever", Some((Calls::All, FaultKind::Throttle)), 3, 0.06..5.0, false),
    ];
    for (case, fault, calls, seconds, answered) in kinds {
        let faults = fault.map(|(calls, kind)| Fault::of("ListClusters", calls, kind));
        let Clients { fake, ecs, .. } =
            clients(Scenario::new(7).set(|settings| settings.faults = faults.into_iter().collect()));
        let began = Instant::now();
        let answer = ecs.list_clusters().send().await;
        let took = began.elapsed().as_secs_f64();
        assert_eq!(answer.is_ok(), answered, "{case}: {answer:?}");
        assert!(seconds.contains(&took), "{case}: {took} s");
        assert_eq!(fake.with(|world| world.count_calls("ListClusters")), calls, "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn buckets_throttle_by_name() {
    let Clients { fake, ecs, .. } = prod(1);
    let calls = (0..60).map(|_| ecs.list_clusters().send());
    let answers = futures::future::join_all(calls).await;
    assert!(answers.iter().all(Result::is_ok), "retries come through");
    let refused =
        fake.with(|world| world.calls().filter(|call| call.2 == Some("ThrottlingException")).count());
    assert!(refused >= 10, "50 at once are let through, {refused} were refused");
}
