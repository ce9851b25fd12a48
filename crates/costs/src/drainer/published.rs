//! The published design: a function that looks through the whole cluster, sleeps for five seconds and publishes the
//! message anew, until no task is left. Lambda is paid for the sleep.

use super::Settings;
use crate::bill::Bill;
use crate::prices;
use crate::running::{MEMORY, Use};

/// Rounds, and in how many seconds they were counted: each sleeps for five and makes its calls.
pub const ROUNDS: u32 = 56;
/// See [`ROUNDS`].
pub const COUNTED: u32 = 300;
/// Instances of a page of the cluster's list.
const PAGE: u32 = 100;

/// Rounds of a drain.
#[must_use]
pub fn rounds(seconds: u32) -> u32 {
    (seconds * ROUNDS).div_ceil(COUNTED)
}

/// Seconds that it runs in a drain: all the time.
#[must_use]
pub fn running(seconds: u32) -> f64 {
    f64::from(rounds(seconds) * COUNTED) / f64::from(ROUNDS)
}

/// Calls of a drain: the cluster's pages, a describe and a list a round, and the completion. 169 and 393 in 300 s with 50 and 500
/// instances.
#[must_use]
pub fn calls(seconds: u32, instances: u32) -> u32 {
    rounds(seconds) * (instances.div_ceil(PAGE) + 2) + 1
}

/// Adds its items. Lambda's recursion detection, which would end a drain after 16 rounds, is taken to be off.
pub fn add_to(settings: &Settings, bill: &mut Bill) {
    let seconds = settings.drain.seconds;
    let rounds = f64::from(rounds(seconds));
    let drain = Use {
        invocations: rounds,
        seconds: running(seconds),
        // Auto Scaling's message, and again after each round but the last.
        publishes: rounds,
        calls: calls(seconds, settings.instances).into(),
        ..Use::default()
    };
    // Its article is older than Lambda's arm64.
    (drain * f64::from(settings.drains)).add_to(bill, &prices::X86, MEMORY);
}

/// Its bill.
#[must_use]
pub fn bill(settings: &Settings, free_tier: bool) -> Bill {
    let mut bill = Bill::new(free_tier);
    add_to(settings, &mut bill);
    bill
}
