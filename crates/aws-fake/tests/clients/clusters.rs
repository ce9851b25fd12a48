//! Clusters: what is said of them, and how it is counted.

use std::time::{Duration, Instant};

use aws_fake::{
    scenario::{ClusterPlan, Scenario, ServicePlan},
    world::clusters::Counts,
};
use aws_sdk_ecs::types::{Cluster, ClusterField};

use crate::{Clients, GROUP, clients, code, prod};

/// What a description says: running, pending, services, instances.
fn counts(cluster: &Cluster) -> [i32; 4] {
    [
        cluster.running_tasks_count(),
        cluster.pending_tasks_count(),
        cluster.active_services_count(),
        cluster.registered_container_instances_count(),
    ]
}

async fn described(ecs: &aws_sdk_ecs::Client, name: &str) -> Cluster {
    let answer = ecs.describe_clusters().clusters(name).send().await.expect("described");
    answer.clusters()[0].clone()
}

#[tokio::test(start_paused = true)]
async fn a_cluster_counts_what_is_in_it() {
    let Clients { fake, ecs, .. } = prod(3);
    let at = async |seconds| {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        counts(&described(&ecs, "prod").await)
    };
    assert_eq!(at(1).await, [6, 0, 1, 3], "6 tasks of one service on 3 instances");
    fake.with(|world| world.set_tasks("prod", "web", 8));
    assert_eq!(at(2).await, [6, 2, 1, 3], "two more start");
    assert_eq!(at(3).await, [8, 0, 1, 3], "they run");
    let tasks = ecs.list_tasks().cluster("prod").send().await.unwrap();
    ecs.stop_task().cluster("prod").task(&tasks.task_arns()[0]).send().await.unwrap();
    assert_eq!(at(0).await, [7, 0, 1, 3], "a task that stops is not counted, although it runs");
    assert_eq!(at(30).await, [8, 0, 1, 3], "it is replaced");
    let instance = fake.with(|world| world.instances(GROUP)[0].clone());
    fake.with(|world| world.set_container_instance_status(&instance, aws_fake::world::ecs::Status::Draining));
    assert_eq!(at(60).await, [8, 0, 1, 3], "a DRAINING instance counts");
    fake.with(|world| world.deregister(&instance));
    assert_eq!(at(1).await, [8, 0, 1, 2], "a deregistered one does not");
    fake.with(|world| world.delete_service("prod", "web"));
    assert_eq!(at(2).await, [0, 0, 0, 2]);
}

#[tokio::test(start_paused = true)]
async fn the_count_is_that_of_the_lists() {
    let scenario = Scenario::new(3).set(|settings| settings.staleness = Duration::from_secs(2));
    let scenario =
        scenario.cluster("prod", 4).service("web", 12, (1, 9)).service("api", 5, (1, 9)).daemon("log", 2);
    let Clients { fake, ecs, .. } = clients(scenario);
    for round in 0..40 {
        fake.with(|world| {
            world.set_tasks("prod", "web", [12, 3, 9, 0][round % 4]);
            let instance = world.instances(GROUP).into_iter().nth(round % 4);
            match (round % 7, instance) {
                (3, Some(instance)) => world.terminate(&instance),
                (5, Some(instance)) => world.register_anew(&instance),
                _ => {}
            }
            world.settings_mut().staleness = Duration::ZERO;
        });
        tokio::time::sleep(Duration::from_millis(1_730)).await;
        let [running, pending, _, instances] = counts(&described(&ecs, "prod").await);
        let listed = ecs.list_tasks().cluster("prod").send().await.unwrap().task_arns.unwrap_or_default();
        let members = ecs.list_container_instances().cluster("prod").send().await.unwrap();
        assert_eq!(running + pending, i32::try_from(listed.len()).unwrap(), "round {round}");
        assert_eq!(
            instances,
            i32::try_from(members.container_instance_arns().len()).unwrap(),
            "round {round}"
        );
        let mut runs = 0;
        if !listed.is_empty() {
            let tasks = ecs.describe_tasks().cluster("prod").set_tasks(Some(listed)).send().await.unwrap();
            runs = tasks.tasks().iter().filter(|task| task.last_status() == Some("RUNNING")).count();
        }
        // The reads are some milliseconds apart: what changes then may be seen by only one of them.
        assert!((running - i32::try_from(runs).unwrap()).abs() <= 1, "round {round}: {running}, {runs}");
    }
}

