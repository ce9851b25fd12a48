//! The prices: all of them, and nowhere else.
//!
//! Dollars in us-east-1 without tax, discounts or savings plans, as known on [`CHECKED`]. To bring them up to date, read the
//! pages named here, change the numbers and the date, and write the documentation anew (its first lines say how).

use crate::bill::{Price, Tier};

/// Where these prices hold.
pub const REGION: &str = "us-east-1";
/// When they were last gone through, with what was then known of the pages.
pub const CHECKED: &str = "2026-11-21";

const CLOUDWATCH: &str = "https://aws.amazon.com/cloudwatch/pricing/";
const LAMBDA: &str = "https://aws.amazon.com/lambda/pricing/";
const STEP_FUNCTIONS: &str = "https://aws.amazon.com/step-functions/pricing/";
const DYNAMODB: &str = "https://aws.amazon.com/dynamodb/pricing/on-demand/";
const EVENTBRIDGE: &str = "https://aws.amazon.com/eventbridge/pricing/";

/// One price, however much is used.
const fn flat(dollars: f64) -> [Tier; 1] {
    [Tier { units: f64::INFINITY, dollars }]
}

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
};

/// Metrics on a dashboard that is free.
pub const FREE_DASHBOARD_METRICS: u32 = 50;

/// Running time of a function on arm64, by the millisecond; the first 7.5 billion GB-s, which nothing here reaches.
pub static ARM: Price = Price {
    name: "Lambda duration, arm64",
    each: "a GB-s",
    unit: "GB-s",
    per: 1.0,
    tiers: &flat(0.000_013_333_4),
    free: 400_000.0,
    page: LAMBDA,
};

/// Running time of a function on x86-64; the first 6 billion GB-s.
pub static X86: Price = Price {
    name: "Lambda duration, x86-64",
    each: "a GB-s",
    unit: "GB-s",
    per: 1.0,
    tiers: &flat(0.000_016_666_7),
    free: 400_000.0,
    page: LAMBDA,
};

/// Invocations of a function.
pub static REQUEST: Price = Price {
    name: "Lambda requests",
    each: "a million",
    unit: "requests",
    per: 1_000_000.0,
    tiers: &flat(0.20),
    free: 1_000_000.0,
    page: LAMBDA,
};

/// State transitions of a Standard workflow.
pub static TRANSITION: Price = Price {
    name: "Standard workflow, transitions",
    each: "a 1,000",
    unit: "transitions",
    per: 1_000.0,
    tiers: &flat(0.025),
    free: 4_000.0,
    page: STEP_FUNCTIONS,
};

/// Executions of an Express workflow.
pub static EXPRESS: Price = Price {
    name: "Express workflow, requests",
    each: "a million",
    unit: "requests",
    per: 1_000_000.0,
    tiers: &flat(1.00),
    free: 0.0,
    page: STEP_FUNCTIONS,
};

/// Running time of an Express workflow, by 100 ms and 64 MB.
pub static EXPRESS_DURATION: Price = Price {
    name: "Express workflow, duration",
    each: "a GB-hour",
    unit: "GB-s",
    per: 3_600.0,
    tiers: &[
        Tier { units: 3_600_000.0, dollars: 0.06 },
        Tier { units: 14_400_000.0, dollars: 0.03 },
        Tier { units: f64::INFINITY, dollars: 0.016_42 },
    ],
    free: 0.0,
    page: STEP_FUNCTIONS,
};

/// Writes of at most 1 KB to a table on demand, refused conditions included. What is free is provisioned capacity.
pub static WRITE: Price = Price {
    name: "DynamoDB writes on demand",
    each: "a million",
    unit: "writes",
    per: 1_000_000.0,
    tiers: &flat(0.625),
    free: 0.0,
    page: DYNAMODB,
};

/// Events of a scheduled rule on the default bus.
pub static RULE: Price = Price {
    name: "EventBridge rule",
    each: "an event",
    unit: "events",
    per: 1.0,
    tiers: &flat(0.0),
    free: 0.0,
    page: EVENTBRIDGE,
};

/// All of them, in the order of the documentation.
pub static ALL: [&Price; 13] = [
    &METRIC,
    &PUT,
    &LOGS,
    &ALARM,
    &DASHBOARD,
    &ARM,
    &X86,
    &REQUEST,
    &TRANSITION,
    &EXPRESS,
    &EXPRESS_DURATION,
    &WRITE,
    &RULE,
];
