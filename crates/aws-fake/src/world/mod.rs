//! The World: everything there is, a virtual clock, and an agenda of what happens when.
//!
//! Nothing here knows a wire format or awaits anything. Whoever holds a World moves its clock with
//! [`World::advance_to`]; what is due until then happens in order, each thing at its own moment.

use std::collections::{BTreeMap, BTreeSet};

use rand::{Rng, SeedableRng, rngs::SmallRng};

use crate::{
    buckets::Buckets,
    faults::{Fault, Faults},
    record::Recorder,
    settings::Settings,
};

mod calls;
pub mod clock;
pub mod clusters;
pub mod ecs;
mod events;
pub mod groups;
pub mod history;
pub mod hooks;
pub mod identity;
pub mod launches;
pub mod machines;
pub mod metrics;
pub mod names;
pub mod play;
mod scheduler;
pub mod script;
pub mod spot;
pub mod tables;
pub mod targets;
pub mod task;
pub mod trail;
mod truth;
pub mod values;

use clock::{Calendar, Moment};
use clusters::Cluster;
use ecs::{ContainerInstance, Service};
pub(crate) use events::text_for;
pub use events::{Attributes, Departure, MessageAttribute, Outgoing, Published};
use groups::{Group, Instance};
use history::Entry;
use hooks::LifecycleAction;
use machines::Fleet;
use metrics::MetricStore;
use play::Action;
use spot::Interruption;
use tables::Table;
use targets::TargetGroup;
use task::Task;
use trail::Trail;

/// Something on the agenda.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    /// A task's containers run.
    TaskRuns(String),
    /// A task that runs to an end of its own has come to it.
    TaskEnds(String),
    /// A task's containers are gone.
    TaskStopped(String),
    /// The service scheduler looks at a cluster.
    Schedule(String),
    /// A group compares its instances with its desired capacity.
    Reconcile(String),
    /// An instance has booted and its agent registers.
    Register(String),
    /// A lifecycle action's time is over, if no heartbeat has moved it.
    ActionExpires(String),
    /// Auto Scaling notices that an instance died, or is about to.
    Unhealthy(String),
    /// An instance is gone, and whatever ran on it.
    HostGone(String),
    /// A scenario's script says so.
    Scripted(Action),
    /// EC2 takes a spot instance.
    Interrupted(String, Interruption),
    /// A machine has shut down.
    MachineGone(String),
    /// A target group's deregistration delay is over for a target.
    TargetGone(String, String, u16),
}

/// Everything there is.
#[derive(Debug)]
pub struct World {
    pub(crate) calendar: Calendar,
    pub(crate) now: Moment,
    pub(crate) settings: Settings,
    pub(crate) rng: SmallRng,
    pub(crate) faults: Faults,
    pub(crate) buckets: Buckets,
    pub(crate) topics: BTreeSet<String>,
    pub(crate) clusters: BTreeMap<String, Cluster>,
    pub(crate) container_instances: BTreeMap<String, ContainerInstance>,
    /// By the name of their cluster.
    pub(crate) services: BTreeMap<String, Vec<Service>>,
    pub(crate) tasks: BTreeMap<String, Task>,
    pub(crate) groups: BTreeMap<String, Group>,
    pub(crate) instances: BTreeMap<String, Instance>,
    /// By token.
    pub(crate) actions: BTreeMap<String, LifecycleAction>,
    /// Draws what no drain sees, so that EC2 and the trail change nothing about the drains of a seed.
    pub(crate) ids: SmallRng,
    pub(crate) fleet: Fleet,
    pub(crate) vpcs: BTreeSet<String>,
    pub(crate) zones: BTreeSet<String>,
    pub(crate) trail: Trail,
    pub(crate) tables: BTreeMap<String, Table>,
    pub(crate) metrics: MetricStore,
    /// By ARN.
    pub(crate) target_groups: BTreeMap<String, TargetGroup>,
    pub(crate) published: Vec<Published>,
    pub(crate) recorder: Option<Recorder>,
    /// Ordered by moment, then by the order in which things were put down.
    agenda: BTreeMap<(Moment, u64), Happening>,
    written: u64,
    scheduled: BTreeSet<String>,
    history: Vec<Entry>,
    outbox: Vec<Outgoing>,
}

