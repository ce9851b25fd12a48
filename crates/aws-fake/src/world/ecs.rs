//! Container instances and services; tasks as they start and stop.

use std::{collections::BTreeMap, time::Duration};

use rand::Rng;
use serde::Deserialize;
use serde_json::json;

use super::{
    Happening, World,
    clock::{Moment, Timeline},
    clusters::{Cluster, Counted, TaskCount},
    names,
    task::{Owner, Size, Stop, Task},
};

/// Status of a container instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Takes tasks.
    Active,
    /// Takes none, and its service tasks move away.
    Draining,
    /// Deregistered.
    Inactive,
}

impl Status {
    /// As the API writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Draining => "DRAINING",
            Self::Inactive => "INACTIVE",
        }
    }
}

/// An EC2 instance as ECS knows it.
#[derive(Clone, Debug)]
pub struct ContainerInstance {
    /// 32 hexadecimal digits.
    pub id: String,
    /// Name of its cluster.
    pub cluster: String,
    /// Id of the EC2 instance.
    pub instance: String,
    /// What it has.
    pub size: Size,
    /// What tasks take of it, until they are STOPPED.
    pub used: Size,
    /// Its status; it does not exist before.
    pub status: Timeline<Status>,
    /// Whether the agent answers.
    pub connected: Timeline<bool>,
    /// Custom attributes.
    pub attributes: BTreeMap<String, Option<String>>,
    /// Ids of all tasks that ever ran here.
    pub tasks: Vec<String>,
}

/// How a service's newest deployment stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rollout {
    /// It is done.
    #[default]
    Completed,
    /// It goes on: the one before it still has the tasks.
    InProgress,
    /// It has failed: the one before it still has the tasks.
    Failed,
}

impl Rollout {
    /// As the API writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Completed => "COMPLETED",
            Self::InProgress => "IN_PROGRESS",
            Self::Failed => "FAILED",
        }
    }
}

/// A service.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Name of its cluster.
    pub cluster: String,
    /// When it was created.
    pub created_at: Moment,
    /// Since when it is deleted, if it is.
    pub deleted_at: Option<Moment>,
    /// How its newest deployment stands.
    pub rollout: Timeline<Rollout>,
    /// How many tasks it wants; a daemon one on each instance.
    pub tasks: usize,
    /// Whether it is a daemon service.
    pub daemon: bool,
    /// Whether tasks that find no room wait for it, as with a capacity provider that scales.
    pub waits: bool,
    /// What a task takes.
    pub size: Size,
    /// Seconds until a task runs, from and to.
    pub start: (f64, f64),
    /// How long of that a task is ACTIVATING.
    pub activating: Duration,
    /// Seconds that a task takes to stop, from and to.
    pub stop: (f64, f64),
    /// Lower limit of running tasks while it moves them, in percent of the wanted number.
    pub minimum_healthy_percent: usize,
    /// Upper limit of tasks while it moves them, in percent of the wanted number.
    pub maximum_percent: usize,
}

/// How long a placed task takes until it runs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Start {
    pub(crate) total: Duration,
    /// How long of that it is ACTIVATING, at the end.
    pub(crate) activating: Duration,
}

impl Service {
    /// Its status at a moment, unless it was not there yet. A deleted one is DRAINING as long as ECS wants a task
    /// of it (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeleteService.html>).
    pub(crate) fn status(&self, cluster: &Cluster, at: Moment) -> Option<&'static str> {
        if at < self.created_at {
            return None;
        }
        if self.deleted_at.is_none_or(|deleted_at| at < deleted_at) {
            return Some("ACTIVE");
        }
        let tasks = cluster.service_tasks_at(&self.name, at);
        Some(if tasks == TaskCount::default() { "INACTIVE" } else { "DRAINING" })
    }
}

impl World {
    /// The container instances of a cluster that existed at this moment.
    pub(crate) fn members_of(&self, cluster: &str, at: Moment) -> impl Iterator<Item = &ContainerInstance> {
        let all = self.container_instances.values();
        all.filter(move |member| member.cluster == cluster && member.status.at(at).is_some())
    }

    /// The container instance of an EC2 instance, deregistered or not.
    pub(crate) fn container_instance_of(&self, instance: &str) -> Option<&ContainerInstance> {
        let id = self.instances.get(instance)?.container_instance.as_ref()?;
        self.container_instances.get(id)
    }

