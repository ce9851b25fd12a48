//! Machines come, stop and go.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::{
    Happening, World,
    clock::Timeline,
    events,
    groups::{Group, Instance, LifecycleState},
    identity::Identity,
    machines::{Machine, MachineState, Spot, Tags},
    names::{self, DEFAULT_VPC},
    trail::TrailEvent,
};
use crate::settings::hours;

/// Availability zones that are always there.
pub(crate) const ZONES: [&str; 3] = ["us-east-1a", "us-east-1b", "us-east-1c"];

/// The image of every machine.
pub(crate) const IMAGE: &str = "ami-0abcdef1234567890";
/// The type of every machine that does not say another.
pub(super) const DEFAULT_TYPE: &str = "m6g.xlarge";

/// Machines that are launched, or were.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MachinePlan {
    /// How many.
    pub count: usize,
    /// Their ids; made up where there are fewer than machines.
    pub ids: Vec<String>,
    /// Most machines of one launch; 0: all come by one.
    pub per_reservation: usize,
    /// Their tags, those with `aws:` too.
    pub tags: Tags,
    /// Their VPC.
    pub vpc: String,
    /// Their availability zones, in turn.
    pub zones: Vec<String>,
    /// Their instance type.
    pub instance_type: String,
    /// How long ago they were launched last.
    #[serde(rename = "launched_hours_ago", with = "hours")]
    pub launched_ago: Duration,
    /// How long ago they were launched first, if that was another time.
    #[serde(rename = "attached_hours_ago", deserialize_with = "given_hours")]
    pub attached_ago: Option<Duration>,
    /// Who launched them; none: nothing is in the trail about it.
    pub owner: Option<Identity>,
    /// Name of the Auto Scaling group that they say they are of. A group that is missing is made, and wants
    /// nothing.
    pub group: Option<String>,
    /// Their state.
    pub state: MachineState,
    /// Whether, and how, they are spot instances.
    pub spot: Option<Spot>,
    /// Whether their root device is an instance store.
    pub instance_store: bool,
    /// Principal of the service that manages them.
    pub managed_by: Option<String>,
    /// The service that launched them for somebody, by account or alias.
    pub requester: Option<String>,
    /// Whether they may not be terminated by a call.
    pub termination_protected: bool,
    /// Whether they may not be stopped by a call.
    pub stop_protected: bool,
    /// The client token of the launch.
    pub client_token: Option<String>,
}

impl Default for MachinePlan {
    fn default() -> Self {
        Self {
            count: 1,
            ids: Vec::new(),
            per_reservation: 0,
            tags: Tags::new(),
            vpc: DEFAULT_VPC.to_owned(),
            zones: ZONES.map(str::to_owned).into(),
            instance_type: DEFAULT_TYPE.to_owned(),
            launched_ago: Duration::ZERO,
            attached_ago: None,
            owner: None,
            group: None,
            state: MachineState::default(),
            spot: None,
            instance_store: false,
            managed_by: None,
            requester: None,
            termination_protected: false,
            stop_protected: false,
            client_token: None,
        }
    }
}

fn given_hours<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    hours::deserialize(from).map(Some)
}

/// What `RunInstances` asks for, once it is understood.
#[derive(Clone, Debug)]
pub struct Launch {
    /// How many.
    pub count: usize,
    /// The VPC.
    pub vpc: String,
    /// The availability zone.
    pub zone: String,
    /// The instance type.
    pub instance_type: String,
    /// Their tags.
    pub tags: Tags,
    /// The caller's client token.
    pub client_token: Option<String>,
    /// Whether they may not be terminated by a call.
    pub termination_protected: bool,
    /// Who launches them.
    pub identity: Identity,
}

