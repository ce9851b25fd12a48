//! What an invocation takes of Lambda, of messages and of the log, counted for all functions in the same way.

use std::ops::{Add, Mul};

use crate::bill::{Bill, Price};
use crate::prices;

/// GB of a function with 128 MB, the least there is: each uses some ten MB of them.
pub const MEMORY: f64 = 0.125;
/// GB that a whole core comes with; a function with less has a share of one.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>
pub const CORE: f64 = 1_769.0 / 1_024.0;
/// Seconds of a call to a service of the same region, there and back.
pub const CALL: f64 = 0.025;
/// Seconds of CPU of an invocation, besides what grows with its clusters or instances: the drainer's, measured,
/// docs/benchmarks.md ("Drain").
pub const INVOCATION_CPU: f64 = 0.000_75;
/// Seconds of an invocation besides its calls: that CPU at the fourteenth of a core that 128 MB come with, rounded.
pub const HANDLING: f64 = 0.010;

/// Bytes that CloudWatch Logs adds to each event when it counts.
pub const EVENT: u32 = 26;
/// Bytes of a line of the log, with those. The drains that are counted (see [`crate::drainer::SETTLE`]) had 207 to 211 bytes a
/// line in the tests' form; a deployed one has the function's name and the request's id besides, 76 more: 313, rounded up.
pub const LINE: f64 = 350.0;
/// Bytes of the lines that Lambda itself logs of an invocation, its start and its report.
pub const LAMBDA_LINES: f64 = 500.0;

/// Requests that a message makes in its queue: it is sent, received and deleted.
pub const MESSAGE: u32 = 3;

/// What something takes, all told.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Use {
    /// Invocations.
    pub invocations: f64,
    /// Seconds that they run.
    pub seconds: f64,
    /// Requests to topics.
    pub publishes: f64,
    /// Bytes that filters on the body look through.
    pub filtered: f64,
    /// Requests to queues.
    pub queued: f64,
    /// Events of rules.
    pub events: f64,
    /// Lines of the log, Lambda's own not counted.
    pub lines: f64,
    /// Calls that are free.
    pub calls: f64,
}

impl Use {
    /// Adds its items, for a function of so many GB.
    pub fn add_to(self, bill: &mut Bill, lambda: &'static Price, memory: f64) {
        bill.add("Lambda duration", lambda, self.seconds * memory);
        bill.add("Lambda requests", &prices::REQUEST, self.invocations);
        bill.add("SNS publishes", &prices::PUBLISH, self.publishes);
        bill.add("SNS, filters", &prices::FILTER, self.filtered / 1e9);
        bill.add("SQS, messages", &prices::QUEUE, self.queued);
        bill.add("log ingestion", &prices::LOGS, self.lines * LINE / 1e9);
        bill.add("EventBridge rules", &prices::RULE, self.events);
        bill.add("calls of ECS, EC2 and their like", &prices::CALL, self.calls);
    }
}

impl Mul<f64> for Use {
    type Output = Self;

    fn mul(self, times: f64) -> Self {
        Self {
            invocations: self.invocations * times,
            seconds: self.seconds * times,
            publishes: self.publishes * times,
            filtered: self.filtered * times,
            queued: self.queued * times,
            events: self.events * times,
            lines: self.lines * times,
            calls: self.calls * times,
        }
    }
}

impl Add for Use {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            invocations: self.invocations + other.invocations,
            seconds: self.seconds + other.seconds,
            publishes: self.publishes + other.publishes,
            filtered: self.filtered + other.filtered,
            queued: self.queued + other.queued,
            events: self.events + other.events,
            lines: self.lines + other.lines,
            calls: self.calls + other.calls,
        }
    }
}
