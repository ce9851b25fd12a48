//! Further metrics.

use std::collections::BTreeMap;

use aws_fake::log::Log;
use aws_fake::scenario::{Scenario, ServicePlan};
use aws_fake::world::clusters::Counts;
use aws_fake::world::ecs::{Rollout, Status};
use aws_fake::world::tables::TablePlan;

use crate::harness::{World, clusters};

/// A cluster with three instances, and what a service does on them.
fn fleet() -> Scenario {
    let scenario = Scenario::new(1).table(TablePlan::new("lease", "LeaseId", "S"));
    scenario.cluster("prod", 3).service("web", 6, (10, 60))
}

/// The newest value of each metric that is kept by the minute, with the service if it is one's.
fn by_minute(world: &World) -> BTreeMap<String, f64> {
    world.fake.with(|world| {
        let data = world.metric_data().filter(|datum| datum.resolution == 60);
        let name = |datum: aws_fake::world::metrics::Datum| {
            let service = datum.metric.dimension("ServiceName").map(|service| format!(" {service}"));
            (format!("{}{}", datum.metric.name, service.unwrap_or_default()), datum.value().unwrap())
        };
        data.map(name).collect()
    })
}

#[tokio::test(start_paused = true)]
async fn launch_types_come_with_the_counts() {
    let mut scenario = clusters(1);
    let statistics =
        [("runningEC2TasksCount", 7), ("RunningFargateTasksCount", 3), ("drainingEC2ServiceCount", 1)];
    let statistics = statistics.map(|(name, count)| (name.to_owned(), count)).into();
    scenario.clusters[0].counts = Some(Counts { running: 10, statistics, ..Counts::default() });
    let world = World::new(scenario, &[("EXTRA_METRICS", "launch-types")]);
    world.invoke(serde_json::json!({}), "r").await.unwrap();
    let found: BTreeMap<String, f64> = world.fake.with(|world| {
        world.metric_data().map(|datum| (datum.metric.name.clone(), datum.value().unwrap())).collect()
    });
    for (name, value) in [("RunningTaskEC2", 7.0), ("RunningTaskFargate", 3.0), ("DrainingServicesEC2", 1.0)]
    {
        assert_eq!(found.get(name), Some(&value), "{name}: {found:?}");
    }
    assert_eq!(world.calls("DescribeClusters"), 1);
}

