//! What to do. Pure: no I/O, no clock, no SDK. The plan that is made here is also the dry run.

mod tags;
mod untagged;

pub use tags::{Finding, Problem, Removal, Repair, RuleCount, TagPlan, tags};
#[cfg(test)]
pub(crate) use untagged::MOST_SEEN;
pub use untagged::{
    Held, Memory, Policy, Seen, Spared, Standing, Untagged, remember, standing, unconfirmed, untagged,
};

use serde::Serialize;

use crate::rules::Checked;

/// A fleet smaller than this is not said to have fallen sharply: it goes up and down with every launch.
const SMALLEST_FLEET: usize = 10;

/// Why a run writes no tag and touches no instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ReportOnly {
    /// It was asked for.
    DryRun,
    /// A rule is faulty: what the rules mean as a whole is not certain.
    FaultyRules,
    /// There is no rule, or none is enabled.
    NoRules,
    /// Far fewer instances than at the last run: rather a wrong filter or account than the truth.
    FleetFell {
        /// At the last run.
        from: usize,
        /// Now.
        to: usize,
    },
}

/// Why this run only reports; none: it acts.
#[must_use]
pub fn report_only(
    dry_run: bool,
    rules: &Checked,
    last: Option<usize>,
    instances: usize,
    fall_percent: u32,
) -> Option<ReportOnly> {
    let kept = usize::try_from(100_u32.saturating_sub(fall_percent)).unwrap_or_default();
    let fell = |last: &usize| *last >= SMALLEST_FLEET && instances * 100 < last * kept;
    if dry_run {
        Some(ReportOnly::DryRun)
    } else if !rules.faults.is_empty() {
        Some(ReportOnly::FaultyRules)
    } else if rules.rules.is_empty() {
        Some(ReportOnly::NoRules)
    } else {
        last.filter(fell).map(|from| ReportOnly::FleetFell { from, to: instances })
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
