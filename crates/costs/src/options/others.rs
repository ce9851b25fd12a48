//! The command lines of the other functions, and of what comes with them.

use clap::{Args, value_parser};

use super::How;
use crate::{drainer, metrics, spot, stack, tags};

/// The fleet.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Fleet {
    /// Instances: those of the cluster, and those whose tags are checked
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub(crate) instances: u32,
}

/// Tasks of an instance.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Tasks {
    /// Tasks on an instance that leaves
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = value_parser!(u32).range(0..=1_000))]
    tasks: u32,
}

/// What is drained.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Draining {
    /// Instances that leave a month, each by itself
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = value_parser!(u32).range(0..=1_000_000))]
    drains: u32,
    /// Until an instance's last task has stopped
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = value_parser!(u32).range(1..=172_800))]
    drain_seconds: u32,
    /// Between two looks at a drain (`PASS_INTERVAL_SECONDS`)
    #[arg(long, value_name = "SECONDS", default_value_t = 180, value_parser = value_parser!(u32).range(1..=900))]
    pass_interval: u32,
    /// Tasks that stop on instances that stay, an hour
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = value_parser!(u32).range(0..=10_000_000))]
    task_events: u32,
}

impl Draining {
    pub(crate) fn settings(self, Fleet { instances }: Fleet, Tasks { tasks }: Tasks) -> drainer::Settings {
        let drain = drainer::Drain { seconds: self.drain_seconds, tasks, interval: self.pass_interval };
        drainer::Settings { drains: self.drains, drain, task_events: self.task_events, instances }
    }
}

/// What is tagged.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Tagging {
    /// Runs of the tag policy a month; 720 are one an hour
    #[arg(long, value_name = "N", default_value_t = 720, value_parser = value_parser!(u32).range(0..=43_200))]
    runs: u32,
    /// Launches a month
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = value_parser!(u32).range(0..=1_000_000))]
    launches: u32,
    /// Look-ups in CloudTrail a run, for launches that no event told of
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = value_parser!(u32).range(0..=1_000))]
    lookups: u32,
    /// Mail addresses that get the reports
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(0..=1_000))]
    mail_addresses: u32,
}

impl Tagging {
    pub(crate) fn settings(self, Fleet { instances }: Fleet) -> tags::Settings {
        let Self { runs, launches, lookups, mail_addresses: addresses } = self;
        tags::Settings { instances, runs, launches, lookups, addresses }
    }
}

/// Spot notices.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Notices {
    /// Spot notices a month
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = value_parser!(u32).range(0..=1_000_000))]
    notices: u32,
    /// Target groups that an instance's tag names
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(0..=3))]
    target_groups: u32,
}

impl Notices {
    pub(crate) fn settings(self, Tasks { tasks }: Tasks) -> spot::Settings {
        spot::Settings { notices: self.notices, groups: self.target_groups, tasks }
    }
}

/// What comes with the functions.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Stack {
    /// Clusters with alarms (`EcsMetricsAlarmClusters`)
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = value_parser!(u32).range(0..=10_000))]
    alarm_clusters: u32,
    /// Days that logs are kept (`LogRetentionDays`)
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = value_parser!(u32).range(1..=3_653))]
    log_days: u32,
    /// Smoke tests a month (`CreateSmokeTest`)
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = value_parser!(u32).range(0..=100_000))]
    smoke_tests: u32,
}

impl Stack {
    pub(crate) fn settings(self, writer: &metrics::Settings) -> stack::Settings {
        let Self { alarm_clusters, log_days, smoke_tests } = self;
        let metrics::Settings { period, self_metrics, .. } = *writer;
        stack::Settings { period, self_metrics, alarm_clusters, log_days, smoke_tests }
    }
}

/// The drainer alone.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Drainer {
    #[command(flatten)]
    draining: Draining,
    #[command(flatten)]
    tasks: Tasks,
    #[command(flatten)]
    fleet: Fleet,
    #[command(flatten)]
    pub(crate) how: How,
}

impl Drainer {
    pub(crate) fn settings(self) -> drainer::Settings {
        self.draining.settings(self.fleet, self.tasks)
    }
}

/// The tag policy alone.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Tags {
    #[command(flatten)]
    tagging: Tagging,
    #[command(flatten)]
    fleet: Fleet,
    #[command(flatten)]
    pub(crate) how: How,
}

impl Tags {
    pub(crate) fn settings(self) -> tags::Settings {
        self.tagging.settings(self.fleet)
    }
}

/// Spot notices alone.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Spot {
    #[command(flatten)]
    notices: Notices,
    #[command(flatten)]
    tasks: Tasks,
    #[command(flatten)]
    pub(crate) how: How,
}

impl Spot {
    pub(crate) fn settings(self) -> spot::Settings {
        self.notices.settings(self.tasks)
    }
}
