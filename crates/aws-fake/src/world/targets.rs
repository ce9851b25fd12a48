//! Target groups of load balancers, and the instances that are registered with them.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;
use serde_json::json;

use super::{
    Happening, World,
    clock::{Moment, Timeline},
    names::{self, DEFAULT_VPC},
};

/// Between two health checks of a target: what a new target group has.
pub(crate) const HEALTH_CHECKS: Duration = Duration::from_secs(30);

/// A target group, as it is planned. Its load balancer sends it requests: no target is unused for want of one.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TargetGroupPlan {
    /// Its name.
    pub name: String,
    /// Port of a target that does not say another.
    pub port: u16,
    /// VPC of its targets.
    pub vpc: String,
    /// How long a target drains that was deregistered: 0 to 3,600 s on AWS, 300 unless told otherwise.
    #[serde(rename = "deregistration_delay_seconds", with = "crate::settings::seconds")]
    pub deregistration_delay: Duration,
    /// Ids of the instances that are registered from the beginning.
    pub targets: Vec<String>,
    /// Name of an Auto Scaling group whose first instances are registered, too.
    pub group: Option<String>,
}

impl Default for TargetGroupPlan {
    fn default() -> Self {
        Self {
            name: "web".to_owned(),
            port: 80,
            vpc: DEFAULT_VPC.to_owned(),
            deregistration_delay: Duration::from_mins(5),
            targets: Vec::new(),
            group: None,
        }
    }
}

/// A target group.
#[derive(Clone, Debug)]
pub struct TargetGroup {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Port of a target that does not say another.
    pub port: u16,
    /// VPC of its targets.
    pub vpc: String,
    /// How long a target drains that was deregistered.
    pub deregistration_delay: Duration,
    /// What is or was registered, by instance and port.
    pub targets: BTreeMap<(String, u16), Timeline<TargetState>>,
}

/// State of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetState {
    /// Registered, and not yet checked.
    Initial,
    /// It gets requests.
    Healthy,
    /// Deregistered: it gets no new requests, and finishes those that it has.
    Draining,
    /// No longer registered.
    Gone,
}

impl TargetState {
    /// As the API writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::Healthy => "healthy",
            Self::Draining => "draining",
            Self::Gone => "unused",
        }
    }

    /// Whether it is registered, and not about to leave.
    pub fn stays(self) -> bool {
        matches!(self, Self::Initial | Self::Healthy)
    }
}

impl TargetGroup {
    /// State of a target at a moment; none when it was never registered until then.
    pub(crate) fn state_at(&self, instance: &str, port: u16, at: Moment) -> Option<TargetState> {
        self.targets.get(&(instance.to_owned(), port))?.at(at)
    }

    /// How many are registered and do not drain.
    pub(crate) fn staying(&self, at: Moment) -> usize {
        self.targets.values().filter(|state| state.at(at).is_some_and(TargetState::stays)).count()
    }
}

impl World {
    /// Adds a target group with the usual port and delay; its ARN.
    pub fn add_target_group(&mut self, name: &str) -> String {
        self.plan_target_group(&TargetGroupPlan { name: name.to_owned(), ..TargetGroupPlan::default() })
    }

    /// Adds a target group as it is planned; its ARN.
    pub fn plan_target_group(&mut self, plan: &TargetGroupPlan) -> String {
        let arn = names::target_group_arn(&plan.name);
        let group = TargetGroup {
            arn: arn.clone(),
            name: plan.name.clone(),
            port: plan.port,
            vpc: plan.vpc.clone(),
            deregistration_delay: plan.deregistration_delay,
            targets: BTreeMap::new(),
        };
        self.target_groups.insert(arn.clone(), group);
        let members = plan.group.as_ref().map(|group| self.instances(group)).unwrap_or_default();
        for instance in plan.targets.iter().chain(&members) {
            self.register_target(&arn, instance);
        }
        arn
    }

