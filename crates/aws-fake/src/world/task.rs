//! A task: where it runs, and what its status is at a moment.

use std::time::Duration;

use super::{clock::Moment, clusters::Counted, names};

/// CPU units and MiB of memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// CPU units, 1024 a core.
    pub cpu: u32,
    /// Memory in MiB.
    pub memory: u32,
}

impl Size {
    /// Whether something of this size fits into what is left of `whole` when `used` is taken.
    pub fn fits(self, whole: Self, used: Self) -> bool {
        self.cpu + used.cpu <= whole.cpu && self.memory + used.memory <= whole.memory
    }

    /// With `other` taken too.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { cpu: self.cpu + other.cpu, memory: self.memory + other.memory }
    }

    /// With `other` given back.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self { cpu: self.cpu.saturating_sub(other.cpu), memory: self.memory.saturating_sub(other.memory) }
    }
}

/// Who started a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The scheduler, for a service.
    Service {
        /// The service's name.
        name: String,
        /// Whether it runs once on every instance.
        daemon: bool,
    },
    /// Somebody, by `RunTask` or `StartTask`.
    Family(String),
}

impl Owner {
    /// The task's `group`.
    pub fn group(&self) -> String {
        match self {
            Self::Service { name, .. } => format!("service:{name}"),
            Self::Family(family) => format!("family:{family}"),
        }
    }

    /// Name of the service or of the family.
    pub fn name(&self) -> &str {
        match self {
            Self::Service { name, .. } | Self::Family(name) => name,
        }
    }

    /// The task's `startedBy`.
    pub fn started_by(&self) -> Option<&'static str> {
        matches!(self, Self::Service { .. }).then_some("ecs-svc/9223370556150183303")
    }

    /// Name of the service that it belongs to, if any.
    pub fn service(&self) -> Option<&str> {
        if let Self::Service { name, .. } = self { Some(name) } else { None }
    }

    /// Whether it belongs to this service.
    pub fn is_service(&self, service: &str) -> bool {
        self.service() == Some(service)
    }

    /// Whether it belongs to a daemon service.
    pub fn is_daemon(&self) -> bool {
        matches!(self, Self::Service { daemon: true, .. })
    }
}

/// The end of a task.
#[derive(Clone, Debug)]
pub struct Stop {
    /// When its desired status became STOPPED.
    pub at: Moment,
    /// When its last status becomes STOPPED.
    pub done_at: Moment,
    /// The API's `stopCode`; none when the host went away.
    pub code: Option<&'static str>,
    /// The API's `stoppedReason`.
    pub reason: String,
}

/// A task. Its status follows from its times, so the past can be read too.
#[derive(Clone, Debug)]
pub struct Task {
    /// 32 hexadecimal digits.
    pub id: String,
    /// Name of its cluster.
    pub cluster: String,
    /// Id of its container instance, once it has one.
    pub container_instance: Option<String>,
    /// Who started it.
    pub owner: Owner,
    /// What it takes of its instance until it is STOPPED.
    pub size: Size,
    /// When it was created.
    pub created_at: Moment,
    /// When it was placed, if it has found room.
    pub placed_at: Option<Moment>,
    /// When its containers run, but are not in service yet.
    pub activates_at: Moment,
    /// When its containers run.
    pub runs_at: Moment,
    /// From desired STOPPED to last status STOPPED: the application's own shutdown.
    pub stop_takes: Duration,
    /// Its end, once that is decided.
    pub stop: Option<Stop>,
    /// As what its cluster counts it now.
    pub counted: Counted,
}

/// ECS lists stopped tasks for about an hour.
const REMEMBERED: Duration = Duration::from_hours(1);

impl Task {
    /// Whether the API knows it at this moment.
    pub fn is_known(&self, at: Moment) -> bool {
        self.created_at <= at && self.stop.as_ref().is_none_or(|stop| at < stop.done_at + REMEMBERED)
    }

    /// ARN of its container instance, if it has one.
    pub fn container_instance_arn(&self) -> Option<String> {
        self.container_instance.as_ref().map(|id| names::container_instance_arn(&self.cluster, id))
    }

    /// What ECS wants of it.
    pub fn desired_status(&self, at: Moment) -> &'static str {
        if self.stop.as_ref().is_some_and(|stop| stop.at <= at) { "STOPPED" } else { "RUNNING" }
    }

    /// What its containers do. Leaving RUNNING has three steps, and the containers live in most of them:
    /// deregistration from load balancers, the shutdown itself, and the release of network interfaces.
    pub fn last_status(&self, at: Moment) -> &'static str {
        match &self.stop {
            Some(stop) if at >= stop.done_at => "STOPPED",
            Some(stop) if at >= stop.at => {
                let tenth = stop.done_at.saturating_sub(stop.at) / 10;
                if at < stop.at + tenth {
                    "DEACTIVATING"
                } else if at < stop.at + tenth * 9 {
                    "STOPPING"
                } else {
                    "DEPROVISIONING"
                }
            }
            _ if self.placed_at.is_none_or(|placed_at| at < placed_at) => "PROVISIONING",
            _ if at < self.activates_at => "PENDING",
            _ if at < self.runs_at => "ACTIVATING",
            _ => "RUNNING",
        }
    }

    /// Whether its containers are gone.
    pub fn is_stopped(&self, at: Moment) -> bool {
        self.stop.as_ref().is_some_and(|stop| stop.done_at <= at)
    }

    /// Whether ECS counts it as running or pending: it goes by the desired status.
    pub fn is_wanted(&self, at: Moment) -> bool {
        self.created_at <= at && self.stop.as_ref().is_none_or(|stop| at < stop.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_follows_from_the_times() {
        let at = Moment::from_secs;
        let task = Task {
            id: "t".into(),
            cluster: "prod".into(),
            container_instance: Some("c".into()),
            owner: Owner::Family("batch".into()),
            size: Size::default(),
            created_at: at(8),
            placed_at: Some(at(10)),
            activates_at: at(12),
            runs_at: at(13),
            stop_takes: at(20),
            stop: Some(Stop { at: at(100), done_at: at(120), code: None, reason: String::new() }),
            counted: Counted::Not,
        };
        let rows = [
            (8, "RUNNING", "PROVISIONING"),
            (10, "RUNNING", "PENDING"),
            (12, "RUNNING", "ACTIVATING"),
            (13, "RUNNING", "RUNNING"),
            (100, "STOPPED", "DEACTIVATING"),
            (102, "STOPPED", "STOPPING"),
            (118, "STOPPED", "DEPROVISIONING"),
            (120, "STOPPED", "STOPPED"),
        ];
        for (second, desired, last) in rows {
            let seen = (task.desired_status(at(second)), task.last_status(at(second)));
            assert_eq!(seen, (desired, last), "after {second} s");
        }
        let known: Vec<_> = [7, 8, 3_719, 3_720].map(|second| task.is_known(at(second))).into();
        assert_eq!(known, [false, true, true, false], "listed until an hour after its stop");
    }
}
