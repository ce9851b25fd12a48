//! What `ecs-drainer` uses a month, and what that costs. Nothing here reads, prints or rounds.

pub mod page;
pub mod published;

use crate::bill::Bill;
use crate::running::{CALL, HANDLING, MEMORY, MESSAGE, Use};
use crate::{HOURS, MINUTES, prices};

/// Seconds from one pass to the next, besides the interval: delivery, and the batching window.
pub const DELIVERY: u32 = 1;
/// Seconds by which ECS may be late (`SETTLE_SECONDS`): a drain that ends before its second pass waits twice for so long, any
/// other once at the most. Drains of 300 s, an hour and a day ran for 5.3, 7.2 and 46.8 s at the most with the calls' time being
/// 0.02 s: `cargo test --test drains calls -- --nocapture`.
pub const SETTLE: u32 = 5;
/// Invocations besides those by passes and tasks: the first pass, the continuation that comes after the end, and EC2's event that
/// the instance is terminated.
pub const OTHERS: u32 = 3;

/// Subscriptions of the drain topic, each with a filter on the body.
pub const SUBSCRIPTIONS: u32 = 3;
/// Bytes of a message's body, a continuation's.
pub const BODY: u32 = 600;

/// Queues that Lambda polls for the function.
pub const QUEUES: u32 = 3;
/// Pollers of each. Lambda would go down to two, but not where there is a maximum concurrency:
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html>.
pub const POLLERS: u32 = 5;
/// Polls a minute of each: 20 s is how long one can wait.
pub const POLLS: u32 = 3;

/// Invocations an hour by events of tasks, as long as there are less than a hundred a second: one a window, of a second. The
/// 100,000 events of docs/reliability.md took 3,458.
pub const WINDOWS: u32 = 3_600;
/// Messages of an invocation, and of a request to the queue.
const BATCH: u32 = 100;
const RECEIVED: u32 = 10;

/// How much there is to drain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Instances that leave a month, each by itself.
    pub drains: u32,
    /// What each is like.
    pub drain: Drain,
    /// Tasks that stop on instances that stay, an hour.
    pub task_events: u32,
    /// Instances of the cluster, which only the published design reads.
    pub instances: u32,
}

/// One drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    /// Seconds until its last task has stopped.
    pub seconds: u32,
    /// Tasks on the instance, which stop one after another.
    pub tasks: u32,
    /// Seconds between two passes (`PASS_INTERVAL_SECONDS`).
    pub interval: u32,
}

impl Drain {
    /// Passes after the first one.
    #[must_use]
    pub fn passes(self) -> u32 {
        self.seconds / (self.interval + DELIVERY)
    }

    /// Invocations. But for EC2's event they are those of docs/reliability.md, "Calls of one drain".
    #[must_use]
    pub fn invocations(self) -> u32 {
        OTHERS + self.tasks + self.passes()
    }

    /// The most calls that it makes: the second formula of docs/reliability.md, "Calls of one drain", which
    /// crates/ecs-drainer/tests/drains/calls.rs asserts.
    #[must_use]
    pub fn calls(self) -> u32 {
        11 + 4 * self.passes() + self.passes().div_ceil(3) + 2 * self.tasks
    }

    /// Requests to the topic: Auto Scaling's, the first pass's, and one a pass.
    #[must_use]
    pub fn publishes(self) -> u32 {
        2 + self.passes()
    }

    /// Seconds that the function runs, at most: the calls one after another.
    #[must_use]
    pub fn running(self) -> f64 {
        let waits = if self.passes() == 0 { 2 } else { 1 };
        f64::from(self.calls()) * CALL + f64::from(self.invocations()) * HANDLING + f64::from(waits * SETTLE)
    }

    /// Lines of the log: one a pass and a heartbeat; DRAINING set, two waits, and the end. Counted by the same command:
    /// 5, 29 and 640 for 300 s, an hour and a day.
    #[must_use]
    pub fn lines(self) -> u32 {
        4 + self.passes() + self.passes() / 3
    }

    /// All that it takes.
    #[must_use]
    pub fn used(self) -> Use {
        Use {
            invocations: self.invocations().into(),
            seconds: self.running(),
            publishes: self.publishes().into(),
            filtered: f64::from(self.publishes() * SUBSCRIPTIONS * BODY),
            queued: f64::from(self.invocations() * MESSAGE),
            // The tasks', and EC2's.
            events: f64::from(self.tasks + 1),
            lines: self.lines().into(),
            calls: self.calls().into(),
        }
    }
}

impl Settings {
    /// What tasks that stop elsewhere take: a call a batch, and nothing is logged.
    fn elsewhere(&self) -> Use {
        let events = f64::from(self.task_events);
        let batches = events.min(WINDOWS.into()).max(events / f64::from(BATCH));
        let received = batches.max(events / f64::from(RECEIVED));
        let hour = Use {
            invocations: batches,
            seconds: batches * (CALL + HANDLING),
            // Each is sent by itself; they are received and deleted together.
            queued: events + 2.0 * received,
            events,
            calls: batches,
            ..Use::default()
        };
        hour * f64::from(HOURS)
    }

    /// Adds its items.
    pub fn add_to(&self, bill: &mut Bill) {
        let used = self.drain.used() * f64::from(self.drains) + self.elsewhere();
        used.add_to(bill, &prices::ARM, MEMORY);
        bill.add("SQS, polls of empty queues", &prices::QUEUE, f64::from(QUEUES * POLLERS * POLLS * MINUTES));
    }

    /// Its bill.
    #[must_use]
    pub fn bill(&self, free_tier: bool) -> Bill {
        let mut bill = Bill::new(free_tier);
        self.add_to(&mut bill);
        bill
    }
}
