//! Clusters, and what they count: kept at every change, so that describing a hundred of them looks at no task.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    World,
    clock::{Moment, Timeline},
    ecs::{Rollout, Service},
    machines::Tags,
    names,
};

/// Where in its life a cluster is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It is there.
    Active,
    /// It was deleted: `DescribeClusters` still knows it, nothing else does.
    Inactive,
    /// ECS has forgotten it.
    Gone,
}

/// What `DescribeClusters` says of a cluster, whatever is in it: for tests with many clusters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Counts {
    /// `runningTasksCount`.
    pub running: u32,
    /// `pendingTasksCount`.
    pub pending: u32,
    /// `activeServicesCount`.
    pub services: u32,
    /// `registeredContainerInstancesCount`.
    pub instances: u32,
    /// Statistics by name, in place of those that follow from the numbers above, or besides them: for
    /// instance `RunningFargateTasksCount`.
    pub statistics: BTreeMap<String, u32>,
}

/// Tasks that ECS wants: those that run, and those that do not yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskCount {
    /// Running ones.
    pub running: u32,
    /// All others: PROVISIONING, PENDING, ACTIVATING.
    pub pending: u32,
}

/// As what a task is counted. ECS counts by the desired status: a stopping task is no longer counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Counted {
    /// As nothing.
    #[default]
    Not,
    /// As pending.
    Pending,
    /// As running.
    Running,
}

impl TaskCount {
    fn moved(self, from: Counted, to: Counted) -> Self {
        let mut moved = self;
        match from {
            Counted::Not => {}
            Counted::Pending => moved.pending = moved.pending.saturating_sub(1),
            Counted::Running => moved.running = moved.running.saturating_sub(1),
        }
        match to {
            Counted::Not => {}
            Counted::Pending => moved.pending += 1,
            Counted::Running => moved.running += 1,
        }
        moved
    }
}

/// A cluster.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// Where in its life it is.
    pub life: Timeline<Life>,
    /// Its tags.
    pub tags: Tags,
    /// What is said of it, if not what is in it.
    pub counts: Timeline<Option<Counts>>,
    /// Its tasks.
    tasks: Timeline<TaskCount>,
    /// Its tasks, by service.
    by_service: BTreeMap<String, Timeline<TaskCount>>,
    /// Its container instances that are ACTIVE or DRAINING.
    members: Timeline<u32>,
    /// Ids of tasks that have found no room yet.
    pub(crate) waiting: Vec<String>,
}

impl Cluster {
    pub(crate) fn new(name: &str, now: Moment) -> Self {
        Self {
            name: name.to_owned(),
            life: Timeline::new(now, Life::Active),
            tags: Tags::new(),
            counts: Timeline::new(now, None),
            tasks: Timeline::new(now, TaskCount::default()),
            by_service: BTreeMap::new(),
            members: Timeline::new(now, 0),
            waiting: Vec::new(),
        }
    }

    /// Its tasks at a moment.
    pub(crate) fn tasks_at(&self, at: Moment) -> TaskCount {
        self.tasks.at(at).unwrap_or_default()
    }

    /// The tasks of one of its services at a moment.
    pub(crate) fn service_tasks_at(&self, service: &str, at: Moment) -> TaskCount {
        self.by_service.get(service).and_then(|tasks| tasks.at(at)).unwrap_or_default()
    }

    /// Its container instances at a moment.
    pub(crate) fn members_at(&self, at: Moment) -> u32 {
        self.members.at(at).unwrap_or_default()
    }

    /// One container instance more or less.
    pub(crate) fn count_member(&mut self, now: Moment, joins: bool) {
        let before = self.members.latest();
        self.members.set(now, if joins { before + 1 } else { before.saturating_sub(1) });
    }
}

impl World {
    /// The cluster by name or ARN, unless it is unknown or deleted at this moment.
    pub(crate) fn find_cluster(&self, name_or_arn: &str, at: Moment) -> Option<&Cluster> {
        let cluster = self.clusters.get(names::short_id(name_or_arn))?;
        (cluster.life.at(at) == Some(Life::Active)).then_some(cluster)
    }

    /// The services of a cluster, deleted ones too.
    pub(crate) fn services_of(&self, cluster: &str) -> &[Service] {
        self.services.get(cluster).map(Vec::as_slice).unwrap_or_default()
    }

    pub(crate) fn service_mut(&mut self, cluster: &str, service: &str) -> Option<&mut Service> {
        self.services.get_mut(cluster)?.iter_mut().find(|found| found.name == service)
    }

    /// Counts a task as something else from now on.
    pub(crate) fn count_task(&mut self, id: &str, to: Counted) {
        let now = self.now;
        let Some(task) = self.tasks.get_mut(id) else { return };
        let from = std::mem::replace(&mut task.counted, to);
        let Some(cluster) = self.clusters.get_mut(&task.cluster).filter(|_| from != to) else { return };
        let move_one = |line: &mut Timeline<TaskCount>| line.set(now, line.latest().moved(from, to));
        move_one(&mut cluster.tasks);
        if let Some(service) = task.owner.service() {
            let empty = || Timeline::new(now, TaskCount::default());
            move_one(cluster.by_service.entry(service.to_owned()).or_insert_with(empty));
        }
    }
}

/// What a test does to clusters and services from outside.
impl World {
    /// Deletes a cluster: it is INACTIVE from now on. Deleting it once more has ECS forget it.
    pub fn delete_cluster(&mut self, cluster: &str) {
        let now = self.now;
        if let Some(cluster) = self.clusters.get_mut(cluster) {
            let next = if cluster.life.latest() == Life::Active { Life::Inactive } else { Life::Gone };
            cluster.life.set(now, next);
        }
    }

    /// Changes what `DescribeClusters` says of a cluster; none: what is in it.
    pub fn set_counts(&mut self, cluster: &str, counts: impl Into<Option<Counts>>) {
        let now = self.now;
        if let Some(cluster) = self.clusters.get_mut(cluster) {
            cluster.counts.set(now, counts.into());
        }
    }

    /// Changes how many tasks a service wants.
    pub fn set_tasks(&mut self, cluster: &str, service: &str, tasks: usize) {
        if let Some(service) = self.service_mut(cluster, service) {
            service.tasks = tasks;
        }
        self.reschedule(cluster);
    }

    /// Changes how a service's newest deployment stands.
    pub fn set_rollout(&mut self, cluster: &str, service: &str, rollout: Rollout) {
        let now = self.now;
        if let Some(service) = self.service_mut(cluster, service) {
            service.rollout.set(now, rollout);
        }
    }

    /// Deletes a service: it is DRAINING until its tasks have stopped, then INACTIVE.
    pub fn delete_service(&mut self, cluster: &str, service: &str) {
        let now = self.now;
        if let Some(service) = self.service_mut(cluster, service) {
            service.deleted_at = service.deleted_at.or(Some(now));
            service.tasks = 0;
        }
        self.reschedule(cluster);
    }
}
