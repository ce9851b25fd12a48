//! Prices of messages and events, and of calls that are free.

use super::flat;
use crate::bill::Price;

const SNS: &str = "https://aws.amazon.com/sns/pricing/";
const SQS: &str = "https://aws.amazon.com/sqs/pricing/";
const EVENTBRIDGE: &str = "https://aws.amazon.com/eventbridge/pricing/";
const ECS: &str = "https://aws.amazon.com/ecs/pricing/";
const CLOUDTRAIL: &str = "https://aws.amazon.com/cloudtrail/pricing/";

/// Messages to a topic of up to 64 KB, or ten of them together with as much. Handing them to queues and functions is free.
pub static PUBLISH: Price = Price {
    name: "SNS publishes",
    each: "a million",
    unit: "requests",
    per: 1_000_000.0,
    tiers: &flat(0.50),
    free: 1_000_000.0,
    page: SNS,
    seen: "https://www.factualminds.com/blog/amazon-sns-pricing-publishes-fanout-protocols/ of 2026-06-13",
};

/// What subscriptions' filters on the body look through, each for itself; filters on attributes are free.
pub static FILTER: Price = Price {
    name: "SNS filters on the body",
    each: "a GB",
    unit: "GB",
    per: 1.0,
    tiers: &flat(0.09),
    free: 0.0,
    page: SNS,
    seen: "AWS's own calculator (calculator.aws), as transcribed on 2026-09-06",
};

/// Messages that a topic hands to a mail address.
pub static MAIL: Price = Price {
    name: "SNS mails",
    each: "a 100,000",
    unit: "mails",
    per: 100_000.0,
    tiers: &flat(2.00),
    free: 1_000.0,
    page: SNS,
    seen: "https://www.factualminds.com/blog/amazon-sns-pricing-publishes-fanout-protocols/ of 2026-06-13",
};

/// Requests to a standard queue of up to 64 KB: up to ten messages sent, received or deleted together, or an empty answer. Up
/// to 100 billion, which nothing here reaches.
pub static QUEUE: Price = Price {
    name: "SQS requests",
    each: "a million",
    unit: "requests",
    per: 1_000_000.0,
    tiers: &flat(0.40),
    free: 1_000_000.0,
    page: SQS,
    seen: "https://cloudburn.io/blog/amazon-sqs-pricing of 2026-03-14",
};

/// Events of AWS's own services, or of a schedule, on the default bus, and handing them to targets in the account.
pub static RULE: Price = Price {
    name: "EventBridge rules",
    each: "an event",
    unit: "events",
    per: 1.0,
    tiers: &flat(0.0),
    free: 0.0,
    page: EVENTBRIDGE,
    seen: "https://cloudburn.io/blog/amazon-eventbridge-pricing of 2026-03-13",
};

/// Calls to ECS, EC2, Auto Scaling and Elastic Load Balancing.
pub static CALL: Price = Price {
    name: "other calls of AWS",
    each: "a call",
    unit: "calls",
    per: 1.0,
    tiers: &flat(0.0),
    free: 0.0,
    page: ECS,
    seen: "",
};

/// Looks at CloudTrail's event history.
pub static LOOKUP: Price = Price {
    name: "CloudTrail look-ups",
    each: "a call",
    unit: "calls",
    per: 1.0,
    tiers: &flat(0.0),
    free: 0.0,
    page: CLOUDTRAIL,
    seen: "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/view-cloudtrail-events.html",
};
