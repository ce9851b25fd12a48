//! The command line.

pub(crate) mod metrics;
pub(crate) mod others;

use clap::{Args, Parser, Subcommand, ValueEnum};

use self::metrics::{Metrics, Writer};
use self::others::{Drainer, Draining, Fleet, Notices, Spot, Stack, Tagging, Tags, Tasks};
use crate::whole::Settings;

const EXAMPLES: &str = "\
Examples:
  costs --clusters 100 --period 5 --sink put
  costs --clusters 10 --instances 500 --drains 2000 --free-tier on
  costs metrics --clusters 100 --period 1 --sink flush --alarms 102 --dashboards 1
  costs drainer --drains 1000 --drain-seconds 3600
  costs --all --format markdown > docs/costs.md

Dollars are of us-east-1 and a month of 30 days, without tax and discounts. Nothing is called: the prices are a
dated table in the program, which `costs --all` prints.";

/// Says what the functions cost a month, by item, from their settings: all of them, or one.
#[derive(Clone, Debug, Parser)]
#[command(name = "costs", version, after_long_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct Options {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) whole: Whole,
}

impl Options {
    /// What every command can be told.
    pub(crate) fn how(&self) -> How {
        match &self.command {
            None => self.whole.how,
            Some(Command::Metrics(metrics)) => metrics.how,
            Some(Command::Drainer(drainer)) => drainer.how,
            Some(Command::Tags(tags)) => tags.how,
            Some(Command::Spot(spot)) => spot.how,
        }
    }
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// The metric writer, ecs-metrics, beside the published design
    Metrics(Metrics),
    /// The drainer, ecs-drainer, beside the published design
    Drainer(Drainer),
    /// The tag policy, tag-policy, beside the published design
    Tags(Tags),
    /// Spot notices, spot-interruption
    Spot(Spot),
}

/// What every command can be told.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct How {
    /// Take off what each service gives for nothing every month, as if nothing else in the account used it
    #[arg(long, value_enum, default_value = "off")]
    pub(crate) free_tier: Switch,
    /// How it is printed
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// All functions: what each can be told, and what comes with them.
#[derive(Clone, Debug, Args)]
pub(crate) struct Whole {
    #[command(flatten)]
    writer: Writer,
    #[command(flatten)]
    fleet: Fleet,
    #[command(flatten)]
    draining: Draining,
    #[command(flatten)]
    tasks: Tasks,
    #[command(flatten)]
    tagging: Tagging,
    #[command(flatten)]
    notices: Notices,
    #[command(flatten)]
    stack: Stack,
    /// The page of the documentation: three fleets, one of them item by item, drains, tag runs, formulas and prices
    #[arg(long, conflicts_with_all = ["clusters", "instances", "drains", "task_events", "launches", "notices"])]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) how: How,
}

impl Whole {
    /// The settings; an error if some do not fit each other.
    pub(crate) fn settings(&self) -> Result<Settings, clap::Error> {
        let metrics = self.writer.settings()?;
        // The clusters are taken to be alike.
        let of_a_cluster = Fleet { instances: self.fleet.instances.div_ceil(metrics.clusters) };
        Ok(Settings {
            drainer: self.draining.settings(of_a_cluster, self.tasks),
            tags: self.tagging.settings(self.fleet),
            spot: self.notices.settings(self.tasks),
            stack: self.stack.settings(&metrics),
            metrics,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    On,
    Off,
}

impl Switch {
    pub(crate) fn is_on(self) -> bool {
        self == Self::On
    }
}

/// How a page is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a terminal
    #[default]
    Table,
    /// For documentation
    Markdown,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Options::command().debug_assert();
    }
}
