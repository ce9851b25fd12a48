//! The command line of the binary.

use std::{path::PathBuf, time::Duration};

use clap::Parser;
use thiserror::Error;

use crate::scenario::Scenario;

/// A strict small AWS on loopback: ECS container instances, lifecycle hooks, EC2, CloudTrail, CloudWatch, DynamoDB, SNS, load balancers.
#[derive(Clone, Debug, Parser)]
#[command(name = "aws-fake", version)]
pub struct Options {
    /// What the World begins with: `demo`, or a JSON file
    #[arg(long, default_value = "demo")]
    scenario: String,
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
    /// Where messages to topics are published
    #[arg(long, value_name = "URL")]
    pub(crate) sns_endpoint: Option<String>,
    /// Where events are put
    #[arg(long, value_name = "URL")]
    pub(crate) events_endpoint: Option<String>,
    /// Instead of the scenario's seed
    #[arg(long)]
    seed: Option<u64>,
    /// Instead of the scenario's latency, in milliseconds
    #[arg(long)]
    latency_ms: Option<u64>,
    /// Where the calls of functions are written down, a line of JSON each
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
    /// A file to make, eight bytes, nanoseconds since the Unix epoch: the time is what it says, calls move it on, and
    /// otherwise `PUT /clock` does. What leaves is its answer, not sent to any endpoint
    #[arg(long, value_name = "FILE", conflicts_with_all = ["sns_endpoint", "events_endpoint"])]
    pub(crate) clock: Option<PathBuf>,
    /// End when standard input does, so that a parent takes the server along however it ends
    #[arg(long)]
    pub(crate) exit_with_stdin: bool,
}

/// A scenario that cannot be had.
#[derive(Debug, Error)]
pub enum ScenarioError {
    /// Its file cannot be read.
    #[error("cannot read the scenario {0}: {1}")]
    Unreadable(PathBuf, #[source] std::io::Error),
    /// It is no scenario.
    #[error("{0} is no scenario: {1}")]
    Invalid(String, #[source] serde_json::Error),
}

impl Options {
    /// The scenario, with what the command line says instead.
    pub(crate) fn scenario(&self) -> Result<Scenario, ScenarioError> {
        let mut scenario = read(&self.scenario)?;
        let settings = &mut scenario.settings;
        settings.seed = self.seed.unwrap_or(settings.seed);
        settings.latency = self.latency_ms.map_or(settings.latency, Duration::from_millis);
        // The topics are those of whatever is behind the SNS endpoint.
        settings.any_topic = true;
        Ok(scenario)
    }
}

fn read(name: &str) -> Result<Scenario, ScenarioError> {
    let text = if name == "demo" {
        include_str!("../scenarios/demo.json").to_owned()
    } else {
        std::fs::read_to_string(name).map_err(|error| ScenarioError::Unreadable(name.into(), error))?
    };
    serde_json::from_str(&text).map_err(|error| ScenarioError::Invalid(name.to_owned(), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_overrides_the_scenario() {
        let rows: [(&[&str], (u64, u128)); 3] = [
            (&[], (7, 20)),
            (&["--seed", "9"], (9, 20)),
            (&["--latency-ms", "0", "--scenario", "demo"], (7, 0)),
        ];
        for (arguments, expected) in rows {
            let options = Options::parse_from(["aws-fake"].iter().chain(arguments));
            let scenario = options.scenario().expect("the demo is a scenario");
            let seen = (scenario.settings.seed, scenario.settings.latency.as_millis());
            assert_eq!((seen, scenario.clusters.len()), (expected, 1), "{arguments:?}");
        }
    }

    #[test]
    fn what_is_no_scenario_is_named() {
        let options = Options::parse_from(["aws-fake", "--scenario", "no-such.json"]);
        let error = options.scenario().expect_err("no such file").to_string();
        assert!(error.contains("no-such.json"), "{error}");
    }
}
