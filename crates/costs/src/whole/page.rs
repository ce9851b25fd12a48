//! The bill of all functions in words and tables.

mod notes;

use super::{PARTS, SPOT, STACK, Settings};
use crate::bill::Bill;
use crate::page::{PUBLISHED, alone, compare, intro, prices, sum};
use crate::prices::{CHECKED, REGION};
use crate::show::{Block, Grid, NUMBER, dollars, number};
use crate::{drainer, metrics, spot, tags};

/// The command that writes the page of the documentation.
pub const COMMAND: &str = "cargo run --bin costs -- --all --format markdown > docs/costs.md";

/// One deployment, item by item.
#[must_use]
pub fn one(settings: &Settings, free_tier: bool) -> Vec<Block> {
    let mut blocks = vec![Block::Title(format!("Fleetkeeper, {}", size(settings))), intro(free_tier)];
    blocks.extend(parts(settings, free_tier));
    blocks.push(Block::Part("together".to_owned()));
    blocks.push(Block::Grid(fleets(&[("this one", settings.clone())], free_tier)));
    blocks
}

/// The page of the documentation. All that says how large a fleet is, is the page's own.
#[must_use]
pub fn all(settings: &Settings, free_tier: bool) -> Vec<Block> {
    let fleets = examples(settings);
    let [_, (_, middle), _] = &fleets;
    let heading = |text: &str| Block::Heading(text.to_owned());
    let mut blocks = vec![
        Block::Title("What it costs".to_owned()),
        Block::Text("This page is what a program prints. To write it anew:".to_owned()),
        Block::Command(COMMAND.to_owned()),
        Block::Text(
            "`cargo run --bin costs -- --clusters 20 --drains 500` prints one deployment item by item, and one function alone with \
             `metrics`, `drainer`, `tags` or `spot`; `--help` says what else it can be told."
                .to_owned(),
        ),
        intro(free_tier),
        heading("Three fleets"),
        Block::List(fleets.iter().map(|(name, settings)| format!("{name}: {}.", size(settings))).collect()),
        Block::Grid(self::fleets(&fleets, free_tier)),
        Block::List(notes::reading(&fleets, free_tier)),
        heading("Item by item: the middle one"),
    ];
    blocks.extend(parts(middle, free_tier));
    blocks.extend([
        heading("Drains"),
        Block::Text(format!(
            "Dollars a month, in a cluster of {} instances, where no tasks stop elsewhere.",
            number(middle.drainer.instances.into(), 0)
        )),
        Block::Grid(drainer::page::grid(&middle.drainer, free_tier)),
        Block::List(notes::drains(&middle.drainer, free_tier)),
        heading("Tag runs"),
        Block::Text(format!("Dollars a month, for {} runs and {} launches.", middle.tags.runs, number(middle.tags.launches.into(), 0))),
        Block::Grid(tags::page::grid(&middle.tags, free_tier)),
        heading("Metrics"),
        Block::Text(format!(
            "By clusters, period, driver and sink, with all formulas: [ecs-metrics-costs.md](ecs-metrics-costs.md). Here it is {}.",
            metrics::page::design(&middle.metrics)
        )),
        heading("How it is counted"),
        Block::List(notes::formulas(settings)),
        heading("Prices"),
        Block::Text(format!(
            "Dollars in {REGION}, as known on {CHECKED}. The pages named have those of today; what differs is changed in \
             `crates/costs/src/prices/`."
        )),
        Block::Grid(prices()),
        heading("Not counted"),
        Block::List(notes::not_counted()),
    ]);
    blocks
}

/// `10 clusters every 5 s, 500 instances, …`.
fn size(settings: &Settings) -> String {
    format!(
        "{}, {}, {}, {}",
        metrics::page::size(&settings.metrics),
        drainer::page::size(&settings.drainer),
        tags::page::size(&settings.tags),
        spot::page::size(&settings.spot)
    )
}

/// Three fleets with what else the settings say.
fn examples(settings: &Settings) -> [(&'static str, Settings); 3] {
    // Clusters, instances, drains and launches a month, tasks that stop elsewhere an hour, notices a month.
    [
        ("small", [1, 20, 100, 100, 10]),
        ("middle", [10, 500, 2_000, 1_000, 100]),
        ("large", [100, 10_000, 20_000, 10_000, 2_000]),
    ]
    .map(|(name, [clusters, instances, drains, task_events, notices])| {
        let mut fleet = settings.clone();
        fleet.metrics.clusters = clusters;
        (fleet.drainer.instances, fleet.drainer.drains) = (instances.div_ceil(clusters), drains);
        fleet.drainer.task_events = task_events;
        (fleet.tags.instances, fleet.tags.launches) = (instances, drains);
        fleet.spot.notices = notices;
        (name, fleet)
    })
}

/// The parts of each fleet's bill, beside the published designs'.
fn fleets(fleets: &[(&str, Settings)], free_tier: bool) -> Grid {
    let both = |free_tier| -> Vec<Bill> {
        let pair = |settings: &Settings| [settings.bill(free_tier), settings.published(free_tier)];
        fleets.iter().flat_map(|(_, settings)| pair(settings)).collect()
    };
    let bills = both(free_tier);
    let totals = |name: &str, bills: &[Bill]| {
        std::iter::once(name.to_owned()).chain(bills.iter().map(|bill| dollars(bill.total()))).collect()
    };
    let row = |part: &str| {
        let cells = bills.iter().map(|bill| match bill.of(part).next() {
            Some(_) => dollars(sum(bill, part)),
            None => String::new(),
        });
        std::iter::once(part.to_owned()).chain(cells).collect::<Vec<_>>()
    };
    let mut rows: Vec<_> = PARTS.iter().map(|part| row(part)).collect();
    rows.push(totals("total", &bills));
    if !free_tier {
        rows.push(totals("total with the free tier", &both(true)));
    }
    let names =
        fleets.iter().flat_map(|(name, _)| [format!("{NUMBER}{name}"), format!("{NUMBER}{PUBLISHED}")]);
    Grid { header: std::iter::once("part".to_owned()).chain(names).collect(), rows }
}

/// A table a part.
fn parts(settings: &Settings, free_tier: bool) -> Vec<Block> {
    let (ours, theirs) = (settings.bill(free_tier), settings.published(free_tier));
    let table = |part: &&str| {
        let grid = match *part {
            SPOT => alone(part, part, &ours),
            STACK => compare("Fleetkeeper", part, &ours, &theirs),
            _ => compare(part, part, &ours, &theirs),
        };
        [Block::Part((*part).to_owned()), Block::Grid(grid)]
    };
    PARTS.iter().flat_map(table).collect()
}
