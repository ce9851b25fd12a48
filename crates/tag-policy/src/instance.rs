//! What the rules are applied to: an instance as far as the policy needs it, and the frame of a run.

use jiff::Timestamp;

/// An EC2 instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instance {
    /// Its id.
    pub id: String,
    /// The reservation: what one `RunInstances` call launched together.
    pub reservation: String,
    /// Its VPC.
    pub vpc: Option<String>,
    /// Its availability zone.
    pub zone: String,
    /// Its state.
    pub state: State,
    /// When it was first launched: when its primary network interface was attached. `LaunchTime` is the
    /// *last* start.
    pub first_launch: Timestamp,
    /// Its tags by key, `aws:` ones among them.
    pub tags: Vec<(String, String)>,
    /// Whether it is a spot instance.
    pub spot: bool,
    /// Whether its root device is an instance store, so that it cannot be stopped.
    pub instance_store: bool,
    /// The service that manages it, if one does.
    pub operator: Option<String>,
}

/// The states in which an instance has tags worth having.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// It is being launched or started.
    Pending,
    /// It runs.
    #[default]
    Running,
    /// It is being stopped.
    Stopping,
    /// It is stopped.
    Stopped,
}

impl Instance {
    /// The value of a tag.
    #[must_use]
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.tags.iter().find(|(own, _)| own == key).map(|(_, value)| value.as_str())
    }

    /// Its own tags: those that AWS gave it count neither as tags nor among the fifty.
    pub fn own_tags(&self) -> impl Iterator<Item = (&str, &str)> {
        let own = self.tags.iter().filter(|(key, _)| !is_reserved(key));
        own.map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Whether nobody has tagged it.
    #[must_use]
    pub fn is_untagged(&self) -> bool {
        self.own_tags().next().is_none()
    }

    /// The Auto Scaling group that it belongs to.
    #[must_use]
    pub fn group(&self) -> Option<&str> {
        self.tag("aws:autoscaling:groupName")
    }
}

fn is_reserved(key: &str) -> bool {
    key.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:"))
}

/// What all functions of a run are computed from: frozen, so that a retry writes the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// The event's time; never later than the clock.
    pub now: Timestamp,
    /// The account, if it is known.
    pub account: Option<String>,
    /// The region, if it is known.
    pub region: Option<String>,
}

impl Frame {
    /// Whether so many hours have passed since a moment.
    #[must_use]
    pub fn is_past(&self, since: Timestamp, hours: i64) -> bool {
        self.now.duration_since(since).as_hours() >= hours
    }
}
