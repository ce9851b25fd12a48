//! Auto Scaling groups and their instances, from launch to termination.

use std::{collections::BTreeMap, time::Duration};

use serde_json::json;

use super::{
    Happening, World,
    clock::{Moment, Timeline},
    ecs::Status,
    hooks::Hook,
    launches::ZONES,
    machines::Tags,
    names,
    task::Size,
};

/// An Auto Scaling group. All its instances join one cluster.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Least desired capacity.
    pub min: usize,
    /// Greatest desired capacity.
    pub max: usize,
    /// How many instances it wants.
    pub desired: usize,
    /// Cluster that its instances register with.
    pub cluster: String,
    /// What its instances have.
    pub size: Size,
    /// Hooks for terminating instances, by name.
    pub hooks: BTreeMap<String, Hook>,
    /// Its tags.
    pub tags: BTreeMap<String, GroupTag>,
    /// Whether it terminates a spot instance by itself as soon as EC2 warns of the interruption.
    pub capacity_rebalance: bool,
    /// Whether instances that leave are kept in a warm pool, as with its policy to reuse them on scale in.
    pub reuse: bool,
}

/// The value of a group's tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupTag {
    /// The value.
    pub value: String,
    /// Whether instances get the tag too when they are launched.
    pub propagates: bool,
}

impl Group {
    /// A group that wants nothing and joins no cluster.
    pub(crate) fn empty(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            min: 0,
            max: 0,
            desired: 0,
            cluster: String::new(),
            size: Size::default(),
            hooks: BTreeMap::new(),
            tags: BTreeMap::new(),
            capacity_rebalance: false,
            reuse: false,
        }
    }

    /// The tags that its new instances get.
    pub(crate) fn propagated(&self) -> Tags {
        let tags = self.tags.iter().filter(|(_, tag)| tag.propagates);
        tags.map(|(key, tag)| (key.clone(), tag.value.clone())).collect()
    }
}

/// Lifecycle state of an instance in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LifecycleState {
    /// Launching.
    Pending,
    /// In use.
    InService,
    /// On its way out.
    Terminating,
    /// On its way out, held by a lifecycle action.
    TerminatingWait,
    /// On its way out, no longer held.
    TerminatingProceed,
    /// Out of the group and kept in its warm pool, running.
    Warmed,
    /// Gone: the API does not list it any more.
    Terminated,
}

impl LifecycleState {
    /// As the API writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::InService => "InService",
            Self::Terminating => "Terminating",
            Self::TerminatingWait => "Terminating:Wait",
            Self::TerminatingProceed => "Terminating:Proceed",
            Self::Warmed => "Warmed:Running",
            Self::Terminated => "Terminated",
        }
    }
}

/// An EC2 instance of a group.
#[derive(Clone, Debug)]
pub struct Instance {
    /// `i-…`.
    pub id: String,
    /// Name of its group.
    pub group: String,
    /// Its availability zone.
    pub zone: &'static str,
    /// Where in its life it is.
    pub state: Timeline<LifecycleState>,
    /// Id of its container instance, once its agent has registered.
    pub container_instance: Option<String>,
    /// Whether the machine is there; Auto Scaling may know later than EC2.
    pub exists: bool,
}

/// From launch to `InService`.
const LAUNCH: Duration = Duration::from_secs(10);

impl World {
    /// The instances of a group that Auto Scaling knows at this moment.
    pub(crate) fn instances_of(&self, group: &str, at: Moment) -> impl Iterator<Item = &Instance> {
        let all = self.instances.values();
        all.filter(move |instance| instance.group == group && instance.is_listed(at))
    }

    /// Adds an instance to a group.
    pub(crate) fn add_instance(&mut self, group: &str, state: LifecycleState) -> String {
        let id = names::instance_id(&mut self.rng);
        let zone = ZONES.iter().cycle().nth(self.instances.len()).copied().unwrap_or_default();
        let state = Timeline::new(self.now, state);
        let instance = Instance {
            id: id.clone(),
            group: group.to_owned(),
            zone,
            state,
            container_instance: None,
            exists: true,
        };
        self.add_machine_of_group(&instance);
        self.instances.insert(id.clone(), instance);
        id
    }

    /// Changes where in its life an instance is.
    pub(crate) fn set_state(&mut self, id: &str, state: LifecycleState) {
        let now = self.now;
        let Some(instance) = self.instances.get_mut(id) else { return };
        instance.state.set(now, state);
        let group = instance.group.clone();
        self.record("instance_state", json!({"instance": id, "group": group, "state": state.name()}));
    }

