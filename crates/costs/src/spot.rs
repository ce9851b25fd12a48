//! What `spot-interruption` uses a month, and what that costs, with the drains that it asks for. Nothing here reads,
//! prints or rounds.

pub mod page;

use crate::bill::Bill;
use crate::drainer::Drain;
use crate::prices;
use crate::running::{CALL, HANDLING, MEMORY, Use};

/// Seconds that a spot instance has left.
const TIME: u32 = 120;
/// Seconds between two passes of its drain (`URGENT_INTERVAL_SECONDS`).
const INTERVAL: u32 = 15;
/// Calls one after another: the tag is read, target groups are left side by side, and the notice says so. 60 ms at 20 ms a call
/// (docs/spot-interruption.md, "Calls and permissions").
const IN_A_ROW: u32 = 3;

/// How many notices there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Notices a month.
    pub notices: u32,
    /// Target groups that an instance's tag names: three at most.
    pub groups: u32,
    /// Tasks on the instance.
    pub tasks: u32,
}

impl Settings {
    /// The drain of a notice.
    #[must_use]
    pub fn drain(&self) -> Drain {
        Drain { seconds: TIME, tasks: self.tasks, interval: INTERVAL }
    }

    /// Adds its items.
    pub fn add_to(&self, bill: &mut Bill) {
        let notice = Use {
            invocations: 1.0,
            seconds: HANDLING + f64::from(IN_A_ROW) * CALL,
            // The notice. The drain's request is the first of the drain's own.
            publishes: 1.0,
            events: 1.0,
            lines: f64::from(1 + self.groups),
            // The look, and a call a target group.
            calls: f64::from(1 + self.groups),
            ..Use::default()
        };
        ((notice + self.drain().used()) * f64::from(self.notices)).add_to(bill, &prices::ARM, MEMORY);
    }

    /// Its bill.
    #[must_use]
    pub fn bill(&self, free_tier: bool) -> Bill {
        let mut bill = Bill::new(free_tier);
        self.add_to(&mut bill);
        bill
    }
}
