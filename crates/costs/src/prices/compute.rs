//! Prices of what runs and of what it keeps.

use super::flat;
use crate::bill::{Price, Tier};

const LAMBDA: &str = "https://aws.amazon.com/lambda/pricing/";
const STEP_FUNCTIONS: &str = "https://aws.amazon.com/step-functions/pricing/";
const DYNAMODB: &str = "https://aws.amazon.com/dynamodb/pricing/on-demand/";

/// Running time of a function on arm64, by the millisecond; the first 7.5 billion GB-s, which nothing here reaches.
pub static ARM: Price = Price {
    name: "Lambda duration, arm64",
    each: "a GB-s",
    unit: "GB-s",
    per: 1.0,
    tiers: &flat(0.000_013_333_4),
    free: 400_000.0,
    page: LAMBDA,
    seen: "",
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
    seen: "",
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
    seen: "",
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
    seen: "",
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
    seen: "",
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
    seen: "",
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
    seen: "",
};

/// Reads of at most 4 KB of a table on demand that are consistent; others are half.
pub static READ: Price = Price {
    name: "DynamoDB reads on demand",
    each: "a million",
    unit: "reads",
    per: 1_000_000.0,
    tiers: &flat(0.125),
    free: 0.0,
    page: DYNAMODB,
    seen: "https://airbyte.com/data-engineering-resources/dynamodb-pricing of 2025-07-21",
};
