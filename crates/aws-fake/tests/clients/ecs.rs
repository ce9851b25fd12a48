//! Container instances, tasks and attributes.

use std::time::Duration;

use aws_sdk_ecs::error::ProvideErrorMetadata;
use aws_sdk_ecs::types::{
    Attribute, ContainerInstanceField, ContainerInstanceStatus, DesiredStatus, TargetType,
};

use crate::{Clients, GROUP, code, prod};

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
