//! What both ways of reading metrics share: periods, windows of time, and what is kept for how long.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html>

use std::{collections::BTreeMap, time::Duration};

use super::{Date, invalid};
use crate::{
    error::ApiError,
    world::{
        World,
        metrics::{Datum, Metric, Summary},
    },
};

/// The statistics that there are here; percentiles are not.
pub(super) const STATISTICS: [&str; 5] = ["SampleCount", "Average", "Sum", "Minimum", "Maximum"];

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// One of the five statistics.
pub(super) fn statistic(summary: &Summary, name: &str) -> f64 {
    match name {
        "SampleCount" => summary.samples,
        "Sum" => summary.sum,
        "Minimum" => summary.minimum,
        "Maximum" => summary.maximum,
        _ => summary.sum / summary.samples,
    }
}

/// A period in milliseconds: 1, 5, 10, 20, 30 or a multiple of 60 seconds.
pub(super) fn period(parameter: &str, seconds: i64) -> Result<u64, ApiError> {
    let is_period = matches!(seconds, 1 | 5 | 10 | 20 | 30) || (seconds > 0 && seconds % 60 == 0);
    let period = u64::try_from(seconds).ok().filter(|_| is_period);
    period.and_then(|period| period.checked_mul(SECOND)).ok_or_else(|| invalid(parameter, seconds))
}

/// The time that is asked for, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// Included.
    pub(super) from: u64,
    /// Not included.
    pub(super) to: u64,
    now: u64,
}

impl Window {
    /// The window between two dates; none when it is empty or no dates are.
    pub(super) fn new(world: &World, from: Date, to: Date) -> Option<Self> {
        let now = u64::try_from(world.calendar.since_epoch(world.now).as_millis()).unwrap_or(u64::MAX);
        let (from, to) = (from.milliseconds()?, to.milliseconds()?);
        (from < to).then_some(Self { from, to, now })
    }

    /// How many periods it has.
    pub(super) fn periods(self, period: u64) -> u64 {
        (self.to - self.from) / period
    }

    /// Where the first period begins: at a whole period, or for long ones at a whole minute, and the coarser
    /// the longer ago.
    fn start(self, period: u64) -> u64 {
        let age = self.now.saturating_sub(self.from);
        let step = if period < MINUTE {
            period
        } else if age < 15 * DAY {
            MINUTE
        } else if age < 63 * DAY {
            5 * MINUTE
        } else {
            HOUR
        };
        self.from / step * step
    }

    /// What a metric's data come to, period by period, units apart.
    pub(super) fn read(
        self,
        world: &World,
        metric: &Metric,
        period: u64,
        unit: Option<&str>,
    ) -> BTreeMap<(u64, &'static str), Summary> {
        let start = self.start(period);
        let mut found = BTreeMap::new();
        for datum in world.metrics.of(metric) {
            let at = kept_at(&datum);
            let is_asked = unit.is_none_or(|unit| unit == datum.unit) && (start..self.to).contains(&at);
            if is_asked && is_kept(&datum, self.now.saturating_sub(at), period) {
                let begins = start + (at - start) / period * period;
                found.entry((begins, datum.unit)).or_insert(Summary::EMPTY).add(datum.values);
            }
        }
        found
    }
}

/// When CloudWatch thinks that a datum was: of standard resolution only the minute is kept.
fn kept_at(datum: &Datum<'_>) -> u64 {
    let at = u64::try_from(datum.timestamp.as_millis()).unwrap_or(u64::MAX);
    let step = if datum.resolution == 1 { SECOND } else { MINUTE };
    at / step * step
}

/// Whether a datum of this age is there in periods of this length: seconds are kept for 3 hours and only of
/// high resolution, minutes for 15 days, 5 minutes for 63, hours for 455.
fn is_kept(datum: &Datum<'_>, age: u64, period: u64) -> bool {
    if period < MINUTE {
        return datum.resolution == 1 && age <= 3 * HOUR;
    }
    age <= 15 * DAY
        || (age <= 63 * DAY && period.is_multiple_of(5 * MINUTE))
        || (age <= 455 * DAY && period.is_multiple_of(HOUR))
}

/// A moment of the answer, in seconds.
pub(super) fn seconds(milliseconds: u64) -> f64 {
    Duration::from_millis(milliseconds).as_secs_f64()
}
