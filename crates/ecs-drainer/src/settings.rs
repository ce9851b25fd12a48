//! The drainer's settings. Names, defaults and allowed values are tabled in docs/ecs-drainer.md, which
//! a test compares with this file.

use std::time::Duration;

use aws_helpers::settings::{SettingError, Variables};

/// What a lifecycle action is completed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Terminate, and let the group's other hooks run.
    Continue,
    /// Terminate at once; or, where the group retains abandoned instances, keep the instance.
    Abandon,
}

impl Outcome {
    /// The word that Auto Scaling takes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Continue => "CONTINUE",
            Self::Abandon => "ABANDON",
        }
    }
}

/// What happens to tasks that no service looks after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standalone {
    /// They are waited for.
    Wait,
    /// They are stopped once the instance has been draining for this long.
    StopAfter(Duration),
}

/// Everything the drainer can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The topic that continuations go to.
    pub topic: String,
    /// Clusters to look in; empty means all of the region.
    pub clusters: Vec<String>,
    /// Between two passes; the delay of the continuation queue.
    pub interval: Duration,
    /// The same for a drain that has little time, and the delay of its queue.
    pub urgent_interval: Duration,
    /// How long a drain may take.
    pub deadline: Duration,
    /// What the hook is completed with at the deadline.
    pub at_deadline: Outcome,
    /// How long an instance that no cluster knows may still be registering.
    pub registration_wait: Duration,
    /// What the hook is completed with if it never registers.
    pub unregistered: Outcome,
    /// What happens to standalone tasks.
    pub standalone: Standalone,
    /// How old DRAINING must be before "no task" is believed: ECS is eventually consistent.
    pub settle: Duration,
}

impl Settings {
    /// Reads and checks the settings.
    pub fn read(variables: &Variables) -> Result<Self, SettingError> {
        let outcomes = [("CONTINUE", Outcome::Continue), ("ABANDON", Outcome::Abandon)];
        let stop_after = variables.seconds("STANDALONE_STOP_AFTER_SECONDS", 0, 0..=172_800)?;
        let words = [("wait", Standalone::Wait), ("stop", Standalone::StopAfter(stop_after))];
        Ok(Self {
            topic: variables.topic("DRAIN_TOPIC_ARN")?,
            clusters: variables.list("CLUSTERS", "names or ARNs of ECS clusters", is_cluster)?,
            interval: variables.seconds("PASS_INTERVAL_SECONDS", 180, 1..=900)?,
            urgent_interval: variables.seconds("URGENT_INTERVAL_SECONDS", 15, 1..=60)?,
            deadline: variables.seconds("DEADLINE_SECONDS", 7_200, 30..=172_800)?,
            at_deadline: variables.choice("DEADLINE_RESULT", outcomes)?,
            registration_wait: variables.seconds("REGISTRATION_WAIT_SECONDS", 300, 0..=3_600)?,
            unregistered: variables.choice("UNREGISTERED_RESULT", outcomes)?,
            standalone: variables.choice("STANDALONE_TASKS", words)?,
            settle: variables.seconds("SETTLE_SECONDS", 5, 0..=10)?,
        })
    }
}

/// Whether a word can name a cluster: 1 to 255 letters, digits, hyphens and underscores (ECS
/// `CreateCluster`), or an ARN that ends in one.
pub(crate) fn is_cluster(word: &str) -> bool {
    let name = match word.strip_prefix("arn:") {
        Some(rest) => rest.rsplit_once(":cluster/").map_or("", |(_, name)| name),
        None => word,
    };
    (1..=255).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_helpers::settings::undocumented;

    const TOPIC: (&str, &str) = ("DRAIN_TOPIC_ARN", "arn:aws:sns:us-east-1:123456789012:drain");

    fn read(variables: &[(&str, &str)]) -> Result<Settings, String> {
        let variables = variables.iter().copied().collect();
        Settings::read(&variables).map_err(|error| error.to_string())
    }

    #[test]
    fn the_topic_alone_is_enough() {
        let settings = read(&[TOPIC]).unwrap();
        assert_eq!(settings.topic, TOPIC.1);
        assert_eq!(settings.clusters, Vec::<String>::new());
        assert_eq!(settings.interval, Duration::from_secs(180));
        assert_eq!(
            (settings.deadline, settings.at_deadline),
            (Duration::from_secs(7_200), Outcome::Continue)
        );
        assert_eq!(settings.standalone, Standalone::Wait);
    }

    #[test]
    fn a_bad_value_is_named_with_what_is_allowed() {
        for (name, value, expected) in [
            (
                "DRAIN_TOPIC_ARN",
                "drain",
                r#"setting DRAIN_TOPIC_ARN is "drain"; allowed: the ARN of an SNS topic"#,
            ),
            ("DRAIN_TOPIC_ARN", "", "setting DRAIN_TOPIC_ARN is missing; set it to the ARN of an SNS topic"),
            (
                "CLUSTERS",
                "a,b c",
                r#"setting CLUSTERS is "b c"; allowed: a comma-separated list of names or ARNs of ECS clusters"#,
            ),
            (
                "PASS_INTERVAL_SECONDS",
                "901",
                r#"setting PASS_INTERVAL_SECONDS is "901"; allowed: a whole number of seconds from 1 to 900"#,
            ),
            (
                "DEADLINE_RESULT",
                "RETRY",
                r#"setting DEADLINE_RESULT is "RETRY"; allowed: CONTINUE or ABANDON"#,
            ),
            ("STANDALONE_TASKS", "kill", r#"setting STANDALONE_TASKS is "kill"; allowed: wait or stop"#),
            (
                "SETTLE_SECONDS",
                "-1",
                r#"setting SETTLE_SECONDS is "-1"; allowed: a whole number of seconds from 0 to 10"#,
            ),
        ] {
            assert_eq!(read(&[TOPIC, (name, value)]), Err(expected.to_owned()), "{name}={value}");
        }
    }

    #[test]
    fn the_documented_table_is_what_is_read() {
        let page = include_str!("../../../docs/ecs-drainer.md");
        let with_topic = |variables: &[(&str, &str)]| read(&[&[TOPIC], variables].concat());
        assert_eq!(undocumented(page, include_str!("settings.rs"), with_topic), Vec::<String>::new());
    }

    #[test]
    fn a_cluster_is_a_name_or_an_arn() {
        for (word, expected) in [
            ("prod", true),
            ("prod_2-a", true),
            ("arn:aws:ecs:us-east-1:123456789012:cluster/prod", true),
            ("arn:aws:ecs:us-east-1:123456789012:service/prod", false),
            ("", false),
            ("a b", false),
            ("a\"]", false),
        ] {
            assert_eq!(is_cluster(word), expected, "{word}");
        }
    }
}