#[tokio::test(start_paused = true)]
async fn each_word_writes_its_metrics_once_a_minute() {
    for (word, expected, calls) in [
        (
            "instances",
            vec![("ActiveInstances", 2.0), ("DrainingInstances", 1.0), ("DisconnectedInstances", 0.0)],
            vec![("ListContainerInstances", 3)],
        ),
        (
            "services",
            vec![
                ("ServiceRunningTask web", 6.0),
                ("ServicePendingTask web", 0.0),
                ("ServiceDesiredTask web", 6.0),
                ("DeploymentsInProgress web", 0.0),
                ("DeploymentsFailed web", 0.0),
            ],
            vec![("ListServices", 1), ("DescribeServices", 1)],
        ),
        (
            "capacity",
            // (4,096 - 3 × 128) / 128 on each of the two that are ACTIVE.
            vec![("CapacityForLargestTask", 58.0)],
            vec![
                ("ListContainerInstances", 3),
                ("DescribeContainerInstances", 1),
                ("ListTasks", 1),
                ("DescribeTasks", 1),
            ],
        ),
        ("pending-age", vec![("OldestPendingTask", 0.0)], vec![("ListTasks", 0)]),
    ] {
        let world = World::new(fleet(), &[("EXTRA_METRICS", word), ("LEASE_TABLE", "")]);
        world.until(30).await;
        world.fake.with(|world| {
            let id = world.instances("prod-ecs").remove(0);
            world.set_container_instance_status(&id, Status::Draining);
        });
        let before = calls.iter().map(|(operation, _)| world.calls(operation)).collect::<Vec<_>>();
        world.trigger(0, 50, "r").await;
        let found = by_minute(&world);
        let expected: BTreeMap<String, f64> =
            expected.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        assert_eq!(found, expected, "{word}");
        for ((operation, count), before) in calls.into_iter().zip(before) {
            assert_eq!(world.calls(operation) - before, count, "{word}: {operation}");
        }
        let stamps: Vec<u64> = world.fake.with(|world| {
            world
                .metric_data()
                .filter(|datum| datum.resolution == 60)
                .map(|datum| datum.timestamp.as_secs() % 60)
                .collect()
        });
        assert!(stamps.iter().all(|second| *second == 0), "{word}: as of the minute");
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_without_room_grows_old() {
    let waiting =
        ServicePlan { name: "large".to_owned(), cpu: 1_000_000, waits: true, ..ServicePlan::default() };
    let world =
        World::new(fleet().with_service(waiting), &[("EXTRA_METRICS", "pending-age"), ("LEASE_TABLE", "")]);
    world.trigger(60, 110, "r").await;
    let age = by_minute(&world)["OldestPendingTask"];
    assert!((115.0..=120.0).contains(&age), "{age} s after two minutes");
}

#[tokio::test(start_paused = true)]
async fn a_round_takes_less_than_a_quarter_of_the_quota_and_goes_on_elsewhere() {
    let (log, _guard) = Log::of("ecs_metrics");
    let (world, _) = World::minute(clusters(100), &[("EXTRA_METRICS", "instances,services")]).await;
    for operations in [["ListServices", "DescribeServices"], ["ListContainerInstances", "ListTasks"]] {
        let mut a_second: BTreeMap<u64, usize> = BTreeMap::new();
        world.fake.with(|world| {
            for (at, operation, _) in world.calls() {
                *a_second.entry(at.as_secs()).or_default() += usize::from(operations.contains(&operation));
            }
        });
        let most = a_second.values().copied().max().unwrap_or_default();
        assert!((1..=5).contains(&most), "{operations:?}: {most} in a second, of 20");
    }
    let cut = log.lines().into_iter().find(|line| line["visited"].is_u64()).expect("the round is cut");
    let visited = cut["visited"].as_u64().unwrap();
    assert!((50..100).contains(&visited), "{visited}");
    let written = world
        .fake
        .with(|world| world.metric_data().filter(|datum| datum.metric.name == "ActiveInstances").count());
    assert_eq!(written as u64, visited, "what was read is written");
}

#[tokio::test(start_paused = true)]
async fn a_silent_agent_is_counted_after_five_minutes_and_before_eight() {
    let world = World::new(fleet(), &[("EXTRA_METRICS", "instances")]);
    world.until(15).await;
    world.fake.with(|world| {
        let id = world.instances("prod-ecs").remove(0);
        world.disconnect_agent(&id);
    });
    let triggers: Vec<String> = (0..8).map(|minute| format!("r-{minute}")).collect();
    let triggers =
        triggers.iter().zip(0..).map(|(id, minute)| world.trigger(60 * minute + 20, 60 * minute + 20, id));
    futures::future::join_all(triggers).await;
    let found: Vec<(u64, f64)> = world.fake.with(|world| {
        let data = world.metric_data().filter(|datum| datum.metric.name == "DisconnectedInstances");
        data.map(|datum| (datum.timestamp.as_secs() / 60 % 60, datum.value().unwrap())).collect()
    });
    let first = found.iter().find(|(_, silent)| *silent > 0.0).expect("it is counted").0;
    assert!((6..=8).contains(&first), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn deployments_are_told_by_how_they_stand() {
    for (rollout, expected) in
        [(Rollout::InProgress, (1.0, 0.0)), (Rollout::Failed, (0.0, 1.0)), (Rollout::Completed, (0.0, 0.0))]
    {
        let service = ServicePlan { rollout, ..ServicePlan::default() };
        let scenario = Scenario::new(1).cluster("prod", 1).with_service(service);
        let (world, _) = World::minute(scenario, &[("EXTRA_METRICS", "services")]).await;
        let found = by_minute(&world);
        let found = (found["DeploymentsInProgress web"], found["DeploymentsFailed web"]);
        assert!(found == expected, "{rollout:?}: {found:?}");
    }
}
