//! What the function talks about: drains, container instances, tasks. Plain data, no SDK types.

use aws_helpers::fault::Fault;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One instance's drain, as a continuation carries it. It is the whole memory between passes, so that
/// losing the function at any point loses nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Drain {
    /// Passes already published for this drain; 0 while it stands only in the hook's message.
    #[serde(rename = "DrainPass")]
    pub pass: u32,
    /// The EC2 instance.
    #[serde(rename = "EC2InstanceId")]
    pub instance: String,
    /// Name or ARN of its cluster, once known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// ARN of its container instance, once known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_instance: Option<String>,
    /// The lifecycle hook to complete; none for an operator's request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hook: Option<Hook>,
    /// When the instance began to leave.
    pub first_seen: Timestamp,
    /// When the instance will be gone, whatever a hook says: two minutes after a spot notice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// When the instance was launched, where a request told: long ago means that it is not registering any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub launched_at: Option<Timestamp>,
    /// When the container instance was first known to be DRAINING.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub draining_since: Option<Timestamp>,
    /// Its tasks, once they could be counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<Count>,
    /// ARN of a task that had not stopped at the last look: until it has, nothing else needs to be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// Not to be looked at again before this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
}

impl Drain {
    /// A drain of which nothing is known but the instance, and when it began to leave.
    #[must_use]
    pub fn begin(instance: String, first_seen: Timestamp) -> Self {
        Self {
            pass: 0,
            instance,
            cluster: None,
            container_instance: None,
            hook: None,
            first_seen,
            until: None,
            launched_at: None,
            draining_since: None,
            count: None,
            waits_for: None,
            not_before: None,
        }
    }

    /// The lifecycle action's token, which also tells two drains of one instance apart.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.hook.as_ref()?.token.as_deref()
    }

    /// Whether a mark was left by this very drain, and not by an earlier one of the same instance. Without
    /// a token, an operator's request is told from an earlier one by its time.
    #[must_use]
    pub fn left(&self, mark: &Mark) -> bool {
        let since_then = mark.draining_since.as_second() >= self.first_seen.as_second();
        mark.token.as_deref() == self.token() && (self.token().is_some() || since_then)
    }

    /// Takes over the time limit of another drain of the same instance: the earlier one holds for both. One that has
    /// passed is no news: the instance has outlived it.
    pub fn share_until(&mut self, until: Option<Timestamp>, now: Timestamp) {
        let until = until.filter(|until| *until > now);
        self.until = [self.until, until].into_iter().flatten().min();
    }

    /// Makes a request's drain that of a hook which waits for the same instance. From the mark of that hook's own
    /// drain on, if it has left one: so its older continuation finds itself answered, and its count is not lost.
    pub fn take_hook(&mut self, hook: Hook, mark: Option<&Mark>) {
        self.hook = Some(hook);
        if let Some(mark) = mark {
            self.pass = self.pass.max(mark.pass);
            self.draining_since = Some(mark.draining_since);
            self.count = self.count.or(mark.count);
        }
    }
}

/// A lifecycle hook's action that waits for `CompleteLifecycleAction`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Hook {
    /// The Auto Scaling group.
    pub group: String,
    /// The hook's name.
    pub name: String,
    /// Identifies the action; messages carry it, it is absent only in hand-made ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Its timeouts, once read from the hook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terms: Option<Terms>,
}

/// How long a hook waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Terms {
    /// Seconds that one heartbeat buys: 30 to 7,200.
    pub heartbeat_seconds: u32,
    /// When the hook gives up unless a heartbeat is recorded.
    pub held_until: Timestamp,
    /// When it gives up in any case: the smaller of 48 hours and 100 heartbeats.
    pub limit: Timestamp,
}

/// The tasks that were still wanted on a container instance when ECS was asked, so long after DRAINING was set that no
/// task can have been placed since what it answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Count {
    /// How many.
    pub tasks: usize,
    /// From when on this accounts for all tasks: lists that are asked for from then on show each task that was not
    /// counted as it is, and those that were counted have not begun to stop before.
    pub holds_from: Timestamp,
}

/// A task that has stopped, as ECS reports it through `EventBridge`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskStopped {
    /// ARN of the cluster.
    pub cluster: String,
    /// ARN of the container instance.
    pub container_instance: String,
    /// ARN of the task.
    pub task: String,
}

/// The note that a drain leaves on its container instance (an ECS attribute, read for nothing with
/// every describe): which continuation was published last. A copy of an older one finds it and ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The pass that was published.
    pub pass: u32,
    /// When the container instance was first known to be DRAINING.
    pub draining_since: Timestamp,
    /// [`Drain::count`], in whole seconds.
    pub count: Option<Count>,
    /// [`Drain::until`], in whole seconds.
    pub until: Option<Timestamp>,
    /// The drain's token.
    pub token: Option<String>,
}

impl Mark {
    /// Name of the attribute.
    pub const ATTRIBUTE: &'static str = "fleetkeeper.drain";

