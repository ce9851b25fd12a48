//! All functions and what comes with them: one bill, in parts, whose free tier is taken off once.

pub mod page;

use crate::bill::Bill;
use crate::metrics::published::Machine;
use crate::{drainer, metrics, spot, stack, tags};

/// The parts, in the order of the bill.
pub const METRICS: &str = "ecs-metrics";
/// See [`METRICS`].
pub const DRAINER: &str = "ecs-drainer";
/// See [`METRICS`].
pub const TAGS: &str = "tag-policy";
/// See [`METRICS`].
pub const SPOT: &str = "spot-interruption";
/// See [`METRICS`].
pub const STACK: &str = "alarms, dashboard, logs";
/// All of them.
pub const PARTS: [&str; 5] = [METRICS, DRAINER, TAGS, SPOT, STACK];

/// A deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The metric writer.
    pub metrics: metrics::Settings,
    /// The drainer.
    pub drainer: drainer::Settings,
    /// The tag policy.
    pub tags: tags::Settings,
    /// Spot notices.
    pub spot: spot::Settings,
    /// What comes with them.
    pub stack: stack::Settings,
}

impl Settings {
    /// The bill, in [`PARTS`].
    #[must_use]
    pub fn bill(&self, free_tier: bool) -> Bill {
        let mut bill = Bill::new(free_tier);
        bill.begin(METRICS);
        self.metrics.add_to(&mut bill);
        bill.begin(DRAINER);
        self.drainer.add_to(&mut bill);
        bill.begin(TAGS);
        self.tags.add_to(&mut bill);
        bill.begin(SPOT);
        self.spot.add_to(&mut bill);
        bill.begin(STACK);
        self.stack.add_to(&mut bill);
        bill
    }

    /// The published designs' bill, in the same parts. They have nothing for spot notices, no alarms and no dashboard.
    #[must_use]
    pub fn published(&self, free_tier: bool) -> Bill {
        let mut bill = Bill::new(free_tier);
        bill.begin(METRICS);
        let (clusters, period) = (self.metrics.clusters, self.metrics.period);
        metrics::published::add_to(Machine::Standard, clusters, period, &mut bill);
        bill.begin(DRAINER);
        drainer::published::add_to(&self.drainer, &mut bill);
        bill.begin(TAGS);
        tags::published::add_to(&self.tags, &mut bill);
        bill.begin(STACK);
        stack::logs(&mut bill, self.stack.log_days);
        bill
    }
}
