//! What `ecs-metrics` uses a month, and what that costs. Nothing here reads, prints or rounds.

pub mod page;
pub mod published;

use clap::ValueEnum;

use crate::MINUTES;
use crate::bill::Bill;
use crate::prices;
use crate::running::{CALL, EVENT, HANDLING, MEMORY};

/// Metrics that every cluster has.
pub const METRICS: u32 = 4;
/// Metrics that the writer has of itself, however many clusters it writes.
pub const OWN_METRICS: u32 = 8;
/// Data that a `PutMetricData` takes.
pub const BATCH: u32 = 1_000;

/// GB of an Express workflow: 50 MB and its definition, in chunks of 64 MB.
pub const MACHINE_MEMORY: f64 = 0.0625;

/// Seconds that a tick of its own runs at 128 MB: two calls one after the other.
pub const TICK: f64 = 2.0 * CALL + HANDLING;
/// Seconds of CPU that a tick takes for each cluster more: measured, docs/benchmarks.md ("Metrics").
pub const CLUSTER_CPU: f64 = 0.000_009;
/// Seconds that this takes at a fourteenth of a core, rounded. More calls go side by side.
pub const TICK_CLUSTER: f64 = 0.000_12;

/// Bytes of a document in the embedded metric format besides its metrics: directive, timestamp, namespace, dimension.
pub const DOCUMENT: u32 = 152;
/// Bytes of a metric in it: its definition and its value. With the four published ones a document has 512 bytes.
pub const DOCUMENT_METRIC: u32 = 90;
/// Bytes of a further value in a list.
pub const DOCUMENT_VALUE: u32 = 19;

/// Conditional writes a minute: the invocation claims its minute, tries the one that is running, and at its end the next.
pub const LEASES: u32 = 3;
/// Seconds between two lines with the writer's own metrics, in the loop.
pub const REPORTS: u32 = 10;

/// What the writer is told, and how much there is to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Clusters.
    pub clusters: u32,
    /// Seconds from one tick to the next; a minute is a multiple of it.
    pub period: u32,
    /// Where metrics go.
    pub sink: Sink,
    /// What makes it tick.
    pub driver: Driver,
    /// Seconds from the rule's event to the minute after it, which is the one that is written.
    pub wait: u32,
    /// Whether minutes are leased.
    pub lease: bool,
    /// Whether the writer writes its own metrics.
    pub self_metrics: bool,
    /// What else is written, each once.
    pub extras: Vec<Extra>,
    /// Services a cluster.
    pub services: u32,
    /// Alarms on one metric each.
    pub alarms: u32,
    /// Dashboards.
    pub dashboards: u32,
}

/// Where metrics go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sink {
    /// `PutMetricData` at each tick.
    Put,
    /// `PutMetricData` every so many seconds.
    Flush(u32),
    /// Lines of the log.
    Emf,
}

/// What makes it tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Driver {
    /// A rule starts an invocation a minute, which makes all its ticks
    Schedule,
    /// A rule starts an Express workflow a minute, which starts an invocation a tick
    StateMachine,
}

/// Metrics that are written only if asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Extra {
    /// Tasks and services by launch type, at each tick
    LaunchTypes,
    /// Container instances: active, draining, disconnected; once a minute, as all that follow
    Instances,
    /// Five metrics a service
    Services,
    /// How many more of the largest task fit
    Capacity,
    /// Age of the oldest pending task
    PendingAge,
}

impl Extra {
    /// Metrics for each cluster.
    #[must_use]
    pub fn metrics(self, services: u32) -> u32 {
        match self {
            // Running and pending tasks, active and draining services; EC2, Fargate, external, managed instances.
            Self::LaunchTypes => 16,
            Self::Instances => 3,
            Self::Services => 5 * services,
            Self::Capacity | Self::PendingAge => 1,
        }
    }
}

impl Settings {
    /// Ticks a minute.
    fn ticks(&self) -> u32 {
        60 / self.period
    }

    fn wants(&self, extra: Extra) -> bool {
        self.extras.contains(&extra)
    }

    /// Metrics that a cluster has at each tick.
    fn metrics_a_tick(&self) -> u32 {
        let splits = if self.wants(Extra::LaunchTypes) { Extra::LaunchTypes.metrics(0) } else { 0 };
        METRICS + splits
    }

    /// Those of its metrics that a cluster has once a minute, services not counted.
    fn metrics_a_minute(&self) -> u32 {
        let of_clusters = [Extra::Instances, Extra::Capacity, Extra::PendingAge];
        of_clusters.iter().filter(|extra| self.wants(**extra)).map(|extra| extra.metrics(0)).sum()
    }

    /// Services of all clusters, if they are written.
    fn written_services(&self) -> u32 {
        if self.wants(Extra::Services) { self.clusters * self.services } else { 0 }
    }

