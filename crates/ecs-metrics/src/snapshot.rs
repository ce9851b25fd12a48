//! What is read, as plain data.

use aws_helpers::fault::Fault;
use jiff::Timestamp;

/// The counts of an active cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// Tasks that are RUNNING.
    pub running: i32,
    /// Tasks that are PENDING.
    pub pending: i32,
    /// Services that are ACTIVE.
    pub services: i32,
    /// Container instances, ACTIVE and DRAINING.
    pub instances: i32,
    /// The same by launch type, as ECS names them (`runningEC2TasksCount`).
    pub statistics: Vec<(String, String)>,
}

/// What was seen of the clusters that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// The active ones.
    pub clusters: Vec<Cluster>,
    /// Names that ECS does not know.
    pub missing: Vec<String>,
    /// Reads that failed, with the number of clusters of each.
    pub failed: Vec<(usize, Fault)>,
}

/// Container instances of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instances {
    /// ARNs of those that are ACTIVE.
    pub active: Vec<String>,
    /// Number of those that are DRAINING.
    pub draining: usize,
    /// ARNs of those whose agent is not connected now.
    pub disconnected: Vec<String>,
}

/// A service's counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Tasks that are RUNNING.
    pub running: i32,
    /// Tasks that are PENDING.
    pub pending: i32,
    /// Tasks that it should have.
    pub desired: i32,
    /// Deployments in progress.
    pub in_progress: usize,
    /// Deployments that failed.
    pub rolled_wrong: usize,
}

/// CPU units and MiB: what a task takes, or a container instance has left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size {
    /// 1,024 a core.
    pub cpu: i64,
    /// MiB.
    pub memory: i64,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// What it takes.
    pub size: Size,
    /// Since when it has been pending; none: it is not.
    pub pending_since: Option<Timestamp>,
}
