//! The parts of a scenario, as they are written in JSON.

use std::time::Duration;

use serde::Deserialize;

use crate::world::{
    clock::{Moment, Timeline},
    clusters::Counts,
    ecs::{Rollout, Service},
    hooks::{ActionResult, Hook},
    identity::Identity,
    machines::Tags,
    names,
    task::Size,
};

/// A group that wants no instances.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GroupPlan {
    /// Its name.
    pub name: String,
    /// Its tags; they do not propagate.
    pub tags: Tags,
    /// Who created it, in the trail; none: nothing is there about it.
    pub creator: Option<Identity>,
    /// How long ago that was.
    #[serde(rename = "created_hours_ago", with = "crate::settings::hours")]
    pub created_ago: Duration,
}

/// A cluster and its group.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClusterPlan {
    /// The cluster's name.
    pub name: String,
    /// The group's name; empty: the cluster's with `-ecs`.
    pub group: String,
    /// Instances to begin with, and the group's desired capacity.
    pub instances: usize,
    /// The group's least capacity.
    pub min: usize,
    /// The group's greatest capacity; 0: twice the instances.
    pub max: usize,
    /// CPU units of an instance.
    pub cpu: u32,
    /// Memory of an instance in MiB.
    pub memory: u32,
    /// Services.
    pub services: Vec<ServicePlan>,
    /// The group's hook, if it has one from the beginning.
    pub hook: Option<HookPlan>,
    /// The group's tags; they propagate to its instances.
    pub tags: Tags,
    /// The cluster's own tags.
    pub cluster_tags: Tags,
    /// Whether the group has Capacity Rebalancing: it terminates a spot instance by itself 2 s after EC2's warning.
    pub capacity_rebalance: bool,
    /// Whether the group keeps instances that leave in a warm pool, from which they may come back.
    pub reuse: bool,
    /// What `DescribeClusters` says of the cluster. It has no group then, no instances and no services: it is
    /// nothing but these numbers.
    pub counts: Option<Counts>,
}

impl Default for ClusterPlan {
    fn default() -> Self {
        Self {
            name: "default".to_owned(),
            group: String::new(),
            instances: 1,
            min: 0,
            max: 0,
            cpu: 4_096,
            memory: 16_384,
            services: Vec::new(),
            hook: None,
            tags: Tags::new(),
            cluster_tags: Tags::new(),
            capacity_rebalance: false,
            reuse: false,
            counts: None,
        }
    }
}

impl ClusterPlan {
    pub(super) fn group(&self) -> String {
        if self.group.is_empty() { format!("{}-ecs", self.name) } else { self.group.clone() }
    }
}

/// A service.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServicePlan {
    /// Its name.
    pub name: String,
    /// How many tasks it wants.
    pub tasks: usize,
    /// Whether it runs once on every instance instead.
    pub daemon: bool,
    /// CPU units of a task.
    pub cpu: u32,
    /// Memory of a task in MiB.
    pub memory: u32,
    /// Seconds until a task runs, from and to.
    pub start_seconds: (f64, f64),
    /// How long of that a task is ACTIVATING.
    #[serde(rename = "activating_seconds", with = "crate::settings::seconds")]
    pub activating: Duration,
    /// Whether tasks that find no room are there all the same, PROVISIONING, as with a capacity provider that
    /// scales; otherwise they are not started.
    pub waits: bool,
    /// How its newest deployment stands.
    pub rollout: Rollout,
    /// Seconds that a task takes to stop, from and to.
    pub stop_seconds: (f64, f64),
    /// The deployment's lower limit in percent.
    pub minimum_healthy_percent: usize,
    /// The deployment's upper limit in percent.
    pub maximum_percent: usize,
}

impl Default for ServicePlan {
    fn default() -> Self {
        Self {
            name: "web".to_owned(),
            tasks: 1,
            daemon: false,
            cpu: 128,
            memory: 256,
            start_seconds: (3.0, 3.0),
            activating: Duration::ZERO,
            waits: false,
            rollout: Rollout::Completed,
            stop_seconds: (10.0, 10.0),
            minimum_healthy_percent: 100,
            maximum_percent: 200,
        }
    }
}

/// A hook for terminating instances.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HookPlan {
    /// Its name.
    pub name: String,
    /// Name of the topic that is told; none: only the event bus is.
    pub topic: Option<String>,
    /// Text that goes with every message, for instance `{"cluster":"prod"}`.
    pub metadata: Option<String>,
    /// Seconds without a heartbeat until it times out.
    pub heartbeat_seconds: u64,
    /// Whether a time-out counts as ABANDON.
    pub abandon: bool,
}

impl Default for HookPlan {
    fn default() -> Self {
        Self { name: "drain".to_owned(), topic: None, metadata: None, heartbeat_seconds: 900, abandon: false }
    }
}

impl ServicePlan {
    /// The service in this cluster, created now.
    pub(crate) fn of(self, cluster: &str, now: Moment) -> Service {
        Service {
            name: self.name,
            cluster: cluster.to_owned(),
            created_at: now,
            deleted_at: None,
            rollout: Timeline::new(now, self.rollout),
            waits: self.waits,
            activating: self.activating,
            tasks: self.tasks,
            daemon: self.daemon,
            size: Size { cpu: self.cpu, memory: self.memory },
            start: self.start_seconds,
            stop: self.stop_seconds,
            minimum_healthy_percent: self.minimum_healthy_percent,
            maximum_percent: self.maximum_percent,
        }
    }
}

impl From<HookPlan> for Hook {
    fn from(plan: HookPlan) -> Self {
        Self {
            name: plan.name,
            target: plan.topic.map(|topic| names::topic_arn(&topic)),
            role: None,
            metadata: plan.metadata,
            heartbeat: Duration::from_secs(plan.heartbeat_seconds),
            default_result: if plan.abandon { ActionResult::Abandon } else { ActionResult::Continue },
        }
    }
}
