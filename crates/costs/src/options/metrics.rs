//! The command line of the metric writer.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, ValueEnum, value_parser};

use super::{How, Options, Switch};
use crate::metrics::published::Machine;
use crate::metrics::{Driver, Extra, Settings, Sink};

/// The metric writer: its settings, and how much there is to write.
#[derive(Clone, Debug, Args)]
pub(crate) struct Writer {
    /// Clusters that are written
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u32).range(1..=10_000))]
    clusters: u32,
    /// From one tick to the next (`PERIOD_SECONDS`)
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = periods())]
    period: u32,
    /// Where metrics go (`SINK`): a call at each tick, a call every few seconds, or lines of the log
    #[arg(long, value_enum, default_value = "put")]
    sink: SinkName,
    /// With --sink flush: every so many seconds (`FLUSH_SECONDS`)
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = value_parser!(u32).range(1..=10))]
    flush_seconds: u32,
    /// What makes it tick: a schedule, with an invocation that loops for a minute, or an Express state machine, with an
    /// invocation a tick
    #[arg(long, value_enum, default_value = "schedule")]
    driver: Driver,
    /// Seconds that the invocation, or the state machine, waits for its minute, from 0 to 60: it owns the one after its
    /// rule's event, and the second at which a rule fires is anybody's guess, so 30 on the mean
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = value_parser!(u32).range(0..=60))]
    wait: u32,
    /// Whether there is a table for the lease (`LEASE_TABLE`)
    #[arg(long, value_enum, default_value = "on")]
    lease: Switch,
    /// Whether the writer's own metrics are written (`SELF_METRICS`)
    #[arg(long, value_enum, default_value = "on")]
    self_metrics: Switch,
    /// What else is written, separated by commas (`EXTRA_METRICS`)
    #[arg(long, value_enum, value_delimiter = ',')]
    extra: Vec<Extra>,
    /// With --extra services: services in each cluster
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = value_parser!(u32).range(1..=5_000))]
    services: u32,
}

/// The subcommand of the metric writer alone.
#[derive(Clone, Debug, Args)]
pub(crate) struct Metrics {
    #[command(flatten)]
    writer: Writer,
    /// Alarms at 10 to 30 s, an alarm each metric that one watches
    #[arg(long, value_name = "N", default_value_t = 0)]
    alarms: u32,
    /// Dashboards
    #[arg(long, value_name = "N", default_value_t = 0)]
    dashboards: u32,
    /// The state machine of the published design: as published, or with nothing changed but its type
    #[arg(long, value_enum, default_value = "standard")]
    pub(crate) published: Machine,
    /// The page of the documentation: 1, 100 and 1,000 clusters at 5 and 1 s, every sink and driver, and formulas
    #[arg(long, conflicts_with_all = ["clusters", "period", "sink", "flush_seconds", "driver", "extra", "published"])]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) how: How,
}

/// Of the period; a minute is a multiple of each.
fn periods() -> impl TypedValueParser<Value = u32> {
    PossibleValuesParser::new(["1", "5", "10", "20", "30", "60"]).try_map(|seconds| seconds.parse::<u32>())
}

impl Writer {
    /// The settings; an error if some do not fit each other.
    pub(crate) fn settings(&self) -> Result<Settings, clap::Error> {
        let sink = match self.sink {
            SinkName::Put => Sink::Put,
            SinkName::Flush => Sink::Flush(self.flush_seconds),
            SinkName::Emf => Sink::Emf,
        };
        if self.sink == SinkName::Flush && self.driver == Driver::StateMachine {
            let reason = "--sink flush does not go with --driver state-machine: each tick is an invocation of its own, \
                          which keeps nothing for the next; allowed with it: --sink put, --sink emf";
            return Err(Options::command().error(ErrorKind::ArgumentConflict, reason));
        }
        let mut extras = self.extra.clone();
        extras.sort_unstable();
        extras.dedup();
        Ok(Settings {
            clusters: self.clusters,
            period: self.period,
            sink,
            driver: self.driver,
            wait: self.wait,
            lease: self.lease.is_on(),
            self_metrics: self.self_metrics.is_on(),
            extras,
            services: self.services,
            alarms: 0,
            dashboards: 0,
        })
    }
}

impl Metrics {
    /// The settings; an error if some do not fit each other.
    pub(crate) fn settings(&self) -> Result<Settings, clap::Error> {
        Ok(Settings { alarms: self.alarms, dashboards: self.dashboards, ..self.writer.settings()? })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SinkName {
    Put,
    Flush,
    Emf,
}