    /// `PutMetricData` a minute.
    fn puts(&self) -> u32 {
        let tick = self.clusters * self.metrics_a_tick();
        // A round of what is read once a minute is put by itself.
        let round =
            self.clusters * self.metrics_a_minute() + self.written_services() * Extra::Services.metrics(1);
        let ticks = match self.sink {
            Sink::Emf => return 0,
            Sink::Put => self.ticks() * tick.div_ceil(BATCH),
            Sink::Flush(seconds) => {
                let window = |due: u32| due * self.period / seconds;
                let dues: Vec<u32> = (0..self.ticks()).collect();
                let windows = dues.chunk_by(|a, b| window(*a) == window(*b));
                windows.map(|dues| dues.iter().map(|_| tick).sum::<u32>().div_ceil(BATCH)).sum()
            }
        };
        ticks + round.div_ceil(BATCH)
    }

    /// GB of the clusters' metrics a minute, as lines of the log.
    fn documents(&self) -> f64 {
        if self.sink != Sink::Emf {
            return 0.0;
        }
        let ticks = f64::from(self.clusters) * f64::from(self.ticks()) * line(self.metrics_a_tick());
        let minute = match self.metrics_a_minute() {
            0 => 0.0,
            metrics => f64::from(self.clusters) * line(metrics),
        };
        let services = f64::from(self.written_services()) * line(Extra::Services.metrics(1));
        (ticks + minute + services) / 1e9
    }

    /// GB of the writer's own metrics a minute.
    fn reports(&self) -> f64 {
        if !self.self_metrics {
            return 0.0;
        }
        let lines = match self.driver {
            Driver::Schedule => self.ticks().min(60 / REPORTS),
            Driver::StateMachine => self.ticks(),
        };
        (f64::from(lines) * line(OWN_METRICS) + f64::from(self.ticks() * DOCUMENT_VALUE)) / 1e9
    }

    /// Its bill.
    #[must_use]
    pub fn bill(&self, free_tier: bool) -> Bill {
        let mut bill = Bill::new(free_tier);
        self.add_to(&mut bill);
        bill
    }

    /// Adds its items.
    pub fn add_to(&self, bill: &mut Bill) {
        let clusters = f64::from(self.clusters);
        bill.add(
            format!("custom metrics, {METRICS} a cluster"),
            &prices::METRIC,
            clusters * f64::from(METRICS),
        );
        for extra in &self.extras {
            let metrics = extra.metrics(self.services);
            let name = extra.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
            bill.add(format!("{name}, {metrics} a cluster"), &prices::METRIC, clusters * f64::from(metrics));
        }
        if self.self_metrics {
            bill.add("its own metrics", &prices::METRIC, f64::from(OWN_METRICS));
        }
        bill.add("PutMetricData", &prices::PUT, month(self.puts()));
        bill.add("log ingestion, metrics", &prices::LOGS, self.documents() * month(1));
        bill.add("log ingestion, its own metrics", &prices::LOGS, self.reports() * month(1));
        let runs = self.run(bill);
        bill.add("Lambda requests", &prices::REQUEST, month(runs));
        bill.add("EventBridge rules", &prices::RULE, month(1));
        bill.add("alarms", &prices::ALARM, f64::from(self.alarms));
        let shown = self.clusters * METRICS;
        let free = if shown <= prices::FREE_DASHBOARD_METRICS { prices::DASHBOARD.free } else { 0.0 };
        bill.add_unless_free("dashboards", &prices::DASHBOARD, f64::from(self.dashboards), free);
    }

    /// Adds what running takes; returns invocations a minute.
    fn run(&self, bill: &mut Bill) -> u32 {
        match self.driver {
            Driver::Schedule => {
                bill.add("Lambda duration", &prices::ARM, month(60 + self.wait) * MEMORY);
                let leases = if self.lease { LEASES } else { 0 };
                bill.add("DynamoDB, leases", &prices::WRITE, month(leases));
                1
            }
            Driver::StateMachine => {
                let seconds = TICK + TICK_CLUSTER * f64::from(self.clusters);
                bill.add("Lambda duration", &prices::ARM, month(self.ticks()) * seconds * MEMORY);
                bill.add("Express workflow, requests", &prices::EXPRESS, month(1));
                bill.add(
                    "Express workflow, duration",
                    &prices::EXPRESS_DURATION,
                    month(60 + self.wait) * MACHINE_MEMORY,
                );
                self.ticks()
            }
        }
    }
}

/// Bytes of a line with so many metrics, as they are counted.
fn line(metrics: u32) -> f64 {
    f64::from(DOCUMENT + DOCUMENT_METRIC * metrics + EVENT)
}

/// What comes so often a minute, in a month.
fn month(a_minute: u32) -> f64 {
    f64::from(a_minute) * f64::from(MINUTES)
}
