//! What happens to a World from outside by itself, as a scenario has it.

use std::time::Duration;

use serde::Deserialize;

use super::{Happening, World};

/// Something that happens at a moment: `{"after_seconds": 30, "action": {"interrupt": "i-…"}}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// How long after the script was handed in.
    #[serde(default, rename = "after_seconds", with = "crate::settings::seconds")]
    pub after: Duration,
    /// What happens.
    pub action: Action,
}

/// What happens, and to which instance: an id, or the name of a group, which means the first of its instances
/// that does not leave.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// [`World::interrupt`].
    Interrupt(String),
    /// [`World::recommend_rebalance`].
    RecommendRebalance(String),
    /// [`World::run_standalone`].
    RunTask(TaskPlan),
}

/// A task outside any service, which ends by itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskPlan {
    /// Where it runs: an instance, or a group.
    pub on: String,
    /// How long it runs.
    #[serde(rename = "ends_after_seconds", with = "crate::settings::seconds")]
    pub ends_after: Duration,
    /// How long it then takes to stop.
    #[serde(default, rename = "stop_seconds", with = "crate::settings::seconds")]
    pub stop: Duration,
}

impl World {
    /// Has these things happen, each at its time from now on.
    pub fn play(&mut self, script: Vec<Step>) {
        for step in script {
            self.later(step.after, Happening::Scripted(step.action));
        }
    }

    pub(crate) fn act(&mut self, action: &Action) {
        match action {
            Action::Interrupt(whom) => self.interrupt(&self.meant(whom)),
            Action::RecommendRebalance(whom) => self.recommend_rebalance(&self.meant(whom)),
            Action::RunTask(plan) => {
                let instance = self.meant(&plan.on);
                if self.run_standalone(&instance, "batch", plan.stop, Some(plan.ends_after)).is_none() {
                    tracing::warn!(instance, "no container instance to run a task on");
                }
            }
        }
    }

    /// The instance that a script means.
    fn meant(&self, whom: &str) -> String {
        let of_group = self.instances_of(whom, self.now()).find(|instance| instance.stays());
        of_group.map_or_else(|| whom.to_owned(), |instance| instance.id.clone())
    }
}
