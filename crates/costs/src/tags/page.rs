//! The bills of `tag-policy` and of the published design in words and tables.

use super::{INSTANCE, INSTANCE_CPU, LAUNCH, MEMORY, PACE, PAGE_SECONDS, RUN, Settings, WRITES, published};
use crate::page::{PUBLISHED, compare, intro};
use crate::show::{Block, Grid, NUMBER, dollars, number};

/// Instances that the documentation shows.
const INSTANCES: [u32; 3] = [1_000, 10_000, 100_000];

/// One deployment, item by item.
#[must_use]
pub fn one(settings: &Settings, free_tier: bool) -> Vec<Block> {
    let (ours, theirs) = (settings.bill(free_tier), published::bill(settings, free_tier));
    vec![
        Block::Title(format!("tag-policy, {}", size(settings))),
        intro(free_tier),
        Block::Grid(compare("tag-policy", "", &ours, &theirs)),
        Block::Text(format!("A run takes {:.1} s.", settings.run())),
    ]
}

/// `720 runs over 1,000 instances, 100 launches`.
pub(crate) fn size(settings: &Settings) -> String {
    let [runs, instances, launches] =
        [settings.runs, settings.instances, settings.launches].map(|count| number(count.into(), 0));
    format!("{runs} runs over {instances} instances, {launches} launches")
}

/// By instances.
pub(crate) fn grid(settings: &Settings, free_tier: bool) -> Grid {
    let row = |instances: u32| {
        let settings = Settings { instances, ..settings.clone() };
        vec![
            number(instances.into(), 0),
            settings.pages().0.to_string(),
            number(settings.run(), 1),
            dollars(settings.bill(free_tier).total()),
            dollars(published::bill(&settings, free_tier).total()),
        ]
    };
    let header = ["instances", "pages", "seconds a run", "tag-policy, $", &format!("{PUBLISHED}, $")];
    Grid { header: header.map(|name| format!("{NUMBER}{name}")).to_vec(), rows: INSTANCES.map(row).to_vec() }
}

/// The formulas.
pub(crate) fn formulas() -> [String; 3] {
    [
        format!(
            "tag-policy, a run: a page of a thousand instances {PAGE_SECONDS} s (an assumption: nobody can measure it without an \
             account), beyond ten pages zone by zone, six side by side; {RUN} calls besides, {PACE} s a look-up, and {:.0} µs \
             an instance ({:.0} µs of CPU, [benchmarks.md](benchmarks.md), at a seventh of a core); {:.0} MB on arm64. A launch: \
             {LAUNCH} calls.",
            INSTANCE * 1e6,
            INSTANCE_CPU * 1e6,
            MEMORY * 1_024.0
        ),
        format!(
            "tag-policy, tables and messages: a read of the rules and {WRITES} writes (lock and end) each time, a read and a write \
             a look-up; items of up to 1 KB. Every run and every launch is taken to have something to report."
        ),
        "Published tag policy: a run as above, though it reads one page only; for each launch three calls that write a tag, and a \
         look-up of half a second. No launch events. Its CPU is taken to be the same, for want of a \
         measurement, which favours it."
            .to_owned(),
    ]
}
