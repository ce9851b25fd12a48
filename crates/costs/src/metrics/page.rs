//! The bills of `ecs-metrics` and of the published design in words and tables.

mod notes;

use clap::ValueEnum;

use super::published::{self, Machine};
use super::{Driver, Extra, METRICS, Settings, Sink};
use crate::bill::{Bill, Item, Price};
use crate::prices::{self, CHECKED, REGION};
use crate::show::{Block, Grid, dollars, number, price};

/// The command that writes the page of the documentation.
pub const COMMAND: &str = "cargo run -p costs -- metrics --all --format markdown > docs/ecs-metrics-costs.md";

/// Clusters and periods that the documentation shows.
const CLUSTERS: [u32; 3] = [1, 100, 1_000];
const PERIODS: [u32; 2] = [5, 1];
/// Clusters of its detailed tables.
const EXAMPLE: u32 = 100;

/// One deployment, item by item.
#[must_use]
pub fn one(settings: &Settings, machine: Machine) -> Vec<Block> {
    let title = format!("ecs-metrics, {}: {}", size(settings), design(settings));
    let intro = format!(
        "Dollars a month of 30 days in {REGION}, at the prices of {CHECKED}, {} free tier.",
        if settings.free_tier { "with the" } else { "without" }
    );
    let mut blocks = vec![Block::Title(title), Block::Text(intro)];
    blocks.extend(items(settings, machine));
    blocks
}

/// The page of the documentation. The settings' clusters, period, sink, driver and extras are the page's own.
#[must_use]
pub fn all(settings: &Settings) -> Vec<Block> {
    let example = Settings { clusters: EXAMPLE, period: 5, ..settings.clone() };
    let heading = |text: String| Block::Heading(text);
    let mut blocks = vec![
        Block::Title("What ecs-metrics costs".to_owned()),
        Block::Text("This page is what a program prints. To write it anew:".to_owned()),
        Block::Command(COMMAND.to_owned()),
        Block::Text(
            "`cargo run -p costs -- metrics --clusters 20 --period 10 --sink flush` prints one deployment item by item; \
             `--help` says what else it can be told."
                .to_owned(),
        ),
        Block::Text(notes::assumptions(settings)),
        heading("By design".to_owned()),
        Block::Text("Dollars a month, for so many clusters at so many seconds from one tick to the next.".to_owned()),
        Block::Grid(designs(settings)),
        Block::List(notes::reading(settings)),
        heading(format!("Item by item: {}, {}", size(&example), design(&example))),
    ];
    blocks.extend(items(&example, Machine::Standard));
    blocks.extend([
        heading("Opt-in metrics".to_owned()),
        Block::Text(format!(
            "What each adds to the bill of {}, in dollars a month; `services` with {} a cluster.",
            size(&example),
            example.services
        )),
        Block::Grid(extras(&example)),
        heading("How it is counted".to_owned()),
        Block::List(notes::formulas()),
        heading("Prices".to_owned()),
        Block::Text(format!(
            "Dollars in {REGION}, as known on {CHECKED}. The pages named have those of today; what differs is changed in \
             `crates/costs/src/prices.rs`."
        )),
        Block::Grid(list()),
        heading("Not counted".to_owned()),
        Block::List(notes::not_counted()),
    ]);
    blocks
}

/// `100 clusters every 5 s`.
fn size(settings: &Settings) -> String {
    let plural = if settings.clusters == 1 { "" } else { "s" };
    format!("{} cluster{plural} every {} s", number(settings.clusters.into(), 0), settings.period)
}

