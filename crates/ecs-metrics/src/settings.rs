//! The metric writer's settings. Names, defaults and allowed values are tabled in docs/ecs-metrics.md, which a
//! test compares with this file.

use std::time::Duration;

use aws_helpers::settings::{SettingError, TABLE_NAME, Variables, table_name};

use crate::clusters::Selector;

/// Where metrics go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sink {
    /// `PutMetricData` at each tick.
    Put,
    /// `PutMetricData` after so many seconds, with all ticks since: fewer calls.
    Flush(Duration),
    /// Lines of the log in the embedded metric format: no calls, but log ingestion.
    Emf,
}

/// Metrics that are written only if asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extra {
    /// Tasks and services by launch type, at each tick. No further calls.
    LaunchTypes,
    /// Container instances by status, and those whose agent is disconnected.
    Instances,
    /// Counts and deployments of each service.
    Services,
    /// How many more of the largest task fit.
    Capacity,
    /// Age of the oldest pending task.
    PendingAge,
}

/// Everything the metric writer can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Which clusters.
    pub clusters: Vec<Selector>,
    /// The metrics' namespace.
    pub namespace: String,
    /// From one tick to the next. A minute is a multiple of it.
    pub period: Duration,
    /// Where metrics go.
    pub sink: Sink,
    /// What else is written.
    pub extras: Vec<Extra>,
    /// The table of the lease; without one a doubled trigger writes each tick twice.
    pub lease_table: Option<String>,
    /// Whether the writer's own metrics are written.
    pub self_metrics: bool,
}

/// Words of `EXTRA_METRICS`.
const EXTRAS: [(&str, Extra); 5] = [
    ("launch-types", Extra::LaunchTypes),
    ("instances", Extra::Instances),
    ("services", Extra::Services),
    ("capacity", Extra::Capacity),
    ("pending-age", Extra::PendingAge),
];

impl Settings {
    /// Reads and checks the settings.
    pub fn read(variables: &Variables) -> Result<Self, SettingError> {
        let sinks = [("put", "put"), ("flush", "flush"), ("emf", "emf")];
        let flush = variables.seconds("FLUSH_SECONDS", 10, 1..=10)?;
        let extra = |word: &str| EXTRAS.iter().find(|(name, _)| *name == word).map(|(_, extra)| *extra);
        let words = EXTRAS.map(|(word, _)| word).join(", ");
        let extras = variables.list("EXTRA_METRICS", &words, |word| extra(word).is_some())?;
        Ok(Self {
            clusters: variables.or(
                "CLUSTERS",
                "*",
                "a comma-separated list of cluster names, patterns with * and ?, and tag:KEY=VALUE",
                |value| {
                    let words = value.split(',').map(str::trim).filter(|word| !word.is_empty());
                    let selectors: Option<Vec<_>> = words.map(Selector::parse).collect();
                    selectors.filter(|selectors| !selectors.is_empty())
                },
            )?,
            namespace: variables.or(
                "METRIC_NAMESPACE",
                "ECS",
                "1 to 255 letters, digits and . - _ / # : that do not begin with a colon or AWS/",
                namespace,
            )?,
            period: variables.or("PERIOD_SECONDS", "5", "1, 5, 10, 20, 30 or 60", |value| {
                let seconds = value.parse().ok().filter(|seconds| [1, 5, 10, 20, 30, 60].contains(seconds));
                seconds.map(Duration::from_secs)
            })?,
            sink: match variables.choice("SINK", sinks)? {
                "flush" => Sink::Flush(flush),
                "emf" => Sink::Emf,
                _ => Sink::Put,
            },
            extras: extras.iter().filter_map(|word| extra(word)).collect(),
            lease_table: variables.optional("LEASE_TABLE", TABLE_NAME, table_name)?,
            self_metrics: variables.choice("SELF_METRICS", [("on", true), ("off", false)])?,
        })
    }

    /// Whether something else is asked for.
    #[must_use]
    pub fn wants(&self, extra: Extra) -> bool {
        self.extras.contains(&extra)
    }
}

/// As CloudWatch takes it.
fn namespace(value: &str) -> Option<String> {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b".-_/#:".contains(&byte);
    let valid = (1..=255).contains(&value.len()) && value.bytes().all(valid);
    (valid && !value.starts_with(':') && !value.starts_with("AWS/")).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_helpers::settings::undocumented;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, String> {
        Settings::read(&variables.iter().copied().collect()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_bad_value_is_named_with_what_is_allowed() {
        for (name, value, expected) in [
            ("PERIOD_SECONDS", "2", r#"setting PERIOD_SECONDS is "2"; allowed: 1, 5, 10, 20, 30 or 60"#),
            ("SINK", "log", r#"setting SINK is "log"; allowed: put or flush or emf"#),
            (
                "FLUSH_SECONDS",
                "11",
                r#"setting FLUSH_SECONDS is "11"; allowed: a whole number of seconds from 1 to 10"#,
            ),
            ("METRIC_NAMESPACE", "AWS/ECS", r#"setting METRIC_NAMESPACE is "AWS/ECS"; allowed: 1 to 255"#),
            ("CLUSTERS", "tag:team", r#"setting CLUSTERS is "tag:team"; allowed: a comma-separated list"#),
            ("CLUSTERS", ",", r#"setting CLUSTERS is ","; allowed: a comma-separated list"#),
            (
                "EXTRA_METRICS",
                "instances,cpu",
                r#"setting EXTRA_METRICS is "cpu"; allowed: a comma-separated list of launch-types, instances"#,
            ),
        ] {
            let found = read(&[(name, value)]).unwrap_err();
            assert!(found.starts_with(expected), "{name}={value}: {found}");
        }
    }

    #[test]
    fn the_sink_takes_its_seconds() {
        for (variables, expected) in [
            (vec![], Sink::Put),
            (vec![("SINK", "emf")], Sink::Emf),
            (vec![("SINK", "flush")], Sink::Flush(Duration::from_secs(10))),
            (vec![("SINK", "flush"), ("FLUSH_SECONDS", "4")], Sink::Flush(Duration::from_secs(4))),
        ] {
            assert_eq!(read(&variables).unwrap().sink, expected, "{variables:?}");
        }
    }

    #[test]
    fn the_documented_table_is_what_is_read() {
        let page = include_str!("../../../docs/ecs-metrics.md");
        assert_eq!(undocumented(page, include_str!("settings.rs"), read), Vec::<String>::new());
    }
}