#[tokio::test(start_paused = true)]
async fn clusters_have_pages_and_end() {
    let names = (0..250).map(|n| format!("c{n:03}"));
    let plain = |scenario: Scenario, name: String| scenario.counted_cluster(&name, Counts::default());
    let Clients { fake, ecs, .. } = clients(names.fold(Scenario::new(1), plain));
    let mut pages = ecs.list_clusters().into_paginator().send();
    let mut sizes = Vec::new();
    while let Some(page) = pages.next().await {
        sizes.push(page.unwrap().cluster_arns().len());
    }
    assert_eq!(sizes, [100, 100, 50]);
    assert_eq!(code(ecs.list_clusters().max_results(101).send().await), "InvalidParameterException");
    fake.with(|world| {
        world.set_counts(
            "c001",
            Counts { running: 7, pending: 2, services: 3, instances: 4, ..Counts::default() },
        );
        world.delete_cluster("c002");
        (0..2).for_each(|_| world.delete_cluster("c003"));
        world.create_cluster(ClusterPlan { name: "new".into(), instances: 2, ..ClusterPlan::default() });
    });
    let arn = "arn:aws:ecs:us-east-1:123456789012:cluster/c001";
    let elsewhere = "arn:aws:ecs:eu-west-1:123456789012:cluster/c001";
    let names = ["c001", arn, elsewhere, "c002", "c003", "nope", "new"];
    let ask = ecs.describe_clusters().set_clusters(Some(names.map(str::to_owned).into()));
    let answer = ask.send().await.unwrap();
    let seen: Vec<_> = answer
        .clusters()
        .iter()
        .map(|cluster| (cluster.cluster_name().unwrap(), cluster.status().unwrap(), counts(cluster)))
        .collect();
    let expected = [
        ("c001", "ACTIVE", [7, 2, 3, 4]),
        ("c001", "ACTIVE", [7, 2, 3, 4]),
        ("c002", "INACTIVE", [0, 0, 0, 0]),
        ("new", "ACTIVE", [0, 0, 0, 2]),
    ];
    assert_eq!(seen, expected);
    let missing: Vec<_> =
        answer.failures().iter().map(|failure| (failure.arn().unwrap(), failure.reason().unwrap())).collect();
    let of = |name: &str| format!("arn:aws:ecs:us-east-1:123456789012:cluster/{name}");
    assert_eq!(missing, [(elsewhere, "MISSING"), (&of("c003"), "MISSING"), (&of("nope"), "MISSING")]);
    let listed = ecs.list_clusters().max_results(3).send().await.unwrap();
    assert_eq!(listed.cluster_arns(), [of("c000"), of("c001"), of("c004")], "deleted ones are not listed");
    fake.with(|world| world.create_cluster(ClusterPlan { name: "c002".into(), ..ClusterPlan::default() }));
    assert_eq!(described(&ecs, "c002").await.status(), Some("ACTIVE"), "there again");
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_for_is_included() {
    let tags = [("team".to_owned(), "a".to_owned())].into();
    let statistics =
        [("RunningFargateTasksCount".to_owned(), 2), ("pendingExternalTasksCount".to_owned(), 1)].into();
    let counted = Counts { running: 5, statistics, ..Counts::default() };
    let scenario =
        Scenario::new(1).cluster("default", 1).service("web", 2, 1).counted_cluster("counted", counted);
    let Clients { ecs, .. } = clients(scenario.with_cluster(|cluster| cluster.cluster_tags = tags));
    let answer = ecs.describe_clusters().send().await.unwrap();
    assert_eq!(answer.clusters()[0].cluster_name(), Some("default"), "nobody named one");
    assert!(answer.clusters()[0].statistics().is_empty());
    let all = ClusterField::values().iter().map(|field| ClusterField::from(*field)).collect();
    let ask = ecs.describe_clusters().clusters("default").clusters("counted").set_include(Some(all));
    let answer = ask.send().await.unwrap();
    let statistic = |cluster: usize, name: &str| {
        let mut pairs = answer.clusters()[cluster].statistics().iter();
        pairs.find(|pair| pair.name() == Some(name)).and_then(|pair| pair.value()).map(str::to_owned)
    };
    let rows = [
        (0, "runningEC2TasksCount", Some("2")),
        (0, "RunningFargateTasksCount", Some("0")),
        (0, "activeEC2ServiceCount", Some("1")),
        (0, "pendingExternalTasksCount", None),
        (1, "runningEC2TasksCount", Some("5")),
        (1, "RunningFargateTasksCount", Some("2")),
        (1, "pendingExternalTasksCount", Some("1")),
    ];
    for (cluster, name, expected) in rows {
        assert_eq!(statistic(cluster, name).as_deref(), expected, "{name} of {cluster}");
    }
    let tag = &answer.clusters()[1].tags()[0];
    assert_eq!((tag.key(), tag.value()), (Some("team"), Some("a")));
}

#[tokio::test(start_paused = true)]
async fn wrong_names_are_refused() {
    let Clients { ecs, .. } = prod(1);
    let rows = [
        ("101 names", vec!["prod"; 101]),
        ("a pattern", vec!["prod*"]),
        ("another kind of ARN", vec!["arn:aws:ecs:us-east-1:123456789012:service/prod"]),
        ("an empty name", vec![""]),
    ];
    for (case, names) in rows {
        let names = names.into_iter().map(str::to_owned).collect();
        let answer = ecs.describe_clusters().set_clusters(Some(names)).send().await;
        assert_eq!(code(answer), "InvalidParameterException", "{case}");
    }
    let answer =
        ecs.describe_clusters().set_clusters(Some(vec!["prod".to_owned(); 100])).send().await.unwrap();
    assert_eq!(answer.clusters().len(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_clusters_are_cheap() {
    let name = |n: usize| format!("cluster-{n:04}");
    let began = Instant::now();
    let plain = |scenario: Scenario, n: usize| scenario.cluster(&name(n), 0).service("web", 0, 1);
    let Clients { fake, ecs, .. } =
        clients((0..1_000).fold(Scenario::new(1), plain).cluster("prod", 50).service("web", 500, 9));
    println!("a thousand clusters and one with 500 tasks: {:?}", began.elapsed());
    let ask = |n: usize| {
        let names = (n * 100..n * 100 + 99).map(name).chain(["prod".to_owned()]).collect();
        ecs.describe_clusters().set_clusters(Some(names)).include(ClusterField::Statistics).send()
    };
    ask(0).await.unwrap();
    let began = Instant::now();
    for n in 0..10 {
        let answer = ask(n).await.unwrap();
        assert_eq!(answer.clusters().len(), 100);
    }
    println!("a call of a hundred clusters: {:?}, the client's part included", began.elapsed() / 10);
    let (left, burst) = fake.with(|world| world.lowest_level("DescribeClusters")).expect("a bucket");
    // 11 calls, the last of them 200 ms after the first: 4 tokens came back.
    assert_eq!((left.round(), burst), (43.0, 50.0));
}

#[tokio::test(start_paused = true)]
async fn tasks_wait_for_room() {
    let service = ServicePlan {
        tasks: 5,
        cpu: 1_024,
        waits: true,
        start_seconds: (4.0, 4.0),
        activating: Duration::from_secs(1),
        ..ServicePlan::default()
    };
    let scenario =
        Scenario::new(1).cluster("prod", 1).with_cluster(|cluster| cluster.cpu = 2_048).with_service(service);
    let Clients { fake, ecs, .. } = clients(scenario);
    let at = async |seconds| {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        let [running, pending, ..] = counts(&described(&ecs, "prod").await);
        let tasks = ecs.list_tasks().cluster("prod").send().await.unwrap().task_arns;
        let tasks = ecs.describe_tasks().cluster("prod").set_tasks(tasks).send().await.unwrap();
        let mut seen: Vec<_> =
            tasks.tasks().iter().map(|task| task.last_status().unwrap().to_owned()).collect();
        seen.sort();
        for task in tasks.tasks() {
            let placed = task.last_status() != Some("PROVISIONING");
            assert_eq!(
                (task.container_instance_arn().is_some(), task.created_at().is_some()),
                (placed, true)
            );
            assert_eq!((task.cpu(), task.containers()[0].cpu()), (Some("1024"), Some("1024")));
        }
        (running, pending, seen.join(" "))
    };
    let (p, r) = ("PROVISIONING", "RUNNING");
    assert_eq!(at(1).await, (2, 3, format!("{p} {p} {p} {r} {r}")));
    fake.with(|world| world.launch_unregistered(GROUP, Duration::ZERO));
    assert_eq!(at(2).await, (2, 3, format!("PENDING PENDING {p} {r} {r}")), "placed a second later");
    assert_eq!(at(2).await, (2, 3, format!("ACTIVATING ACTIVATING {p} {r} {r}")));
    assert_eq!(at(1).await, (4, 1, format!("{p} {r} {r} {r} {r}")));
    fake.with(|world| world.set_tasks("prod", "web", 4));
    assert_eq!(at(2).await, (4, 0, format!("{r} {r} {r} {r}")), "nobody waits any more");
    let service = ecs.describe_services().cluster("prod").services("web").send().await.unwrap();
    let service = &service.services()[0];
    assert_eq!((service.running_count(), service.pending_count(), service.desired_count()), (4, 0, 4));
}