    /// Registers an instance with a target group at its port, healthy at once.
    pub fn register_target(&mut self, arn: &str, instance: &str) {
        let Some(port) = self.target_groups.get(arn).map(|group| group.port) else { return };
        self.register_target_at(arn, instance, port, Duration::ZERO);
    }

    /// Registers an instance, healthy after this time. One that is registered stays as it is.
    pub(crate) fn register_target_at(
        &mut self,
        arn: &str,
        instance: &str,
        port: u16,
        healthy_after: Duration,
    ) {
        let now = self.now;
        let Some(group) = self.target_groups.get_mut(arn) else { return };
        let first = if healthy_after.is_zero() { TargetState::Healthy } else { TargetState::Initial };
        let new = || Timeline::new(now, TargetState::Gone);
        let state = group.targets.entry((instance.to_owned(), port)).or_insert_with(new);
        if state.at(now).is_some_and(TargetState::stays) {
            return;
        }
        state.set(now, first);
        state.set(now + healthy_after, TargetState::Healthy);
        self.record_target(arn, instance, first);
    }

    /// Takes an instance out of a target group: it drains for the deregistration delay. Nothing changes for one
    /// that is not registered, or drains already.
    pub(crate) fn deregister_target(&mut self, arn: &str, instance: &str, port: u16) {
        let now = self.now;
        let Some(group) = self.target_groups.get_mut(arn) else { return };
        let delay = group.deregistration_delay;
        let Some(state) = group.targets.get_mut(&(instance.to_owned(), port)) else { return };
        if !state.at(now).is_some_and(TargetState::stays) {
            return;
        }
        state.cancel(now);
        state.set(now, TargetState::Draining);
        self.record_target(arn, instance, TargetState::Draining);
        self.later(delay, Happening::TargetGone(arn.to_owned(), instance.to_owned(), port));
    }

    /// A deregistration delay is over, unless the target was registered again meanwhile.
    pub(crate) fn target_gone(&mut self, arn: &str, instance: &str, port: u16) {
        let now = self.now;
        let Some(group) = self.target_groups.get_mut(arn) else { return };
        let delay = group.deregistration_delay;
        let Some(state) = group.targets.get_mut(&(instance.to_owned(), port)) else { return };
        if state.latest() == TargetState::Draining && state.changed_at() + delay == now {
            state.set(now, TargetState::Gone);
            self.record_target(arn, instance, TargetState::Gone);
        }
    }

    /// The load balancer deregisters a machine that is gone.
    pub(crate) fn deregister_everywhere(&mut self, instance: &str) {
        for (arn, port) in self.registrations(instance) {
            self.deregister_target(&arn, instance, port);
        }
    }

    /// Whether any target group has an instance.
    pub(crate) fn is_target(&self, instance: &str) -> bool {
        !self.registrations(instance).is_empty()
    }

    fn registrations(&self, instance: &str) -> Vec<(String, u16)> {
        let groups = self.target_groups.values();
        let targets = groups.flat_map(|group| group.targets.iter().map(move |target| (&group.arn, target)));
        let own = targets.filter(|(_, ((id, _), state))| id == instance && state.latest().stays());
        own.map(|(arn, ((_, port), _))| (arn.clone(), *port)).collect()
    }

    /// Ids of the instances that are registered with a target group and do not drain, each once.
    pub fn targets(&self, arn: &str) -> Vec<String> {
        let targets = self.target_groups.get(arn).into_iter().flat_map(|group| &group.targets);
        let staying = targets.filter(|(_, state)| state.at(self.now).is_some_and(TargetState::stays));
        let mut ids: Vec<_> = staying.map(|((id, _), _)| id.clone()).collect();
        ids.dedup();
        ids
    }

    /// State of an instance at its target group's own port; none when it was never registered.
    pub fn target_state(&self, arn: &str, instance: &str) -> Option<TargetState> {
        let group = self.target_groups.get(arn)?;
        group.state_at(instance, group.port, self.now)
    }

    fn record_target(&mut self, arn: &str, instance: &str, state: TargetState) {
        let fields = json!({"target_group": arn, "instance": instance, "state": state.name()});
        self.record("target_state", fields);
    }
}