    /// Launches what is missing and terminates what is too much, oldest first.
    pub(crate) fn reconcile(&mut self, name: &str) {
        let Some(group) = self.groups.get(name) else { return };
        let desired = group.desired;
        let staying = self.instances_of(name, self.now).filter(|instance| instance.stays());
        let mut staying: Vec<_> =
            staying.map(|instance| (instance.state.changed_at(), instance.id.clone())).collect();
        staying.sort();
        let surplus = staying.len().saturating_sub(desired);
        for (_, id) in staying.iter().take(surplus) {
            self.begin_termination(id);
        }
        for _ in staying.len()..desired {
            let id = self.add_instance(name, LifecycleState::Pending);
            self.record("instance_state", json!({"instance": id, "group": name, "state": "Pending"}));
            self.later(LAUNCH.min(self.settings.boot), Happening::Register(id));
        }
    }

    /// An instance goes `InService`, and its agent registers once it has booted.
    pub(crate) fn register(&mut self, id: &str) {
        let Some(instance) = self.instances.get(id) else { return };
        let (state, exists) = (instance.state.latest(), instance.exists);
        let Some(group) = self.groups.get(&instance.group) else { return };
        let (cluster, size) = (group.cluster.clone(), group.size);
        if state == LifecycleState::Pending {
            self.set_state(id, LifecycleState::InService);
            let rest = self.settings.boot.saturating_sub(LAUNCH);
            self.later(rest, Happening::Register(id.to_owned()));
        } else if exists && self.container_instance_of(id).is_none() {
            self.add_container_instance(id, &cluster, size);
        }
    }

    /// Takes an instance out of its group: through the hooks, if there are any.
    pub(crate) fn begin_termination(&mut self, id: &str) {
        let Some(instance) = self.instances.get(id).filter(|instance| instance.stays()) else { return };
        let group = instance.group.clone();
        let hooks = self.groups.get(&group).map(|group| group.hooks.clone()).unwrap_or_default();
        self.set_state(id, LifecycleState::Terminating);
        if hooks.is_empty() {
            self.proceed(id);
        } else {
            self.set_state(id, LifecycleState::TerminatingWait);
            for hook in hooks.values() {
                self.begin_action(id, &group, hook);
            }
        }
        // A replacement, if the desired capacity still asks for one.
        self.later(Duration::ZERO, Happening::Reconcile(group));
    }

    /// Nothing holds the instance any more: it goes, or into the warm pool.
    pub(crate) fn proceed(&mut self, id: &str) {
        let instance = self.instances.get(id).filter(|instance| instance.exists);
        let group = instance.and_then(|instance| self.groups.get(&instance.group));
        if group.is_some_and(|group| group.reuse) {
            self.set_state(id, LifecycleState::Warmed);
            return;
        }
        self.set_state(id, LifecycleState::TerminatingProceed);
        self.machine_leaves(id, self.settings.termination);
        self.later(self.settings.termination, Happening::HostGone(id.to_owned()));
    }

    /// The machine is gone: its tasks are killed, ECS deregisters it, and Auto Scaling forgets it if it
    /// was leaving anyway.
    pub(crate) fn host_gone(&mut self, id: &str) {
        let Some(instance) = self.instances.get_mut(id) else { return };
        instance.exists = false;
        self.machine_leaves(id, Duration::ZERO);
        let Some(instance) = self.instances.get(id) else { return };
        if matches!(instance.state.latest(), LifecycleState::TerminatingProceed | LifecycleState::Warmed) {
            self.set_state(id, LifecycleState::Terminated);
        }
        let Some(member) = self.container_instance_of(id) else { return };
        let (member, tasks) = (member.id.clone(), member.tasks.clone());
        for task in tasks {
            self.kill_task(&task, &format!("Host EC2 (instance {id}) terminated."));
        }
        let now = self.now;
        if let Some(member) = self.container_instances.get_mut(&member) {
            member.connected.set(now, false);
        }
        self.set_status(&member, Status::Inactive);
    }
}

impl Instance {
    /// Whether Auto Scaling lists it at this moment.
    pub fn is_listed(&self, at: Moment) -> bool {
        self.state.at(at).is_some_and(|state| state != LifecycleState::Terminated)
    }

    /// Whether it counts towards the group's capacity.
    pub fn stays(&self) -> bool {
        matches!(self.state.latest(), LifecycleState::Pending | LifecycleState::InService)
    }
}
