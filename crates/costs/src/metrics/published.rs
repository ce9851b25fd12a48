//! The published design: a state machine for each cluster, started every minute, with one Parallel state whose branches
//! wait and then invoke the function; each invocation makes one `DescribeClusters` and one
//! `PutMetricData` for one cluster.

use clap::ValueEnum;

use super::{MACHINE_MEMORY, METRICS, month};
use crate::bill::Bill;
use crate::prices;
use crate::running::MEMORY;

/// Seconds an invocation is taken to run. Its article says about 0.25: that would be 0.11 $ a cluster more at 5 s.
pub const RUN: f64 = 0.150;
/// Seconds that an Express workflow lasts after its last wait: [`RUN`], rounded up to 100 ms.
const AFTER_LAST: f64 = 0.2;

/// The state machine's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Machine {
    /// As published: pays by the transition
    Standard,
    /// Pays by requests and duration
    Express,
}

/// State transitions of one execution: a Wait and a Task in each branch, and the Parallel state. The article counts one
/// more.
#[must_use]
pub fn transitions(ticks: u32) -> u32 {
    2 * ticks + 1
}

/// Its bill for so many clusters, with a sample every `period` seconds.
#[must_use]
pub fn bill(machine: Machine, clusters: u32, period: u32, free_tier: bool) -> Bill {
    let mut bill = Bill::new(free_tier);
    add_to(machine, clusters, period, &mut bill);
    bill
}

/// Adds its items.
pub fn add_to(machine: Machine, clusters: u32, period: u32, bill: &mut Bill) {
    let (all, ticks) = (f64::from(clusters), 60 / period);
    let runs = all * month(ticks);
    bill.add(format!("custom metrics, {METRICS} a cluster"), &prices::METRIC, all * f64::from(METRICS));
    bill.add("PutMetricData", &prices::PUT, runs);
    // Its article is older than Lambda's arm64.
    bill.add("Lambda duration", &prices::X86, runs * RUN * MEMORY);
    match machine {
        Machine::Standard => {
            bill.add("Standard workflow, transitions", &prices::TRANSITION, all * month(transitions(ticks)));
        }
        Machine::Express => {
            let seconds = f64::from(60 - period) + AFTER_LAST;
            bill.add("Express workflow, requests", &prices::EXPRESS, all * month(1));
            let duration = all * month(1) * seconds * MACHINE_MEMORY;
            bill.add("Express workflow, duration", &prices::EXPRESS_DURATION, duration);
        }
    }
    bill.add("Lambda requests", &prices::REQUEST, runs);
    bill.add("EventBridge rules", &prices::RULE, all * month(1));
}

/// Dollars of one cluster at 5 s by the article's own figures: 26 transitions a minute, about 250 ms an invocation.
#[must_use]
pub fn by_its_article() -> f64 {
    let ticks = month(12);
    prices::METRIC.of(f64::from(METRICS))
        + prices::PUT.of(ticks)
        + prices::X86.of(ticks * 0.250 * MEMORY)
        + prices::REQUEST.of(ticks)
        + prices::TRANSITION.of(month(26))
}