    /// Whether it was left within minutes by the drain of an instance that has little time: whoever drains the same
    /// instance may go on from it.
    #[must_use]
    pub fn is_urgent(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until > now)
    }

    /// The attribute's value: at most 128 of letters, digits and `-_./@\: ` (ECS `Attribute`); a token
    /// is a UUID, so this has about 80.
    #[must_use]
    pub fn to_value(&self) -> String {
        let token = self.token.as_deref().unwrap_or("-");
        // A second more rather than less: before its moment a count accounts for nothing.
        let count = self.count.map_or_else(
            || "-".to_owned(),
            |count| {
                let begun = i64::from(count.holds_from.subsec_nanosecond() > 0);
                format!("{}/{}", count.tasks, count.holds_from.as_second().saturating_add(begun))
            },
        );
        let until = self.until.map_or_else(String::new, |until| format!("@{}", until.as_second()));
        format!("{}:{}:{count}{until}:{token}", self.pass, self.draining_since.as_second())
    }

    /// Reads an attribute's value; none if somebody else wrote it.
    #[must_use]
    pub fn from_value(value: &str) -> Option<Self> {
        let moment = |second: &str| Timestamp::from_second(second.parse().ok()?).ok();
        let mut parts = value.splitn(4, ':');
        let pass = parts.next()?.parse().ok()?;
        let draining_since = moment(parts.next()?)?;
        let part = parts.next()?;
        let (count, until) = match part.split_once('@') {
            Some((count, until)) => (count, Some(moment(until)?)),
            None => (part, None),
        };
        let count = match count.split_once('/') {
            Some((tasks, from)) => Some(Count { tasks: tasks.parse().ok()?, holds_from: moment(from)? }),
            None if count == "-" => None,
            None => return None,
        };
        let token = parts.next()?;
        let token = (token != "-").then(|| token.to_owned());
        Some(Self { pass, draining_since, count, until, token })
    }
}

/// Status of a container instance, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Takes tasks.
    Active,
    /// Takes none; its service tasks are moved away.
    Draining,
    /// REGISTERING, DEREGISTERING and the like: neither can be asked of it now.
    Other,
}

/// What one describe tells of a container instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerInstance {
    /// Name or ARN of its cluster.
    pub cluster: String,
    /// Its ARN.
    pub arn: String,
    /// Its EC2 instance.
    pub instance: String,
    /// Its status.
    pub status: Status,
    /// Running and pending tasks *by desired status*: more than 0 means not empty, 0 means nothing yet.
    pub wanted_tasks: usize,
    /// Whether its agent is connected.
    pub connected: bool,
    /// What the drain noted on it.
    pub mark: Option<Mark>,
}

/// One task, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its ARN.
    pub arn: String,
    /// `service:NAME`, or `family:NAME` (or the caller's own) for a standalone task.
    pub group: String,
    /// Whether ECS still wants it to run.
    pub wanted: bool,
    /// Whether its *last* status is STOPPED: its containers are gone.
    pub stopped: bool,
    /// When ECS began to stop it.
    pub stopping_at: Option<Timestamp>,
}

impl Task {
    /// Whether no service looks after it, so that DRAINING leaves it alone.
    #[must_use]
    pub fn standalone(&self) -> bool {
        !self.group.starts_with("service:")
    }
}

/// Where ECS has the instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Registered, as described.
    Registered(ContainerInstance),
    /// In none of the clusters looked at.
    Absent,
    /// It could not be read.
    Unreadable(Fault),
}

/// What Auto Scaling says of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Membership {
    /// It is in a group and alive, in this lifecycle state (`Terminating:Wait`, `InService`, …).
    Member {
        /// Its group.
        group: String,
        /// Whether its lifecycle state is `Terminating:Wait`.
        waiting: bool,
    },
    /// No group has it, or its termination is past all hooks.
    Gone,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_survives_its_attribute_and_no_other_value_is_one() {
        let later = Timestamp::from_second(1_763_680_120).unwrap();
        let mark = |tasks: Option<usize>, token: Option<&str>| Mark {
            pass: 3,
            draining_since: Timestamp::from_second(1_763_680_000).unwrap(),
            count: tasks.map(|tasks| Count { tasks, holds_from: later }),
            until: None,
            token: token.map(str::to_owned),
        };
        let until = Some(later);
        for (value, expected) in [
            ("3:1763680000:10/1763680120:86799385-e46d", Some(mark(Some(10), Some("86799385-e46d")))),
            ("3:1763680000:-:a:b", Some(mark(None, Some("a:b")))),
            ("3:1763680000:0/1763680120:-", Some(mark(Some(0), None))),
            ("3:1763680000:-@1763680120:a", Some(Mark { until, ..mark(None, Some("a")) })),
            ("3:1763680000:10/1763680120@1763680120:a", Some(Mark { until, ..mark(Some(10), Some("a")) })),
            ("3:1763680000:10:-", None),
            ("3:1763680000:10/x:-", None),
            ("3:1763680000:x/1763680120:-", None),
            ("3:1763680000:-@x:-", None),
            ("3:1763680000:x:-", None),
            ("3:1763680000", None),
            ("x:1763680000:-:-", None),
            ("-1:1763680000:-:-", None),
            ("", None),
        ] {
            assert_eq!(Mark::from_value(value), expected, "{value}");
            if let Some(mark) = expected {
                assert_eq!(mark.to_value(), value);
            }
        }
    }

    #[test]
    fn a_count_holds_no_earlier_by_its_mark() {
        for (nanoseconds, expected) in [(0, "5"), (1, "6"), (999_999_999, "6")] {
            let holds_from = Timestamp::new(5, nanoseconds).unwrap();
            let count = Some(Count { tasks: 2, holds_from });
            let mark =
                Mark { pass: 1, draining_since: Timestamp::UNIX_EPOCH, count, until: None, token: None };
            assert_eq!(mark.to_value(), format!("1:0:2/{expected}:-"), "{nanoseconds} ns");
        }
    }
}
