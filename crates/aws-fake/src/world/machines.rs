//! EC2's instances: what EC2 says of them. What Auto Scaling says is in [`super::groups`].

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    time::{Duration, SystemTime},
};

use serde::Deserialize;

use super::clock::{Moment, Timeline};

/// Tags: key and value.
pub type Tags = BTreeMap<String, String>;

/// EC2 shows terminated instances for about an hour.
const REMEMBERED: Duration = Duration::from_hours(1);

/// State of an instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MachineState {
    /// Starting.
    Pending,
    /// In use.
    #[default]
    Running,
    /// On its way to `terminated`.
    ShuttingDown,
    /// Gone, and shown for an hour.
    Terminated,
    /// On its way to `stopped`.
    Stopping,
    /// At rest.
    Stopped,
}

impl MachineState {
    /// As the API writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }

    /// The API's number for it.
    pub fn code(self) -> u32 {
        match self {
            Self::Pending => 0,
            Self::Running => 16,
            Self::ShuttingDown => 32,
            Self::Terminated => 48,
            Self::Stopping => 64,
            Self::Stopped => 80,
        }
    }

    /// Whether it is gone, or about to be.
    pub fn is_leaving(self) -> bool {
        matches!(self, Self::ShuttingDown | Self::Terminated)
    }
}

/// How a spot instance was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spot {
    /// Once: it cannot be stopped.
    OneTime,
    /// For good: it can be stopped, and is launched again when it is gone.
    Persistent,
}

/// An instance of EC2.
#[derive(Clone, Debug)]
pub struct Machine {
    /// `i-…`.
    pub id: String,
    /// `r-…`: the launch that it came by.
    pub reservation: String,
    /// The service that launched it for somebody.
    pub requester: Option<String>,
    /// Its VPC.
    pub vpc: String,
    /// Its availability zone.
    pub zone: String,
    /// Its instance type.
    pub instance_type: String,
    /// Its state; it does not exist before. What is to come is there already.
    pub state: Timeline<MachineState>,
    /// Its last launch: starting a stopped instance is one.
    pub launched_at: SystemTime,
    /// When its primary network interface was attached: its first launch.
    pub attached_at: SystemTime,
    /// Its tags, those with `aws:` too.
    pub tags: Timeline<Tags>,
    /// Whether, and how, it is a spot instance.
    pub spot: Option<Spot>,
    /// Whether its root device is an instance store.
    pub instance_store: bool,
    /// Principal of the service that manages it.
    pub operator: Option<String>,
    /// Whether it may not be terminated by a call.
    pub termination_protected: bool,
    /// Whether it may not be stopped by a call.
    pub stop_protected: bool,
    /// The client token of its launch.
    pub client_token: Option<String>,
}

impl Machine {
    /// Its state at a moment; none when EC2 does not know it then.
    pub fn seen(&self, at: Moment) -> Option<MachineState> {
        let state = self.state.at(at)?;
        // Nothing comes after `terminated`, so the newest change is when it became that.
        let forgotten = state == MachineState::Terminated && self.state.changed_at() + REMEMBERED <= at;
        (!forgotten).then_some(state)
    }

    /// Moves it through states, each after its time, whatever was to come.
    pub(crate) fn pass_through(
        &mut self,
        now: Moment,
        first: MachineState,
        takes: Duration,
        then: MachineState,
    ) {
        self.state.cancel(now);
        self.state.set(now, first);
        self.state.set(now + takes, then);
    }

    /// Changes its tags.
    pub(crate) fn retag(&mut self, now: Moment, change: impl FnOnce(&mut Tags)) {
        let mut tags = self.tags.newest().clone();
        change(&mut tags);
        self.tags.set(now, tags);
    }
}

/// All instances, by id, and in the order of the lists: by reservation, so that each is together.
#[derive(Debug, Default)]
pub(crate) struct Fleet {
    machines: BTreeMap<String, Machine>,
    order: BTreeSet<(String, String)>,
}

impl Fleet {
    pub(crate) fn get(&self, id: &str) -> Option<&Machine> {
        self.machines.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut Machine> {
        self.machines.get_mut(id)
    }

    pub(crate) fn insert(&mut self, machine: Machine) {
        self.order.insert((machine.reservation.clone(), machine.id.clone()));
        self.machines.insert(machine.id.clone(), machine);
    }

    pub(crate) fn remove(&mut self, id: &str) -> Option<Machine> {
        let machine = self.machines.remove(id)?;
        self.order.remove(&(machine.reservation.clone(), machine.id.clone()));
        Some(machine)
    }

    /// In the order of their ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Machine> {
        self.machines.values()
    }

    /// In the order of the lists, after this reservation and id.
    pub(crate) fn after(&self, last: Option<(String, String)>) -> impl Iterator<Item = &Machine> {
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        self.order.range((from, Bound::Unbounded)).filter_map(|(_, id)| self.machines.get(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_come_by_themselves_and_terminated_is_shown_for_an_hour() {
        let at = Moment::from_secs;
        let mut machine = Machine {
            id: "i-1".into(),
            reservation: "r-1".into(),
            requester: None,
            vpc: "vpc-1".into(),
            zone: "us-east-1a".into(),
            instance_type: "t3.micro".into(),
            state: Timeline::new(at(10), MachineState::Pending),
            launched_at: SystemTime::UNIX_EPOCH,
            attached_at: SystemTime::UNIX_EPOCH,
            tags: Timeline::new(at(10), Tags::new()),
            spot: None,
            instance_store: false,
            operator: None,
            termination_protected: false,
            stop_protected: false,
            client_token: None,
        };
        machine.state.set(at(15), MachineState::Running);
        machine.pass_through(at(12), MachineState::ShuttingDown, at(20), MachineState::Terminated);
        let seen: Vec<_> = [9, 10, 12, 31, 32, 3_631, 3_632].map(|second| machine.seen(at(second))).into();
        let names: Vec<_> = seen.iter().map(|state| state.map_or("", MachineState::name)).collect();
        assert_eq!(names, ["", "pending", "shutting-down", "shutting-down", "terminated", "terminated", ""]);
    }
}
