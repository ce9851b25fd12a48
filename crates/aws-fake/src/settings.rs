//! What a World is like, apart from what is in it.

use std::time::Duration;

use serde::Deserialize;

use crate::{faults::Fault, world::identity::Identity};

/// Settings of a World. Times are written in seconds in a scenario's JSON.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Settings {
    /// The same seed gives the same run.
    pub seed: u64,
    /// From a request to its answer.
    #[serde(rename = "latency_seconds", with = "seconds")]
    pub latency: Duration,
    /// Reads see the World as it was up to this long ago (ECS is eventually consistent).
    #[serde(rename = "staleness_seconds", with = "seconds")]
    pub staleness: Duration,
    /// Whether the account's token buckets throttle calls.
    pub throttling: bool,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// Whether every topic exists: the server's topics live elsewhere.
    pub any_topic: bool,
    /// Whether the filters of `ListContainerInstances` are passed over, as some emulators do.
    pub ignore_filters: bool,
    /// From a change in a cluster to the service scheduler's answer to it.
    #[serde(rename = "scheduling_seconds", with = "seconds")]
    pub scheduling: Duration,
    /// From the launch of an instance to its registration as a container instance.
    #[serde(rename = "boot_seconds", with = "seconds")]
    pub boot: Duration,
    /// From the end of the last lifecycle action to the end of the instance.
    #[serde(rename = "termination_seconds", with = "seconds")]
    pub termination: Duration,
    /// From the death of an instance until Auto Scaling and ECS have noticed.
    #[serde(rename = "health_check_seconds", with = "seconds")]
    pub health_check: Duration,
    /// How long a launched machine is `pending`.
    #[serde(rename = "pending_seconds", with = "seconds")]
    pub pending: Duration,
    /// How long a machine is `stopping` or `shutting-down`.
    #[serde(rename = "stopping_seconds", with = "seconds")]
    pub stopping: Duration,
    /// Whether `DescribeInstances` filters what it has put on a page: then pages are short or empty, and have a
    /// token all the same, which EC2 reserves the right to.
    pub sparse_pages: bool,
    /// From a call until CloudTrail finds it. On AWS about 5 minutes, now and then 15.
    #[serde(rename = "trail_delay_seconds", with = "seconds")]
    pub trail_delay: Duration,
    /// Probability that DynamoDB leaves a key or a write of a batch unprocessed. It always does one of them.
    pub unprocessed: f64,
    /// Whether EC2 tells the event bus of every machine that is `shutting-down` and `terminated`.
    pub state_events: bool,
    /// Who calls, as CloudTrail writes it down.
    pub caller: Identity,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 0,
            latency: Duration::from_millis(20),
            staleness: Duration::ZERO,
            throttling: true,
            faults: Vec::new(),
            any_topic: false,
            ignore_filters: false,
            scheduling: Duration::from_secs(1),
            boot: Duration::from_secs(30),
            termination: Duration::from_secs(1),
            health_check: Duration::from_secs(10),
            pending: Duration::from_secs(5),
            stopping: Duration::from_secs(20),
            sparse_pages: false,
            trail_delay: Duration::ZERO,
            unprocessed: 0.0,
            state_events: false,
            caller: Identity::iam_user("operator"),
        }
    }
}

/// Durations as hours in JSON.
pub(crate) mod hours {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, de::Error};

    /// Seconds of an hour.
    const HOUR: f64 = 3_600.0;

    /// Reads a number of hours; negative or endless ones are refused.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(from)? * HOUR).map_err(D::Error::custom)
    }
}

/// Durations as seconds in JSON.
pub(crate) mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, de::Error};

    /// Reads a number of seconds; negative or endless ones are refused.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(from)?).map_err(D::Error::custom)
    }
}