impl Launch {
    /// One instance without tags in the first zone.
    pub fn by(identity: Identity) -> Self {
        Self {
            count: 1,
            vpc: DEFAULT_VPC.to_owned(),
            zone: ZONES.map(str::to_owned).into_iter().next().unwrap_or_default(),
            instance_type: DEFAULT_TYPE.to_owned(),
            tags: Tags::new(),
            client_token: None,
            termination_protected: false,
            identity,
        }
    }
}

impl World {
    /// Puts machines there as they are planned, without an event. Their ids are answered.
    pub fn add_machines(&mut self, plan: &MachinePlan) -> Vec<String> {
        self.vpcs.insert(plan.vpc.clone());
        self.zones.extend(plan.zones.iter().cloned());
        let mut tags = plan.tags.clone();
        if let Some(group) = &plan.group {
            tags.insert("aws:autoscaling:groupName".to_owned(), group.clone());
            self.groups.entry(group.clone()).or_insert_with(|| Group::empty(group));
        }
        let (at, since) = (self.ago(plan.launched_ago), self.now.saturating_sub(plan.launched_ago));
        let per = if plan.per_reservation == 0 { plan.count } else { plan.per_reservation };
        let mut made = Vec::with_capacity(plan.count);
        let mut given = plan.ids.iter().cloned();
        let mut zones = plan.zones.iter().cycle();
        while made.len() < plan.count {
            let reservation = names::reservation_id(&mut self.ids);
            let first = made.len();
            for _ in first..plan.count.min(first + per) {
                let id = given.next().unwrap_or_else(|| names::instance_id(&mut self.ids));
                let machine = Machine {
                    id: id.clone(),
                    reservation: reservation.clone(),
                    requester: plan.requester.clone(),
                    vpc: plan.vpc.clone(),
                    zone: zones.next().cloned().unwrap_or_default(),
                    instance_type: plan.instance_type.clone(),
                    state: Timeline::new(since, plan.state),
                    launched_at: at,
                    attached_at: plan.attached_ago.map_or(at, |age| self.ago(age)),
                    tags: Timeline::new(since, tags.clone()),
                    spot: plan.spot,
                    instance_store: plan.instance_store,
                    operator: plan.managed_by.clone(),
                    termination_protected: plan.termination_protected,
                    stop_protected: plan.stop_protected,
                    client_token: plan.client_token.clone(),
                };
                self.fleet.insert(machine);
                made.push(id);
            }
            if let Some(owner) = &plan.owner {
                let ids = made.get(first..).unwrap_or_default();
                let launched = plan.attached_ago.unwrap_or(plan.launched_ago);
                let event = self.launch_call(owner, &reservation, ids, launched);
                self.write_trail(event);
            }
        }
        made
    }

    /// Launches machines now: they are pending for a while, the trail has it, the event bus is told. Their ids
    /// are answered. A client token that was used before launches nothing again, but is told again.
    pub fn launch(&mut self, launch: &Launch) -> Vec<String> {
        let mut ids = self.launched_before(launch.client_token.as_deref());
        if ids.is_empty() {
            ids = self.launch_anew(launch);
        }
        let reservation =
            ids.first().and_then(|id| self.fleet.get(id)).map(|machine| machine.reservation.clone());
        let call = self.launch_call(&launch.identity, &reservation.unwrap_or_default(), &ids, Duration::ZERO);
        self.tell_trail(call);
        ids
    }

    fn launched_before(&self, token: Option<&str>) -> Vec<String> {
        let Some(token) = token else { return Vec::new() };
        let before = self.fleet.iter().filter(|machine| machine.client_token.as_deref() == Some(token));
        before.map(|machine| machine.id.clone()).collect()
    }

    fn launch_anew(&mut self, launch: &Launch) -> Vec<String> {
        let plan = MachinePlan {
            count: launch.count,
            tags: launch.tags.clone(),
            vpc: launch.vpc.clone(),
            zones: vec![launch.zone.clone()],
            instance_type: launch.instance_type.clone(),
            state: MachineState::Pending,
            client_token: launch.client_token.clone(),
            termination_protected: launch.termination_protected,
            ..MachinePlan::default()
        };
        let ids = self.add_machines(&plan);
        let running = self.now + self.settings.pending;
        for id in &ids {
            if let Some(machine) = self.fleet.get_mut(id) {
                machine.state.set(running, MachineState::Running);
            }
        }
        ids
    }

