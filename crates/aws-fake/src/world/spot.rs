//! Spot instances: EC2 wants them back, and says so before.

use std::time::Duration;

use serde_json::json;

use super::{
    Happening, World, events,
    machines::{MachineState, Spot},
};

/// From the warning until EC2 takes the instance
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html>).
pub const WARNING: Duration = Duration::from_mins(2);

/// From the warning until Auto Scaling begins to terminate an instance of a group with Capacity Rebalancing.
/// AWS gives no number: an assumption.
const REBALANCING: Duration = Duration::from_secs(2);

/// What EC2 does with an interrupted instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Interruption {
    /// It is terminated.
    Terminate,
    /// It is stopped; so it is when it hibernates.
    Stop,
}

impl World {
    /// EC2 interrupts a spot instance: the warning leaves now, and in two minutes the machine is terminated as by
    /// [`World::terminate_machine`], hooks or not. Auto Scaling notices after its health check, and sends the gone
    /// instance through its hooks; with Capacity Rebalancing it does so 2 s after the warning, while the machine
    /// is there.
    ///
    /// An instance that was not said to be a spot instance is one from now on. Nothing happens to one that is
    /// not there or leaves already.
    pub fn interrupt(&mut self, instance: &str) {
        self.interrupt_with(instance, "terminate");
    }

    /// The same with what EC2 does to the instance, as the event words it: `terminate`, `stop` or `hibernate`.
    /// Hibernation begins with the warning and not after it.
    pub fn interrupt_with(&mut self, instance: &str, action: &str) {
        // Only a persistent request's instance can be stopped.
        let kind = if action == "terminate" { Spot::OneTime } else { Spot::Persistent };
        if !self.is_spot_here(instance, kind) {
            return;
        }
        self.record("interrupted", json!({"instance": instance, "action": action}));
        if let Some(warning) = events::interruption_warning(self, instance, action) {
            self.send(warning);
        }
        let notice = if action == "hibernate" { Duration::ZERO } else { WARNING };
        let end = if action == "terminate" { Interruption::Terminate } else { Interruption::Stop };
        self.later(notice, Happening::Interrupted(instance.to_owned(), end));
        let group = self.instances.get(instance).and_then(|instance| self.groups.get(&instance.group));
        if group.is_some_and(|group| group.capacity_rebalance) {
            self.later(REBALANCING, Happening::Unhealthy(instance.to_owned()));
        }
    }

    /// EC2 says that a spot instance is likelier than others to be interrupted. What Auto Scaling makes of that with
    /// Capacity Rebalancing is not played: nothing follows but the event.
    pub fn recommend_rebalance(&mut self, instance: &str) {
        if !self.is_spot_here(instance, Spot::OneTime) {
            return;
        }
        self.record("rebalance_recommended", json!({"instance": instance}));
        let event = events::rebalance_recommendation(self, instance);
        self.send(event);
    }

    /// Switches a group's Capacity Rebalancing on or off.
    pub fn set_capacity_rebalance(&mut self, group: &str, on: bool) {
        if let Some(group) = self.groups.get_mut(group) {
            group.capacity_rebalance = on;
        }
    }

    /// The warning's time is over. The instance may have left meanwhile.
    pub(crate) fn interrupted(&mut self, instance: &str, end: Interruption) {
        match end {
            Interruption::Terminate => self.terminate_machine(instance),
            Interruption::Stop => {
                self.disconnect_agent(instance);
                self.stop_machine(instance);
            }
        }
    }

    /// Whether a machine is there to be interrupted. It is a spot instance, of this kind unless it is one already.
    fn is_spot_here(&mut self, id: &str, kind: Spot) -> bool {
        let now = self.now;
        let Some(machine) = self.fleet.get_mut(id) else { return false };
        machine.spot.get_or_insert(kind);
        machine.seen(now).is_some_and(|state| matches!(state, MachineState::Pending | MachineState::Running))
    }
}
