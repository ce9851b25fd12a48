//! What `tag-policy` uses a month, and what that costs. Nothing here reads, prints or rounds.

pub mod page;
pub mod published;

use crate::bill::Bill;
use crate::prices;
use crate::running::{CALL, HANDLING, Use};

/// GB of the function: a fleet's answers are large.
pub const MEMORY: f64 = 0.25;
/// Instances of a page.
const PAGE: u32 = 1_000;
/// Pages in a row; a larger fleet is then read zone by zone, side by side.
const PAGES: u32 = 10;
/// Zones of us-east-1, each of which may have a page that is not full.
const ZONES: u32 = 6;
/// Seconds of a page of a thousand instances, some megabytes. Without an account nobody can measure that.
pub const PAGE_SECONDS: f64 = 0.5;
/// Seconds of CPU that a run takes for each instance: measured, docs/benchmarks.md ("Tags").
pub const INSTANCE_CPU: f64 = 0.000_04;
/// Seconds that this takes at a seventh of a core, rounded.
pub const INSTANCE: f64 = 0.000_28;
/// Seconds from one look-up to the next (docs/tag-policy.md, "Who launched it"): nobody waits for the answers elsewhere.
pub const PACE: f64 = 0.6;

/// Calls of a run besides its pages: the rules, the lock, two that write, the report, the end. docs/tag-policy.md, "What it
/// costs in calls"; crates/tag-policy/tests/runs/calls.rs has 22 calls with ten pages, eight of them writing six thousand tags.
pub const RUN: u32 = 6;
/// Calls of a launch: the rules, the lock, the instance, its tags, the report, the end (docs/tag-policy.md, and
/// crates/tag-policy/tests/runs/launches.rs by name).
pub const LAUNCH: u32 = 6;
/// Writes to the state table of a run or a launch: the lock, and the end.
pub const WRITES: u32 = 2;

/// How much there is to tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Instances in scope.
    pub instances: u32,
    /// Runs a month.
    pub runs: u32,
    /// Launches a month, of one instance each, which has none of the three published tags.
    pub launches: u32,
    /// Look-ups in CloudTrail of each run: launches that no event told of.
    pub lookups: u32,
    /// Mail addresses that get the reports.
    pub addresses: u32,
}

impl Settings {
    /// Pages of a run, and how many of them come one after another.
    #[must_use]
    pub fn pages(&self) -> (u32, u32) {
        let pages = self.instances.div_ceil(PAGE).max(1);
        if pages <= PAGES {
            return (pages, pages);
        }
        // The list of the zones is a call as well, and no page.
        (PAGES + pages + ZONES, PAGES + pages.div_ceil(ZONES) + 1)
    }

    /// Seconds of a run.
    #[must_use]
    pub fn run(&self) -> f64 {
        let (_, in_a_row) = self.pages();
        HANDLING
            + f64::from(in_a_row) * PAGE_SECONDS
            + f64::from(RUN) * CALL
            + f64::from(self.lookups) * PACE
            + f64::from(self.instances) * INSTANCE
    }

    /// Reports: a run and a launch have each something to say.
    pub(crate) fn reports(&self) -> f64 {
        f64::from(self.runs) + f64::from(self.launches)
    }

    /// Adds its items.
    pub fn add_to(&self, bill: &mut Bill) {
        let (runs, launches) = (f64::from(self.runs), f64::from(self.launches));
        let lookups = runs * f64::from(self.lookups);
        let (pages, _) = self.pages();
        let run = Use {
            invocations: 1.0,
            seconds: self.run(),
            publishes: 1.0,
            events: 1.0,
            lines: 1.0,
            // Without rules, lock, report and end, which have prices of their own.
            calls: f64::from(pages + RUN - 4),
            ..Use::default()
        };
        let launch =
            Use { seconds: HANDLING + f64::from(LAUNCH) * CALL, calls: f64::from(LAUNCH - 4), ..run };
        (run * runs + launch * launches).add_to(bill, &prices::ARM, MEMORY);
        // The rules are one read; what a look-up found is one write, and one read before, in case it was known.
        bill.add("DynamoDB, reads", &prices::READ, self.reports() + lookups);
        bill.add("DynamoDB, writes", &prices::WRITE, self.reports() * f64::from(WRITES) + lookups);
        bill.add("reports by mail", &prices::MAIL, self.reports() * f64::from(self.addresses));
        bill.add("CloudTrail look-ups", &prices::LOOKUP, lookups);
    }

    /// Its bill.
    #[must_use]
    pub fn bill(&self, free_tier: bool) -> Bill {
        let mut bill = Bill::new(free_tier);
        self.add_to(&mut bill);
        bill
    }
}