    /// A launch that failed: the trail has it, and the event bus is told.
    pub fn launch_failed(&mut self, identity: &Identity, error: &str) {
        let mut call = self.launch_call(identity, "", &[], Duration::ZERO);
        call.error = Some(error.to_owned());
        call.response = Value::Null;
        self.tell_trail(call);
    }

    /// The machine of a group's new instance. Auto Scaling launches each by a call of its own.
    pub(crate) fn add_machine_of_group(&mut self, instance: &Instance) {
        let (Some(state), zone) = (instance.state.at(self.now), instance.zone.to_owned()) else { return };
        let booting = state == LifecycleState::Pending;
        let plan = MachinePlan {
            ids: vec![instance.id.clone()],
            zones: vec![zone],
            group: Some(instance.group.clone()),
            owner: Some(Identity::service("autoscaling.amazonaws.com")),
            requester: Some("940372691376".to_owned()),
            state: if booting { MachineState::Pending } else { MachineState::Running },
            tags: self.groups.get(&instance.group).map(Group::propagated).unwrap_or_default(),
            ..MachinePlan::default()
        };
        self.add_machines(&plan);
        let running = self.now + self.settings.pending;
        if let Some(machine) = self.fleet.get_mut(&instance.id).filter(|_| booting) {
            machine.state.set(running, MachineState::Running);
        }
    }

    /// Stops a machine; one of a group is missed by its group. One that is stopping or stopped stays so.
    pub fn stop_machine(&mut self, id: &str) {
        let (now, takes) = (self.now, self.settings.stopping);
        let runs = |machine: &&mut Machine| machine.seen(now) == Some(MachineState::Running);
        let Some(machine) = self.fleet.get_mut(id).filter(runs) else { return };
        machine.pass_through(now, MachineState::Stopping, takes, MachineState::Stopped);
        if self.instances.contains_key(id) {
            self.later(self.settings.health_check, Happening::Unhealthy(id.to_owned()));
        }
    }

    /// Terminates a machine; one of a group is missed by its group.
    pub fn terminate_machine(&mut self, id: &str) {
        self.machine_leaves(id, self.settings.stopping);
        if self.instances.get(id).is_some_and(|instance| instance.exists) {
            self.terminate(id);
        }
    }

    /// A machine shuts down within this time, unless it does so already.
    pub(crate) fn machine_leaves(&mut self, id: &str, takes: Duration) {
        let now = self.now;
        let stays = |machine: &&mut Machine| machine.seen(now).is_some_and(|state| !state.is_leaving());
        let Some(machine) = self.fleet.get_mut(id).filter(stays) else { return };
        machine.pass_through(now, MachineState::ShuttingDown, takes, MachineState::Terminated);
        self.tell_state(id, MachineState::ShuttingDown);
        if takes.is_zero() {
            self.machine_gone(id);
        } else if self.settings.state_events || self.is_target(id) {
            self.later(takes, Happening::MachineGone(id.to_owned()));
        }
    }

    /// A machine has shut down: the event bus is told, and no load balancer sends it requests any more.
    pub(crate) fn machine_gone(&mut self, id: &str) {
        self.tell_state(id, MachineState::Terminated);
        self.deregister_everywhere(id);
    }

    fn tell_state(&mut self, id: &str, state: MachineState) {
        if self.settings.state_events {
            let event = events::state_change(self, id, state);
            self.send(event);
        }
    }

    fn tell_trail(&mut self, call: TrailEvent) {
        let event = self.write_trail(call);
        let departure = events::trail_event(self, &event);
        self.send(departure);
    }
}
