//! Services, and the parts of instances that have to do with room.

use std::time::Duration;

use aws_fake::{
    faults::{Calls, Fault, FaultKind},
    scenario::{Scenario, ServicePlan},
    world::ecs::Rollout,
};
use aws_sdk_ecs::types::{
    ContainerInstance, Deployment, DeploymentRolloutState, LaunchType, SchedulingStrategy,
};

use crate::{Clients, GROUP, clients, code, prod};

#[tokio::test(start_paused = true)]
async fn services_are_listed() {
    let many = |scenario: Scenario, n: usize| scenario.service(&format!("s{n:03}"), 0, 1);
    let Clients { fake, ecs, .. } =
        clients((0..150).fold(Scenario::new(1).cluster("prod", 1), many).daemon("log", 1));
    let rows = [(None, 10, 16), (Some(100), 100, 2), (Some(7), 7, 22)];
    for (size, first, number) in rows {
        let mut pages = ecs.list_services().cluster("prod").set_max_results(size).into_paginator().send();
        let mut sizes = Vec::new();
        while let Some(page) = pages.next().await {
            sizes.push(page.unwrap().service_arns().len());
        }
        assert_eq!((sizes[0], sizes.len(), sizes.iter().sum()), (first, number, 151), "{size:?}");
    }
    let list = || ecs.list_services().cluster("prod");
    let daemons = list().scheduling_strategy(SchedulingStrategy::Daemon).send().await.unwrap();
    assert_eq!(daemons.service_arns(), ["arn:aws:ecs:us-east-1:123456789012:service/prod/log"]);
    let fargate = list().launch_type(LaunchType::Fargate).send().await.unwrap();
    assert!(fargate.service_arns().is_empty());
    fake.with(|world| world.delete_service("prod", "log"));
    let daemons = list().scheduling_strategy(SchedulingStrategy::Daemon).send().await.unwrap();
    assert!(daemons.service_arns().is_empty(), "a deleted one is not listed");
    assert_eq!(code(list().max_results(101).send().await), "InvalidParameterException");
    assert_eq!(code(ecs.list_services().cluster("nope").send().await), "ClusterNotFoundException");
}

/// A deployment's status, rollout state, running and pending tasks.
fn seen(deployment: &Deployment) -> (&str, DeploymentRolloutState, i32, i32) {
    let rollout = deployment.rollout_state().expect("a rollout state").clone();
    (deployment.status().unwrap_or_default(), rollout, deployment.running_count(), deployment.pending_count())
}

#[tokio::test(start_paused = true)]
async fn deployments_stand_as_they_are_set() {
    use DeploymentRolloutState::{Completed, Failed, InProgress};
    let Clients { fake, ecs, .. } = prod(2);
    let rows = [
        (Rollout::Completed, vec![("PRIMARY", Completed, 4, 0)]),
        (Rollout::InProgress, vec![("PRIMARY", InProgress, 0, 0), ("ACTIVE", Completed, 4, 0)]),
        (Rollout::Failed, vec![("PRIMARY", Failed, 0, 0), ("ACTIVE", Completed, 4, 0)]),
        (Rollout::Completed, vec![("PRIMARY", Completed, 4, 0)]),
    ];
    for (rollout, expected) in rows {
        fake.with(|world| world.set_rollout("prod", "web", rollout));
        let answer = ecs.describe_services().cluster("prod").services("web").send().await.unwrap();
        let service = &answer.services()[0];
        assert_eq!(service.deployments().iter().map(seen).collect::<Vec<_>>(), expected, "{rollout:?}");
        let ids: std::collections::BTreeSet<_> =
            service.deployments().iter().filter_map(|d| d.id()).collect();
        assert_eq!(ids.len(), expected.len(), "{rollout:?}");
        assert_eq!((service.status(), service.desired_count()), (Some("ACTIVE"), 4));
    }
}

#[tokio::test(start_paused = true)]
async fn services_end() {
    let Clients { fake, ecs, .. } = prod(2);
    let status = async || {
        let answer = ecs.describe_services().cluster("prod").services("web").send().await.unwrap();
        answer.services()[0].status().unwrap_or_default().to_owned()
    };
    assert_eq!(status().await, "ACTIVE");
    fake.with(|world| world.delete_service("prod", "web"));
    assert_eq!(status().await, "DRAINING", "its tasks run");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(status().await, "INACTIVE", "its tasks stop");
}

