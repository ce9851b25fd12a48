//! What the stack has besides its functions: alarms, a dashboard, the logs, and the smoke test, as template.yaml makes them.

use crate::bill::Bill;
use crate::prices;
use crate::running::{LAMBDA_LINES, MEMORY};

/// Metrics that alarms watch once a minute or less often, as deployed by default: docs/runbook.md, which is held against the
/// template.
pub const ALARMS: u32 = 53;
/// Metrics of the metric writer itself that alarms watch at its period.
pub const QUICK_ALARMS: u32 = 4;
/// Alarms of a cluster that `EcsMetricsAlarmClusters` names, at that period.
pub const CLUSTER_ALARMS: u32 = 2;
/// The shortest period of an alarm that is none of high resolution, in seconds.
const USUAL_PERIOD: u32 = 60;

/// Invocations of a smoke test: its own, and one of each function.
pub const TESTED: u32 = 5;
/// Seconds that it waits, and the slowest function runs: half of the writer's longest period.
pub const TEST: f64 = 30.0;
/// GB that run for so long: the test, the metric writer, and the dry run of the tag policy.
const TEST_MEMORY: f64 = 4.0 * MEMORY;

/// What of it there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Seconds from one tick of the metric writer to the next: alarms on its metrics look as often.
    pub period: u32,
    /// Whether the writer writes metrics of itself, and so has alarms on them.
    pub self_metrics: bool,
    /// Clusters that have alarms.
    pub alarm_clusters: u32,
    /// Days that logs are kept (`LogRetentionDays`).
    pub log_days: u32,
    /// Smoke tests a month.
    pub smoke_tests: u32,
}

impl Settings {
    /// Adds its items to a bill that has those of all functions.
    pub fn add_to(&self, bill: &mut Bill) {
        let own = if self.self_metrics { QUICK_ALARMS } else { 0 };
        let quick = f64::from(own + CLUSTER_ALARMS * self.alarm_clusters);
        let usual = f64::from(ALARMS);
        if self.period < USUAL_PERIOD {
            bill.add("alarms", &prices::USUAL_ALARM, usual);
            bill.add("alarms of high resolution", &prices::ALARM, quick);
        } else {
            bill.add("alarms", &prices::USUAL_ALARM, usual + quick);
        }
        // It shows more metrics than a free one may, as soon as there is a cluster.
        bill.add_unless_free("dashboard", &prices::DASHBOARD, 1.0, 0.0);
        let tests = f64::from(self.smoke_tests);
        bill.add("smoke tests, duration", &prices::ARM, tests * TEST * TEST_MEMORY);
        bill.add("smoke tests, requests", &prices::REQUEST, tests * f64::from(TESTED));
        logs(bill, self.log_days);
    }
}

/// Adds Lambda's own lines of all invocations, and keeping all that is logged.
pub(crate) fn logs(bill: &mut Bill, days: u32) {
    let lines = bill.used(&prices::REQUEST) * LAMBDA_LINES / 1e9;
    bill.add("log ingestion, Lambda's own lines", &prices::LOGS, lines);
    bill.add("log storage", &prices::STORED, bill.used(&prices::LOGS) * f64::from(days) / 30.0);
}
