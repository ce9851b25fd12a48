//! Hooks, groups and their tags.

use std::time::Duration;

use aws_fake::{
    scenario::{GroupPlan, Scenario},
    world::{groups::LifecycleState, hooks::EndedBy},
};
use aws_sdk_autoscaling::types::{Filter, Tag};

use crate::{Clients, GROUP, TOPIC, clients, code, prod, refusal};

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
