//! Decides ticks of a second for a thousand clusters. `make guard` counts the instructions.

use std::error::Error;
use std::hint::black_box;
use std::time::Duration;

use ecs_metrics::decide::{data, schedule};
use ecs_metrics::snapshot::Cluster;
use jiff::Timestamp;

const CLUSTERS: usize = 1_000;
const TICKS: usize = 6;
const PERIOD: Duration = Duration::from_secs(1);

fn main() -> Result<(), Box<dyn Error>> {
    let clusters: Vec<Cluster> = (0..CLUSTERS).map(cluster).collect();
    let mut now = Timestamp::from_millisecond(1_780_000_000_001)?;
    for _ in 0..TICKS {
        let due = schedule::first_due(black_box(now), PERIOD);
        black_box(schedule::is_late(due, now, PERIOD));
        black_box(data::data(black_box(&clusters), true, due));
        now = schedule::later(now, PERIOD);
    }
    Ok(())
}

fn cluster(number: usize) -> Cluster {
    let statistic = |name: &str| (name.to_owned(), "7".to_owned());
    Cluster {
        name: format!("cluster-{number}"),
        running: 7,
        pending: 0,
        services: 3,
        instances: 5,
        statistics: vec![statistic("runningEC2TasksCount"), statistic("runningFargateTasksCount")],
    }
}