/// `schedule, put`.
fn design(settings: &Settings) -> String {
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
fn designs(settings: &Settings) -> Grid {
    let sizes: Vec<(u32, u32)> =
        PERIODS.iter().flat_map(|period| CLUSTERS.map(|clusters| (clusters, *period))).collect();
    let row = |name: String, total: &dyn Fn(u32, u32) -> f64| {
        let totals = sizes.iter().map(|(clusters, period)| dollars(total(*clusters, *period)));
        std::iter::once(name).chain(totals).collect::<Vec<_>>()
    };
    let published = |machine: Machine| {
        move |clusters, period| published::bill(machine, clusters, period, settings.free_tier).total()
    };
    let mut rows = vec![row("the four metrics alone".to_owned(), &|clusters, _| {
        let mut bill = Bill::new(settings.free_tier);
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
        rows.push(row(design(&of(1, 1)), &|clusters, period| of(clusters, period).bill().total()));
    }
    rows.push(row("published design".to_owned(), &published(Machine::Standard)));
    rows.push(row("published design, its machines Express".to_owned(), &published(Machine::Express)));
    let names =
        sizes.iter().map(|(clusters, period)| format!("#{} / {period} s", number((*clusters).into(), 0)));
    Grid { header: std::iter::once("clusters / period".to_owned()).chain(names).collect(), rows }
}

/// A bill beside the published design's, and what there is to say about it.
fn items(settings: &Settings, machine: Machine) -> Vec<Block> {
    let ours = settings.bill();
    let theirs = published::bill(machine, settings.clusters, settings.period, settings.free_tier);
    let missing = theirs.items.iter().filter(|item| find(&ours, &item.name).is_none());
    let row = |item: &Item| {
        let (mine, other) = (find(&ours, &item.name), find(&theirs, &item.name));
        let asked = match (mine, other) {
            (Some(mine), Some(other)) if mine.price != other.price => {
                format!("{}; published {}", rate(mine.price), rate(other.price))
            }
            _ => rate(item.price),
        };
        let cells = [mine, other].into_iter().flat_map(|item| match item {
            Some(item) => [units(item), dollars(item.dollars)],
            None => [String::new(), String::new()],
        });
        [item.name.clone(), asked].into_iter().chain(cells).collect::<Vec<_>>()
    };
    let mut rows: Vec<Vec<String>> = ours.items.iter().chain(missing).map(row).collect();
    let (mine, other) = (ours.total(), theirs.total());
    let clusters = f64::from(settings.clusters);
    for (name, mine, other) in [("total", mine, other), ("a cluster", mine / clusters, other / clusters)] {
        let (mine, other) = (dollars(mine), dollars(other));
        rows.push(vec![name.to_owned(), String::new(), String::new(), mine, String::new(), other]);
    }
    let header = ["item", "price", "#ecs-metrics", "#$", "#published design", "#$"];
    let header = header.map(str::to_owned).to_vec();
    vec![Block::Grid(Grid { header, rows }), Block::Text(notes::wait(settings))]
}

fn find<'b>(bill: &'b Bill, name: &str) -> Option<&'b Item> {
    bill.items.iter().find(|item| item.name == name)
}

/// `518,400 calls`.
fn units(item: &Item) -> String {
    let decimals = if item.units.fract() > 0.0 && item.units < 1_000.0 { 2 } else { 0 };
    format!("{} {}", number(item.units, decimals), item.price.unit)
}

/// `0.01 $ a 1,000 calls`; from the first tier to the last where there are some.
fn rate(of: &Price) -> String {
    match of.tiers {
        [tier] if tier.dollars <= 0.0 => "free".to_owned(),
        [first, .., last] => format!("{} to {} $ {}", price(first.dollars), price(last.dollars), of.each),
        [tier] => format!("{} $ {}", price(tier.dollars), of.each),
        [] => String::new(),
    }
}

/// What each extra adds.
fn extras(settings: &Settings) -> Grid {
    let sinks = [Sink::Put, Sink::Flush(10), Sink::Emf];
    let row = |extra: &Extra| {
        let added = sinks.map(|sink| {
            let without = Settings { sink, ..settings.clone() };
            let with = Settings { extras: vec![*extra], ..without.clone() };
            dollars(with.bill().total() - without.bill().total())
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

/// The prices.
fn list() -> Grid {
    let row = |of: &&Price| {
        let last = of.tiers.len().saturating_sub(1);
        let tiers = of.tiers.iter().enumerate().map(|(at, tier)| {
            let room = number(tier.units, 0);
            match at {
                0 if last == 0 => price(tier.dollars),
                0 => format!("{} for the first {room} {}", price(tier.dollars), of.unit),
                at if at == last => format!("{} for the rest", price(tier.dollars)),
                _ => format!("{} for the next {room}", price(tier.dollars)),
            }
        });
        let free = if of.free > 0.0 { format!("{} {}", number(of.free, 0), of.unit) } else { String::new() };
        let tiers = tiers.collect::<Vec<_>>().join(", ");
        vec![of.name.to_owned(), of.each.to_owned(), tiers, free, of.page.to_owned()]
    };
    let header = ["price", "for", "$", "free a month", "page"].map(str::to_owned).to_vec();
    Grid { header, rows: prices::ALL.iter().map(row).collect() }
}
