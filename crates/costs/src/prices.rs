//! The prices: all of them, and nowhere else.
//!
//! Dollars in us-east-1 without tax, discounts or savings plans, as known on [`CHECKED`]. To bring them up to date, read the
//! pages named here, change the numbers and the date, and write the documentation anew (its first lines say how).

mod cloudwatch;
mod compute;
mod messages;

pub use cloudwatch::*;
pub use compute::*;
pub use messages::*;

use crate::bill::{Price, Tier};

/// Where these prices hold.
pub const REGION: &str = "us-east-1";
/// When they were last gone through, with what was then known of the pages.
pub const CHECKED: &str = "2026-11-21";

/// One price, however much is used.
const fn flat(dollars: f64) -> [Tier; 1] {
    [Tier { units: f64::INFINITY, dollars }]
}

/// All of them, in the order of the documentation.
pub static ALL: [&Price; 22] = [
    &METRIC,
    &PUT,
    &LOGS,
    &STORED,
    &USUAL_ALARM,
    &ALARM,
    &DASHBOARD,
    &ARM,
    &X86,
    &REQUEST,
    &TRANSITION,
    &EXPRESS,
    &EXPRESS_DURATION,
    &WRITE,
    &READ,
    &PUBLISH,
    &FILTER,
    &MAIL,
    &QUEUE,
    &RULE,
    &CALL,
    &LOOKUP,
];