impl World {
    /// An empty World.
    pub fn new(mut settings: Settings, calendar: Calendar) -> Self {
        let faults = Faults::new(std::mem::take(&mut settings.faults));
        Self {
            calendar,
            now: Moment::ZERO,
            rng: SmallRng::seed_from_u64(settings.seed),
            ids: SmallRng::seed_from_u64(settings.seed ^ 0x5851_f42d),
            fleet: Fleet::default(),
            vpcs: BTreeSet::from([names::DEFAULT_VPC.to_owned()]),
            zones: launches::ZONES.map(str::to_owned).into(),
            trail: Trail::default(),
            tables: BTreeMap::new(),
            metrics: MetricStore::default(),
            target_groups: BTreeMap::new(),
            published: Vec::new(),
            recorder: None,
            settings,
            faults,
            buckets: Buckets::default(),
            topics: BTreeSet::new(),
            clusters: BTreeMap::new(),
            container_instances: BTreeMap::new(),
            services: BTreeMap::new(),
            tasks: BTreeMap::new(),
            groups: BTreeMap::new(),
            instances: BTreeMap::new(),
            actions: BTreeMap::new(),
            agenda: BTreeMap::new(),
            written: 0,
            scheduled: BTreeSet::new(),
            history: Vec::new(),
            outbox: Vec::new(),
        }
    }

    /// The time.
    pub fn now(&self) -> Moment {
        self.now
    }

    /// How moments are written as dates.
    pub fn calendar(&self) -> Calendar {
        self.calendar
    }

    /// How this World is set.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Changes the settings from now on.
    pub fn settings_mut(&mut self) -> &mut Settings {
        &mut self.settings
    }

    /// Lets one more thing go wrong from now on.
    pub fn add_fault(&mut self, fault: Fault) {
        self.faults.add(fault);
    }

    /// When the next thing happens by itself.
    pub fn next_due(&self) -> Option<Moment> {
        self.agenda.first_key_value().map(|((at, _), _)| *at)
    }

    /// Lets time pass. The clock never goes back.
    pub fn advance_to(&mut self, now: Moment) {
        while let Some(((at, _), happening)) = self.take_due(now) {
            self.now = self.now.max(at);
            self.happen(happening);
        }
        self.now = self.now.max(now);
    }

    /// What has left for topics and the event bus since this was last asked.
    pub fn take_outbox(&mut self) -> Vec<Outgoing> {
        std::mem::take(&mut self.outbox)
    }

    /// What happened so far.
    pub fn history(&self) -> &[Entry] {
        &self.history
    }

    fn take_due(&mut self, now: Moment) -> Option<((Moment, u64), Happening)> {
        self.next_due().filter(|due| *due <= now).and_then(|_| self.agenda.pop_first())
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::TaskRuns(task) => self.task_runs(&task),
            Happening::TaskEnds(task) => {
                self.stop_task(&task, Some("EssentialContainerExited"), "Essential container in task exited");
            }
            Happening::TaskStopped(task) => self.task_stopped(&task),
            Happening::Schedule(cluster) => {
                self.scheduled.remove(&cluster);
                self.schedule(&cluster);
            }
            Happening::Reconcile(group) => self.reconcile(&group),
            Happening::Register(instance) => self.register(&instance),
            Happening::ActionExpires(token) => self.action_expires(&token),
            Happening::Unhealthy(instance) => self.begin_termination(&instance),
            Happening::HostGone(instance) => self.host_gone(&instance),
            Happening::Scripted(action) => self.act(&action),
            Happening::Interrupted(instance, end) => self.interrupted(&instance, end),
            Happening::MachineGone(machine) => self.machine_gone(&machine),
            Happening::TargetGone(group, target, port) => self.target_gone(&group, &target, port),
        }
    }

    /// Puts something on the agenda.
    pub(crate) fn later(&mut self, after: Moment, happening: Happening) {
        self.at(self.now + after, happening);
    }

    pub(crate) fn at(&mut self, at: Moment, happening: Happening) {
        self.written += 1;
        self.agenda.insert((at, self.written), happening);
    }

    /// Has the service scheduler look at a cluster soon; once is enough however much has changed.
    pub(crate) fn reschedule(&mut self, cluster: &str) {
        if self.scheduled.insert(cluster.to_owned()) {
            self.later(self.settings.scheduling, Happening::Schedule(cluster.to_owned()));
        }
    }

    pub(crate) fn remember(&mut self, entry: Entry) {
        self.history.push(entry);
    }

    pub(crate) fn send(&mut self, what: Departure) {
        self.outbox.push(Outgoing { at: self.now, what });
    }

    /// The moment that a read sees: now, or up to the staleness ago.
    pub(crate) fn read_moment(&mut self) -> Moment {
        let staleness = self.settings.staleness;
        if staleness.is_zero() {
            return self.now;
        }
        self.now.saturating_sub(staleness.mul_f64(self.rng.random_range(0.0..=1.0)))
    }
}
