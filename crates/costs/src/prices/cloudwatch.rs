//! Prices of CloudWatch.

use super::flat;
use crate::bill::{Price, Tier};

const CLOUDWATCH: &str = "https://aws.amazon.com/cloudwatch/pricing/";

/// A custom metric for a month, whatever its resolution. By the hour in which it gets a value.
pub static METRIC: Price = Price {
    name: "custom metric",
    each: "a metric",
    unit: "metrics",
    per: 1.0,
    tiers: &[
        Tier { units: 10_000.0, dollars: 0.30 },
        Tier { units: 240_000.0, dollars: 0.10 },
        Tier { units: 750_000.0, dollars: 0.05 },
        Tier { units: f64::INFINITY, dollars: 0.02 },
    ],
    free: 10.0,
    page: CLOUDWATCH,
    seen: "",
};

/// `PutMetricData`, however many data a call has. The free million is shared with the other calls of CloudWatch.
pub static PUT: Price = Price {
    name: "PutMetricData",
    each: "a 1,000 calls",
    unit: "calls",
    per: 1_000.0,
    tiers: &flat(0.01),
    free: 1_000_000.0,
    page: CLOUDWATCH,
    seen: "",
};

/// Log ingestion of a Lambda function, standard class, since May 2025 in tiers. A GB is 10⁹ bytes here: if it is billed
/// as 2³⁰, the bill is 7 % lower.
pub static LOGS: Price = Price {
    name: "log ingestion",
    each: "a GB",
    unit: "GB",
    per: 1.0,
    tiers: &[
        Tier { units: 10_000.0, dollars: 0.50 },
        Tier { units: 20_000.0, dollars: 0.25 },
        Tier { units: 20_000.0, dollars: 0.10 },
        Tier { units: f64::INFINITY, dollars: 0.05 },
    ],
    free: 5.0,
    page: CLOUDWATCH,
    seen: "",
};

/// Keeping the log, compressed, which nothing here counts on. The free tier's GB are counted where they are ingested.
pub static STORED: Price = Price {
    name: "log storage",
    each: "a GB-month",
    unit: "GB-months",
    per: 1.0,
    tiers: &flat(0.03),
    free: 0.0,
    page: CLOUDWATCH,
    seen: "https://c3x.dev/blog/cloudwatch-logs-cost-optimization of June 2026",
};

/// An alarm at a period of a minute or more, by the metric: one with an expression is as many as it looks at.
pub static USUAL_ALARM: Price = Price {
    name: "alarm",
    each: "an alarm metric",
    unit: "alarms",
    per: 1.0,
    tiers: &flat(0.10),
    free: 10.0,
    page: CLOUDWATCH,
    seen: "https://signoz.io/guides/cloudwatch-pricing of 2026-02-15",
};

/// An alarm on one metric at a period of 10, 20 or 30 s. The ten free alarms are of standard resolution only.
pub static ALARM: Price = Price {
    name: "alarm, high resolution",
    each: "an alarm metric",
    unit: "alarms",
    per: 1.0,
    tiers: &flat(0.30),
    free: 0.0,
    page: CLOUDWATCH,
    seen: "",
};

/// A dashboard. Three are free, as long as they show at most [`FREE_DASHBOARD_METRICS`] metrics.
pub static DASHBOARD: Price = Price {
    name: "dashboard",
    each: "a dashboard",
    unit: "dashboards",
    per: 1.0,
    tiers: &flat(3.00),
    free: 3.0,
    page: CLOUDWATCH,
    seen: "",
};

/// Metrics on a dashboard that is free.
pub const FREE_DASHBOARD_METRICS: u32 = 50;
