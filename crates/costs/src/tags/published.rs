//! The published design: a function that, once a run, reads all instances and makes a call for each tag that one lacks, and
//! a look-up for each instance that was launched since. It knows no launch events.

use super::{MEMORY, Settings};
use crate::bill::Bill;
use crate::prices;
use crate::running::{CALL, Use};

/// Tags that an instance lacks when it is launched.
const TAGS: u32 = 3;
/// Seconds that a look-up waits for its turn: CloudTrail allows an account two a second.
const LOOKUP: f64 = 0.5;

/// Adds its items. It is taken to read all pages, which it does not, as fast as the function here.
pub fn add_to(settings: &Settings, bill: &mut Bill) {
    let (runs, launches) = (f64::from(settings.runs), f64::from(settings.launches));
    let (pages, _) = settings.pages();
    let run = Use {
        invocations: 1.0,
        seconds: Settings { lookups: 0, ..settings.clone() }.run(),
        publishes: 1.0,
        events: 1.0,
        calls: f64::from(pages),
        ..Use::default()
    };
    let launch = Use { seconds: f64::from(TAGS) * CALL + LOOKUP, calls: f64::from(TAGS), ..Use::default() };
    // Its article is older than Lambda's arm64.
    (run * runs + launch * launches).add_to(bill, &prices::X86, MEMORY);
    bill.add("DynamoDB, reads", &prices::READ, runs);
    bill.add("reports by mail", &prices::MAIL, runs * f64::from(settings.addresses));
    bill.add("CloudTrail look-ups", &prices::LOOKUP, launches);
}

/// Its bill.
#[must_use]
pub fn bill(settings: &Settings, free_tier: bool) -> Bill {
    let mut bill = Bill::new(free_tier);
    add_to(settings, &mut bill);
    bill
}