    /// Tasks of a container instance that the API knows at this moment.
    pub(crate) fn tasks_on<'w>(
        &'w self,
        member: &'w ContainerInstance,
        at: Moment,
    ) -> impl Iterator<Item = &'w Task> {
        let tasks = member.tasks.iter().filter_map(|id| self.tasks.get(id));
        tasks.filter(move |task| task.is_known(at))
    }

    /// Adds a container instance for an EC2 instance, ACTIVE and connected.
    pub(crate) fn add_container_instance(&mut self, instance: &str, cluster: &str, size: Size) {
        let id = names::resource_id(&mut self.rng);
        let member = ContainerInstance {
            id: id.clone(),
            cluster: cluster.to_owned(),
            instance: instance.to_owned(),
            size,
            used: Size::default(),
            status: Timeline::new(self.now, Status::Active),
            connected: Timeline::new(self.now, true),
            attributes: BTreeMap::new(),
            tasks: Vec::new(),
        };
        if let Some(instance) = self.instances.get_mut(instance) {
            instance.container_instance = Some(id.clone());
        }
        self.container_instances.insert(id, member);
        if let Some(cluster) = self.clusters.get_mut(cluster) {
            cluster.count_member(self.now, true);
        }
        self.reschedule(cluster);
    }

    /// Changes a container instance's status.
    pub(crate) fn set_status(&mut self, id: &str, status: Status) {
        let now = self.now;
        let Some(member) = self.container_instances.get_mut(id) else { return };
        let before = member.status.latest();
        if before == status {
            return;
        }
        member.status.set(now, status);
        let (instance, cluster) = (member.instance.clone(), member.cluster.clone());
        let (was_there, is_there) = (before != Status::Inactive, status != Status::Inactive);
        if let Some(cluster) = self.clusters.get_mut(&cluster).filter(|_| was_there != is_there) {
            cluster.count_member(now, is_there);
        }
        self.record(
            "container_instance_state",
            json!({"container_instance": id, "instance": instance, "status": status.name()}),
        );
        self.reschedule(&cluster);
    }

    /// Creates a task that has no place yet.
    pub(crate) fn create_task(
        &mut self,
        cluster: &str,
        owner: Owner,
        size: Size,
        stop_takes: Duration,
    ) -> String {
        let id = names::resource_id(&mut self.rng);
        let task = Task {
            id: id.clone(),
            cluster: cluster.to_owned(),
            container_instance: None,
            owner,
            size,
            created_at: self.now,
            placed_at: None,
            activates_at: Moment::MAX,
            runs_at: Moment::MAX,
            stop_takes,
            stop: None,
            counted: Counted::Not,
        };
        self.tasks.insert(id.clone(), task);
        id
    }

    /// Places a task that has no place.
    pub(crate) fn place_task(&mut self, id: &str, member: &str, times: Start) {
        let now = self.now;
        let (Some(task), Some(place)) = (self.tasks.get_mut(id), self.container_instances.get_mut(member))
        else {
            return;
        };
        place.used = place.used.plus(task.size);
        place.tasks.push(id.to_owned());
        task.container_instance = Some(member.to_owned());
        task.placed_at = Some(now);
        task.runs_at = now + times.total;
        task.activates_at = task.runs_at.saturating_sub(times.activating).max(now);
        let (instance, group) = (place.instance.clone(), task.owner.group());
        self.record("task_started", json!({"task": id, "group": group, "instance": instance}));
        self.count_task(id, if times.total.is_zero() { Counted::Running } else { Counted::Pending });
        self.later(times.total, Happening::TaskRuns(id.to_owned()));
    }

    pub(crate) fn task_runs(&mut self, id: &str) {
        let Some(task) = self.tasks.get(id).filter(|task| task.stop.is_none()) else { return };
        let (cluster, group) = (task.cluster.clone(), task.owner.group());
        self.count_task(id, Counted::Running);
        self.record("task_running", json!({"task": id, "group": group}));
        self.reschedule(&cluster);
    }

    /// Decides that a task stops. Nothing changes for one that is stopping already.
    pub(crate) fn stop_task(&mut self, id: &str, code: Option<&'static str>, reason: &str) {
        let now = self.now;
        let Some(task) = self.tasks.get_mut(id).filter(|task| task.stop.is_none()) else { return };
        let done_at = now + task.stop_takes;
        task.stop = Some(Stop { at: now, done_at, code, reason: reason.to_owned() });
        let group = task.owner.group();
        self.count_task(id, Counted::Not);
        self.record("task_stopping", json!({"task": id, "group": group, "reason": reason}));
        self.at(done_at, Happening::TaskStopped(id.to_owned()));
    }

    /// Ends a task at once: its host is gone. Recorded as killed, with what it was doing.
    pub(crate) fn kill_task(&mut self, id: &str, reason: &str) {
        let now = self.now;
        let Some(task) = self.tasks.get_mut(id).filter(|task| !task.is_stopped(now)) else { return };
        let (last_status, group) = (task.last_status(now), task.owner.group());
        let at = task.stop.as_ref().map_or(now, |stop| stop.at);
        task.stop = Some(Stop { at, done_at: now, code: None, reason: reason.to_owned() });
        self.count_task(id, Counted::Not);
        self.record("task_killed", json!({"task": id, "group": group, "last_status": last_status}));
        self.task_stopped(id);
    }

    /// Gives back what a stopped task took, and tells the event bus. A kill may have come first: the
    /// agenda's entry for the task's own end then finds another time and does nothing.
    pub(crate) fn task_stopped(&mut self, id: &str) {
        let now = self.now;
        let Some(task) = self.tasks.get(id) else { return };
        if task.stop.as_ref().is_none_or(|stop| stop.done_at != now) {
            return;
        }
        let (cluster, group, size) = (task.cluster.clone(), task.owner.group(), task.size);
        let place = task.container_instance.as_ref().and_then(|id| self.container_instances.get_mut(id));
        let instance = place.map(|place| {
            place.used = place.used.minus(size);
            place.instance.clone()
        });
        self.record("task_stopped", json!({"task": id, "group": group, "instance": instance}));
        if let Some(event) = self.task_event(id) {
            self.send(event);
        }
        self.reschedule(&cluster);
    }

    /// A duration between two numbers of seconds, by the seed.
    pub(crate) fn between(&mut self, (from, to): (f64, f64)) -> Duration {
        let seconds = if from < to { self.rng.random_range(from..=to) } else { from };
        Duration::try_from_secs_f64(seconds).unwrap_or_default()
    }
}