#[tokio::test(start_paused = true)]
async fn services_are_refused() {
    let Clients { fake, ecs, .. } = prod(1);
    let describe = |names: Vec<&str>| {
        let names = names.into_iter().map(str::to_owned).collect();
        ecs.describe_services().cluster("prod").set_services(Some(names)).send()
    };
    assert_eq!(code(describe(vec!["web"; 11]).await), "InvalidParameterException", "more than 10");
    assert_eq!(code(describe(vec![]).await), "InvalidParameterException", "none");
    let arn = "arn:aws:ecs:us-east-1:123456789012:service/prod/web";
    let elsewhere = "arn:aws:ecs:us-east-1:123456789012:service/test/web";
    let answer = describe(vec![arn, "web", elsewhere, "nope"]).await.unwrap();
    assert_eq!(answer.services().len(), 2);
    let failures: Vec<_> = answer.failures().iter().filter_map(|failure| failure.arn()).collect();
    assert_eq!(failures, [elsewhere, "arn:aws:ecs:us-east-1:123456789012:service/prod/nope"]);
    let unknown = ecs.describe_services().cluster("nope").services("web").send().await;
    assert_eq!(code(unknown), "ClusterNotFoundException");
    for operation in ["DescribeClusters", "ListServices", "DescribeServices"] {
        fake.with(|world| world.add_fault(Fault::of(operation, Calls::All, FaultKind::AccessDenied)));
    }
    assert_eq!(code(ecs.describe_clusters().send().await), "AccessDeniedException");
    assert_eq!(code(ecs.list_services().cluster("prod").send().await), "AccessDeniedException");
    assert_eq!(code(describe(vec!["web"]).await), "AccessDeniedException");
}

#[tokio::test(start_paused = true)]
async fn services_and_clusters_have_buckets_of_their_own() {
    let Clients { fake, ecs, .. } = prod(1);
    ecs.describe_clusters().clusters("prod").send().await.unwrap();
    ecs.list_services().cluster("prod").send().await.unwrap();
    let lowest = |operation: &str| fake.with(|world| world.lowest_level(operation));
    let rows = [
        ("ListClusters", (49.0, 50.0)),
        ("DescribeClusters", (49.0, 50.0)),
        ("DescribeServices", (99.0, 100.0)),
        ("ListTasks", (100.0, 100.0)),
    ];
    for (operation, expected) in rows {
        assert_eq!(lowest(operation), Some(expected), "{operation}");
    }
}

/// A resource of what an instance has, and of what is left of it.
fn left(member: &ContainerInstance, name: &str) -> (i32, i32) {
    let of = |resources: &[aws_sdk_ecs::types::Resource]| {
        let found = resources.iter().find(|resource| resource.name() == Some(name));
        found.map(aws_sdk_ecs::types::Resource::integer_value).expect("a resource")
    };
    (of(member.registered_resources()), of(member.remaining_resources()))
}

#[tokio::test(start_paused = true)]
async fn instances_have_room_and_agents() {
    let service = ServicePlan { tasks: 3, cpu: 512, memory: 2_048, ..ServicePlan::default() };
    let Clients { fake, ecs, .. } = clients(Scenario::new(1).cluster("prod", 2).with_service(service));
    let instance = fake.with(|world| world.instances(GROUP)[0].clone());
    fake.with(|world| world.disconnect_agent(&instance));
    let listed = async |filter: &str| {
        let listed = ecs.list_container_instances().cluster("prod").filter(filter).send().await.unwrap();
        listed.container_instance_arns.unwrap_or_default()
    };
    let (silent, others) = (listed("agentConnected == false").await, listed("agentConnected==true").await);
    assert_eq!((silent.len(), others.len()), (1, 1));
    let all = Some([silent, others].concat());
    let answer =
        ecs.describe_container_instances().cluster("prod").set_container_instances(all).send().await.unwrap();
    let members = answer.container_instances();
    assert_eq!(
        (members[0].agent_connected(), members[0].ec2_instance_id()),
        (false, Some(instance.as_str()))
    );
    let mut cpu: Vec<_> = members.iter().map(|member| left(member, "CPU")).collect();
    cpu.sort_unstable();
    assert_eq!(cpu, [(4_096, 3_072), (4_096, 3_584)]);
    let mut memory: Vec<_> = members.iter().map(|member| left(member, "MEMORY")).collect();
    memory.sort_unstable();
    assert_eq!(memory, [(16_384, 12_288), (16_384, 14_336)]);
}
