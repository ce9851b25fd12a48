//! The loop that moves messages and runs invocations.

use std::{fmt, time::Duration};

use futures::{StreamExt, future::LocalBoxFuture, stream::FuturesUnordered};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use serde_json::Value;
use tokio::time::{sleep_until, timeout};

use super::{
    PlumbingSettings, Stats, invocation,
    lambda::{self, Failed},
    queue::{Message, Queue},
};
use crate::{
    FakeAws,
    world::{Departure, Outgoing, World, clock::Moment, names, text_for},
};

/// Lambda tries an asynchronous invocation that failed again after a minute, then after two.
const ASYNC_RETRIES: [Duration; 2] = [Duration::from_mins(1), Duration::from_mins(2)];

type Handler = Box<dyn Fn(Value) -> LocalBoxFuture<'static, Result<Value, String>>>;

/// Where the records of an invocation came from.
#[derive(Clone, Debug)]
enum Source {
    First,
    Continuation,
    Topic(Direct),
}

/// A notification that the topic gives to the function itself.
#[derive(Clone, Debug)]
struct Direct {
    topic: String,
    subject: Option<String>,
    message: Message,
}

/// How an invocation ended.
enum End {
    Answered(Value),
    Failed(String),
    TimedOut,
    Killed,
}

struct Finished {
    source: Source,
    batch: Vec<Message>,
    end: End,
    took: Duration,
}

/// A World's topics and events, wired to a function.
pub struct Plumbing {
    fake: FakeAws,
    settings: PlumbingSettings,
    handler: Handler,
    rng: SmallRng,
    first: Queue,
    continuation: Queue,
    direct: Vec<Direct>,
    running: FuturesUnordered<LocalBoxFuture<'static, Finished>>,
    stats: Stats,
}

impl Plumbing {
    /// Wires a World to a handler: Lambda's event in, the function's answer out, an error as text.
    pub fn new<H, F>(fake: &FakeAws, settings: PlumbingSettings, handler: H) -> Self
    where
        H: Fn(Value) -> F + 'static,
        F: Future<Output = Result<Value, String>> + 'static,
    {
        let seed = fake.with(|world| world.settings().seed);
        Self {
            fake: fake.clone(),
            settings,
            handler: Box::new(move |event| Box::pin(handler(event))),
            rng: SmallRng::seed_from_u64(seed ^ 0x9e37_79b9),
            first: Queue::default(),
            continuation: Queue::default(),
            direct: Vec::new(),
            running: FuturesUnordered::new(),
            stats: Stats::default(),
        }
    }

    /// What went through so far.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Whether no message waits and no invocation runs.
    pub fn is_idle(&self) -> bool {
        self.first.is_empty()
            && self.continuation.is_empty()
            && self.direct.is_empty()
            && self.running.is_empty()
    }

    /// Puts a message into the first queue: an operator's request, another event, rubbish.
    pub fn send(&mut self, body: impl Into<String>) {
        let now = self.fake.now();
        let message = self.message(body.into(), now, Duration::ZERO);
        self.first.put(message);
    }

    /// Runs until something is true of the World; false when it is not within this time. `done` must look at
    /// the World that it is given: asking [`FakeAws::with`] for it meanwhile would wait for ever.
    pub async fn run_until(&mut self, done: impl Fn(&World) -> bool, limit: Duration) -> bool {
        self.run(|_, world| done(world), limit).await
    }

    /// Runs until no message waits, no invocation runs and nothing is due in the World; false when that
    /// is not so within this time.
    pub async fn run_until_quiet(&mut self, limit: Duration) -> bool {
        self.run(|plumbing, world| plumbing.is_idle() && world.next_due().is_none(), limit).await
    }

    async fn run(&mut self, done: impl Fn(&Self, &World) -> bool, limit: Duration) -> bool {
        let deadline = self.fake.now() + limit;
        let fake = self.fake.clone();
        loop {
            let departed = fake.with(World::take_outbox);
            for outgoing in departed {
                self.route(outgoing);
            }
            if fake.with(|world| done(self, world)) {
                return true;
            }
            if fake.now() >= deadline {
                return false;
            }
            self.dispatch();
            let wake = self.next_due().map_or(deadline, |due| due.min(deadline));
            // Calls come first: the running invocations make them, and they may put things on the agenda
            // or into the outbox that are due before what is waited for here.
            tokio::select! {
                biased;
                () = fake.called() => {}
                Some(finished) = self.running.next(), if !self.running.is_empty() => self.settle(finished),
                () = sleep_until(fake.instant(wake)) => {}
            }
        }
    }

    fn next_due(&self) -> Option<Moment> {
        let queues = [&self.first, &self.continuation].map(|queue| queue.batch_due(&self.settings));
        let direct = self.direct.iter().map(|direct| direct.message.visible_at).min();
        let world = self.fake.with(|world| world.next_due());
        queues.into_iter().chain([direct, world]).flatten().min()
    }

    fn message(&mut self, body: String, sent_at: Moment, delay: Duration) -> Message {
        let (from, to) = self.settings.delivery_seconds;
        let seconds = if from < to { self.rng.random_range(from..=to) } else { from };
        let delivery = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let id = names::uuid(&mut self.rng);
        Message { id, body, sent_at, visible_at: sent_at + delivery + delay, receives: 0 }
    }

    /// Delivers what left the World, twice now and then.
    fn route(&mut self, outgoing: Outgoing) {
        let twice = self.rng.random_bool(self.settings.duplicate.clamp(0.0, 1.0));
        if twice {
            self.stats.duplicates += 1;
            self.deliver(outgoing.clone());
        }
        self.deliver(outgoing);
    }

