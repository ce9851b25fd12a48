//! From topics and events to functions: SNS → SQS → Lambda as AWS does it, in virtual time.
//!
//! Three queues subscribe to the World's topics, told apart by a filter on the message body: a message with a
//! top-level `DrainPass` is a continuation and waits out its queue's delay, which is short for one that has
//! an `Until` too; any other is a first pass. Task-stopped events, and those of terminated instances, reach
//! the first queue as well. A function takes batches with partial answers; what fails comes back after the
//! visibility timeout, and at last ends in the dead letters. With [`PlumbingSettings::direct`], first passes
//! skip their queue: the topic invokes the function itself. Another function may be invoked by events
//! ([`Plumbing::invoke_on`]).
//!
//! SNS, SQS and the events of ECS lose nothing. The events of EC2 and Auto Scaling are best effort
//! (<https://docs.aws.amazon.com/eventbridge/latest/ref/event-delivery-level.html>).
//!
//! # Layout
//! - `driver`: the loop that moves messages and runs invocations
//! - `routes`: what goes where
//! - `queue`: a queue with delay, visibility timeout and dead letters
//! - `lambda`: the shapes that Lambda gives to a function and takes from it
//! - `invocation`: a running function, and how a fault kills it
//! - `moves`: what moved, for those who look on

use std::time::Duration;

mod driver;
pub mod invocation;
mod lambda;
mod moves;
mod queue;
mod routes;

pub use driver::Plumbing;
pub use moves::{Ending, Move};

/// A way by which a message reaches a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Line {
    /// The queue for first passes, task events and whatever else is no continuation.
    First,
    /// The queue for continuations.
    Continuation,
    /// The queue for continuations with a short time left.
    Urgent,
    /// The topic invokes the function itself.
    Topic,
    /// The event bus invokes another function.
    Event,
}

impl Line {
    /// Name of the queue.
    fn queue(self) -> &'static str {
        match self {
            Self::First => "first-pass",
            Self::Continuation => "continuation",
            Self::Urgent => "urgent",
            Self::Topic => "topic",
            Self::Event => "event",
        }
    }
}

/// How the wiring is set. The defaults are the template's.
#[derive(Clone, Debug)]
pub struct PlumbingSettings {
    /// Delay of the queue for continuations.
    pub pass_interval: Duration,
    /// Delay of the queue for continuations with an `Until`.
    pub urgent_interval: Duration,
    /// How long a batch is gathered.
    pub batching_window: Duration,
    /// Most records of a batch.
    pub max_batch: usize,
    /// From a record's receipt until it is seen again, unless it was deleted.
    pub visibility_timeout: Duration,
    /// The same of the queue for continuations with an `Until`.
    pub urgent_visibility_timeout: Duration,
    /// Receipts of a record before it is a dead letter.
    pub max_receive: u32,
    /// Invocations of the first queue at a time.
    pub first_concurrency: usize,
    /// Invocations of each other queue at a time.
    pub max_concurrency: usize,
    /// The function's own timeout.
    pub function_timeout: Duration,
    /// Probability that a message is delivered twice.
    pub duplicate: f64,
    /// Seconds from a message's departure until it is in the queue, from and to.
    pub delivery_seconds: (f64, f64),
    /// Probability that an event of EC2 or Auto Scaling is lost.
    pub lose_best_effort: f64,
    /// Whether all task-stopped events are lost.
    pub lose_task_events: bool,
    /// Whether Auto Scaling's own events are delivered too: the hook's message is then doubled.
    pub lifecycle_events: bool,
    /// Whether first passes are delivered to the function by the topic itself.
    pub direct: bool,
}

impl Default for PlumbingSettings {
    fn default() -> Self {
        Self {
            pass_interval: Duration::from_mins(3),
            urgent_interval: Duration::from_secs(15),
            batching_window: Duration::from_secs(1),
            max_batch: 100,
            visibility_timeout: Duration::from_mins(3),
            urgent_visibility_timeout: Duration::from_secs(90),
            max_receive: 20,
            first_concurrency: 10,
            max_concurrency: 5,
            function_timeout: Duration::from_secs(90),
            duplicate: 0.0,
            delivery_seconds: (0.02, 0.1),
            lose_best_effort: 0.0,
            lose_task_events: false,
            lifecycle_events: false,
            direct: false,
        }
    }
}

/// What went through.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Invocations, failed ones included.
    pub invocations: usize,
    /// Records that were given to the function, again and again if need be.
    pub deliveries: usize,
    /// Messages that were delivered twice.
    pub duplicates: usize,
    /// Messages that no subscription's filter wanted.
    pub filtered: usize,
    /// Events that were lost by [`PlumbingSettings::lose_task_events`] or
    /// [`PlumbingSettings::lose_best_effort`].
    pub lost_events: usize,
    /// Records that the function named as failed.
    pub failed_records: usize,
    /// The errors of invocations that failed as a whole.
    pub errors: Vec<String>,
    /// Invocations that a fault killed.
    pub killed: usize,
    /// Invocations that the function's timeout ended.
    pub timed_out: usize,
    /// Bodies that ended in a dead-letter queue.
    pub dead_letters: Vec<String>,
    /// Time that the function ran, all invocations together.
    pub running_time: Duration,
}
