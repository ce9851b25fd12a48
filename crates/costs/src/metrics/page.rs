//! The bills of `ecs-metrics` and of the published design in words and tables.

mod notes;

use clap::ValueEnum;

use super::published::{self, Machine};
use super::{Driver, Extra, METRICS, Settings, Sink};
use crate::bill::Bill;
use crate::page::{compare, intro, sums};
use crate::prices;
use crate::show::{Block, Grid, dollars, number};

/// The command that writes the page of the documentation.
pub const COMMAND: &str =
    "cargo run --bin costs -- metrics --all --format markdown > docs/ecs-metrics-costs.md";

/// Clusters and periods that the documentation shows.
const CLUSTERS: [u32; 3] = [1, 100, 1_000];
const PERIODS: [u32; 2] = [5, 1];
/// Clusters of its detailed tables.
const EXAMPLE: u32 = 100;

/// One deployment, item by item.
#[must_use]
pub fn one(settings: &Settings, machine: Machine, free_tier: bool) -> Vec<Block> {
    let title = format!("ecs-metrics, {}: {}", size(settings), design(settings));
    let mut blocks = vec![Block::Title(title), intro(free_tier)];
    blocks.extend(items(settings, machine, free_tier));
    blocks
}

/// The page of the documentation. The settings' clusters, period, sink, driver and extras are the page's own.
#[must_use]
pub fn all(settings: &Settings, free_tier: bool) -> Vec<Block> {
    let example = Settings { clusters: EXAMPLE, period: 5, ..settings.clone() };
    let heading = |text: String| Block::Heading(text);
    let mut blocks = vec![
        Block::Title("What ecs-metrics costs".to_owned()),
        Block::Text("This page is what a program prints. To write it anew:".to_owned()),
        Block::Command(COMMAND.to_owned()),
        Block::Text(
            "`cargo run --bin costs -- metrics --clusters 20 --period 10 --sink flush` prints one deployment item by item; \
             `--help` says what else it can be told."
                .to_owned(),
        ),
        Block::Text(notes::assumptions(settings, free_tier)),
        heading("By design".to_owned()),
        Block::Text("Dollars a month, for so many clusters at so many seconds from one tick to the next.".to_owned()),
        Block::Grid(designs(settings, free_tier)),
        Block::List(notes::reading(settings, free_tier)),
        heading(format!("Item by item: {}, {}", size(&example), design(&example))),
    ];
    blocks.extend(items(&example, Machine::Standard, free_tier));
    blocks.extend([
        heading("Opt-in metrics".to_owned()),
        Block::Text(format!(
            "What each adds to the bill of {}, in dollars a month; `services` with {} a cluster.",
            size(&example),
            example.services
        )),
        Block::Grid(extras(&example, free_tier)),
        heading("How it is counted".to_owned()),
        Block::List(notes::formulas()),
        Block::Text(
            "The prices, with their date and pages, and the bill of all functions together: [costs.md](costs.md).".to_owned(),
        ),
        heading("Not counted".to_owned()),
        Block::List(notes::not_counted()),
    ]);
    blocks
}

/// `100 clusters every 5 s`.
pub(crate) fn size(settings: &Settings) -> String {
    let plural = if settings.clusters == 1 { "" } else { "s" };
    format!("{} cluster{plural} every {} s", number(settings.clusters.into(), 0), settings.period)
}

/// `schedule, put`.
pub(crate) fn design(settings: &Settings) -> String {
    let driver = match settings.driver {
        Driver::Schedule => "schedule",
        Driver::StateMachine => "state machine",
    };
    match settings.sink {
        Sink::Put => format!("{driver}, put"),
        Sink::Flush(seconds) => format!("{driver}, flush every {seconds} s"),
        Sink::Emf => format!("{driver}, emf"),
    }
}

/// The designs, by clusters and period.
fn designs(settings: &Settings, free_tier: bool) -> Grid {
    let sizes: Vec<(u32, u32)> =
        PERIODS.iter().flat_map(|period| CLUSTERS.map(|clusters| (clusters, *period))).collect();
    let row = |name: String, total: &dyn Fn(u32, u32) -> f64| {
        let totals = sizes.iter().map(|(clusters, period)| dollars(total(*clusters, *period)));
        std::iter::once(name).chain(totals).collect::<Vec<_>>()
    };
    let published = |machine: Machine| {
        move |clusters, period| published::bill(machine, clusters, period, free_tier).total()
    };
    let mut rows = vec![row("the four metrics alone".to_owned(), &|clusters, _| {
        let mut bill = Bill::new(free_tier);
        bill.add("metrics", &prices::METRIC, f64::from(clusters * METRICS));
        bill.total()
    })];
    for (driver, sink) in [
        (Driver::Schedule, Sink::Put),
        (Driver::Schedule, Sink::Flush(10)),
        (Driver::Schedule, Sink::Emf),
        (Driver::StateMachine, Sink::Put),
        (Driver::StateMachine, Sink::Emf),
    ] {
        let of = |clusters, period| Settings { clusters, period, sink, driver, ..settings.clone() };
        rows.push(row(design(&of(1, 1)), &|clusters, period| of(clusters, period).bill(free_tier).total()));
    }
    rows.push(row("published design".to_owned(), &published(Machine::Standard)));
    rows.push(row("published design, its machines Express".to_owned(), &published(Machine::Express)));
    let names =
        sizes.iter().map(|(clusters, period)| format!("#{} / {period} s", number((*clusters).into(), 0)));
    Grid { header: std::iter::once("clusters / period".to_owned()).chain(names).collect(), rows }
}

/// A bill beside the published design's, and what there is to say about it.
fn items(settings: &Settings, machine: Machine, free_tier: bool) -> Vec<Block> {
    let ours = settings.bill(free_tier);
    let theirs = published::bill(machine, settings.clusters, settings.period, free_tier);
    let mut grid = compare("ecs-metrics", "", &ours, &theirs);
    let clusters = f64::from(settings.clusters);
    grid.rows.push(sums("a cluster", ours.total() / clusters, theirs.total() / clusters));
    vec![Block::Grid(grid), Block::Text(notes::wait(settings, free_tier))]
}

/// What each extra adds.
fn extras(settings: &Settings, free_tier: bool) -> Grid {
    let sinks = [Sink::Put, Sink::Flush(10), Sink::Emf];
    let row = |extra: &Extra| {
        let added = sinks.map(|sink| {
            let without = Settings { sink, ..settings.clone() };
            let with = Settings { extras: vec![*extra], ..without.clone() };
            dollars(with.bill(free_tier).total() - without.bill(free_tier).total())
        });
        let name = extra.to_possible_value().map(|value| format!("`{}`", value.get_name()));
        let often = if *extra == Extra::LaunchTypes { "each tick" } else { "once a minute" };
        let metrics = number(extra.metrics(settings.services).into(), 0);
        [name.unwrap_or_default(), often.to_owned(), metrics].into_iter().chain(added).collect::<Vec<_>>()
    };
    let names = sinks.map(|sink| format!("#{}", design(&Settings { sink, ..settings.clone() })));
    let header = ["extra", "written", "#metrics a cluster"].map(str::to_owned).into_iter().chain(names);
    Grid { header: header.collect(), rows: Extra::value_variants().iter().map(row).collect() }
}