    fn deliver(&mut self, Outgoing { at, what }: Outgoing) {
        match what {
            Departure::Notification { topic, subject, message, is_json, .. } => {
                // The queues and the function subscribe; a text of their own is what both are given.
                let protocol = if self.settings.direct { "lambda" } else { "sqs" };
                self.notify(topic, subject, text_for(&message, is_json, protocol), at);
            }
            Departure::Event(event) => {
                let source = event.get("source").and_then(Value::as_str);
                let is_task = source == Some("aws.ecs");
                let is_lifecycle = source == Some("aws.autoscaling");
                if is_task && self.settings.lose_task_events {
                    self.stats.lost_events += 1;
                } else if is_task || is_lifecycle && self.settings.lifecycle_events {
                    let message = self.message(event.to_string(), at, Duration::ZERO);
                    self.first.put(message);
                }
            }
        }
    }

    /// The subscriptions' filters read the body: one that is no JSON object passes none of them.
    fn notify(&mut self, topic: String, subject: Option<String>, body: String, at: Moment) {
        let Ok(Value::Object(object)) = serde_json::from_str(&body) else {
            self.stats.filtered += 1;
            return;
        };
        if object.contains_key("DrainPass") {
            let message = self.message(body, at, self.settings.pass_interval);
            self.continuation.put(message);
            return;
        }
        let message = self.message(body, at, Duration::ZERO);
        if self.settings.direct {
            self.direct.push(Direct { topic, subject, message });
        } else {
            self.first.put(message);
        }
    }

    /// Starts every invocation that is due.
    fn dispatch(&mut self) {
        let now = self.fake.now();
        while let Some(batch) = receive(&mut self.first, now, &self.settings, &mut self.stats) {
            self.invoke(Source::First, "first-pass", batch);
        }
        while let Some(batch) = receive(&mut self.continuation, now, &self.settings, &mut self.stats) {
            self.invoke(Source::Continuation, "continuation", batch);
        }
        let due: Vec<_> = self.direct.extract_if(.., |direct| direct.message.visible_at <= now).collect();
        for mut direct in due {
            direct.message.receives += 1;
            let batch = vec![direct.message.clone()];
            self.invoke(Source::Topic(direct), "topic", batch);
        }
    }

    fn invoke(&mut self, source: Source, queue: &str, batch: Vec<Message>) {
        self.stats.invocations += 1;
        self.stats.deliveries += batch.len();
        let calendar = self.fake.with(|world| world.calendar());
        let event = match &source {
            Source::Topic(direct) => {
                lambda::sns_event(&direct.topic, direct.subject.as_deref(), &direct.message, calendar)
            }
            _ => lambda::sqs_event(queue, &batch, calendar),
        };
        let limited = timeout(self.settings.function_timeout, (self.handler)(event));
        let fake = self.fake.clone();
        self.running.push(Box::pin(async move {
            let began = fake.now();
            let end = match invocation::run(limited).await {
                None => End::Killed,
                Some(Err(_)) => End::TimedOut,
                Some(Ok(Err(error))) => End::Failed(error),
                Some(Ok(Ok(answer))) => End::Answered(answer),
            };
            Finished { source, batch, end, took: fake.now().saturating_sub(began) }
        }));
    }

    fn settle(&mut self, Finished { source, batch, end, took }: Finished) {
        self.stats.running_time += took;
        let failed = match end {
            End::Answered(answer) => Failed::read(&answer, &batch),
            End::Failed(error) => {
                self.stats.errors.push(error);
                Failed::All
            }
            End::TimedOut => {
                self.stats.timed_out += 1;
                Failed::All
            }
            End::Killed => {
                self.stats.killed += 1;
                Failed::All
            }
        };
        match source {
            Source::First => self.stats.failed_records += self.first.settle(batch, &failed),
            Source::Continuation => self.stats.failed_records += self.continuation.settle(batch, &failed),
            // Lambda reads no partial answer here: an asynchronous invocation fails as a whole or not.
            Source::Topic(direct) if failed == Failed::All => self.retry(direct),
            Source::Topic(_) => {}
        }
    }

    fn retry(&mut self, mut direct: Direct) {
        let tried = usize::try_from(direct.message.receives).unwrap_or(usize::MAX);
        self.stats.failed_records += 1;
        match ASYNC_RETRIES.get(tried.saturating_sub(1)) {
            Some(wait) => {
                direct.message.visible_at = self.fake.now() + *wait;
                self.direct.push(direct);
            }
            None => self.stats.dead_letters.push(direct.message.body),
        }
    }
}

/// The batch that is due, if there is one; what was received too often goes to the dead letters.
fn receive(
    queue: &mut Queue,
    now: Moment,
    settings: &PlumbingSettings,
    stats: &mut Stats,
) -> Option<Vec<Message>> {
    while queue.batch_due(settings).is_some_and(|due| due <= now) {
        let (batch, dead) = queue.receive(now, settings);
        stats.dead_letters.extend(dead.into_iter().map(|message| message.body));
        if !batch.is_empty() {
            queue.running += 1;
            return Some(batch);
        }
    }
    None
}

impl fmt::Debug for Plumbing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, continuation, direct, stats, .. } = self;
        let mut debug = f.debug_struct("Plumbing");
        debug.field("first", first).field("continuation", continuation);
        debug.field("direct", direct).field("stats", stats).finish_non_exhaustive()
    }
}
