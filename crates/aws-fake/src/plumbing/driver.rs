//! The loop that moves messages and runs invocations.

use std::{fmt, rc::Rc, time::Duration};

use futures::{StreamExt, future::LocalBoxFuture, stream::FuturesUnordered};
use rand::{SeedableRng, rngs::SmallRng};
use serde_json::Value;
use tokio::time::{sleep_until, timeout};

use super::{
    Ending, Line, Move, PlumbingSettings, Stats, invocation,
    lambda::{self, Failed},
    queue::{Message, Queue},
};
use crate::{
    FakeAws,
    world::{Outgoing, World, clock::Moment},
};

/// Lambda tries an asynchronous invocation that failed again after a minute, then after two
/// (<https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>).
const ASYNC_RETRIES: [Duration; 2] = [Duration::from_mins(1), Duration::from_mins(2)];

type Handler = Box<dyn Fn(Value) -> LocalBoxFuture<'static, Result<Value, String>>>;

/// A function that events invoke.
pub(super) struct Other {
    pub(super) matches: fn(&Value) -> bool,
    timeout: Duration,
    handler: Handler,
}

/// What is given to a function without a queue.
#[derive(Clone, Debug)]
pub(super) struct Direct {
    pub(super) to: To,
    pub(super) message: Message,
}

/// Which function, and by whom.
#[derive(Clone, Debug)]
pub(super) enum To {
    /// The function itself, by a topic.
    Topic { topic: String, subject: Option<String> },
    /// One of the other functions, by the event bus.
    Other(usize),
}

/// Where the records of an invocation came from.
#[derive(Clone, Debug)]
enum Source {
    Queue(Line),
    Direct(To),
}

impl Source {
    fn line(&self) -> Line {
        match self {
            Self::Queue(line) => *line,
            Self::Direct(To::Topic { .. }) => Line::Topic,
            Self::Direct(To::Other(_)) => Line::Event,
        }
    }
}

/// How an invocation ended, with what it said.
enum End {
    Answered(Value),
    Failed(String),
    TimedOut,
    Killed,
}

struct Finished {
    invocation: usize,
    source: Source,
    batch: Vec<Message>,
    end: End,
    took: Duration,
}

/// A World's topics and events, wired to a function.
pub struct Plumbing {
    pub(super) fake: FakeAws,
    pub(super) settings: PlumbingSettings,
    handler: Handler,
    pub(super) others: Vec<Other>,
    pub(super) rng: SmallRng,
    first: Queue,
    continuation: Queue,
    urgent: Queue,
    pub(super) direct: Vec<Direct>,
    running: FuturesUnordered<LocalBoxFuture<'static, Finished>>,
    pub(super) stats: Stats,
    /// What moved, if somebody looks on.
    moves: Option<Vec<(Moment, Move)>>,
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
            others: Vec::new(),
            rng: SmallRng::seed_from_u64(seed ^ 0x9e37_79b9),
            first: Queue::default(),
            continuation: Queue::default(),
            urgent: Queue::default(),
            direct: Vec::new(),
            running: FuturesUnordered::new(),
            stats: Stats::default(),
            moves: None,
        }
    }

    /// Has events that match invoke another function, asynchronously, as rules of the event bus do: an
    /// invocation that fails is tried twice more.
    pub fn invoke_on<H, F>(&mut self, matches: fn(&Value) -> bool, timeout: Duration, handler: H)
    where
        H: Fn(Value) -> F + 'static,
        F: Future<Output = Result<Value, String>> + 'static,
    {
        let handler: Handler = Box::new(move |event| Box::pin(handler(event)));
        self.others.push(Other { matches, timeout, handler });
    }

    /// What went through so far.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Keeps what moves from now on for [`Plumbing::take_moves`].
    pub fn watch_moves(&mut self) {
        self.moves = Some(Vec::new());
    }

    /// What has moved since this was last asked, and when.
    pub fn take_moves(&mut self) -> Vec<(Moment, Move)> {
        self.moves.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Whether no message waits and no invocation runs.
    pub fn is_idle(&self) -> bool {
        let queues = [&self.first, &self.continuation, &self.urgent];
        queues.iter().all(|queue| queue.is_empty()) && self.direct.is_empty() && self.running.is_empty()
    }

    /// Puts a message into the first queue: an operator's request, another event, rubbish.
    pub fn send(&mut self, body: impl Into<String>) {
        let now = self.fake.now();
        self.put(Line::First, body.into(), now, false);
    }

    /// Has something leave that no World sent: another event, another topic's message.
    pub fn emit(&mut self, outgoing: Outgoing) {
        self.route(outgoing);
    }

    /// Runs until something is true of the World; false when it is not within this time. `done` must look at
    /// the World that it is given: asking [`FakeAws::with`] for it meanwhile would wait for ever.
    pub async fn run_until(&mut self, done: impl Fn(&World) -> bool, limit: Duration) -> bool {
        self.run_watched(|_, world| done(world), limit).await
    }

    /// Runs until no message waits, no invocation runs and nothing is due in the World; false when that
    /// is not so within this time.
    pub async fn run_until_quiet(&mut self, limit: Duration) -> bool {
        self.run_watched(|plumbing, world| plumbing.is_idle() && world.next_due().is_none(), limit).await
    }

    /// Runs until `step`, which is asked after every call, every delivery and every end of an invocation, says
    /// so; false when it does not within this time.
    pub async fn run_watched(
        &mut self,
        mut step: impl FnMut(&mut Self, &World) -> bool,
        limit: Duration,
    ) -> bool {
        let deadline = self.fake.now() + limit;
        let fake = self.fake.clone();
        loop {
            let departed = fake.with(World::take_outbox);
            for outgoing in departed {
                self.route(outgoing);
            }
            if fake.with(|world| step(self, world)) {
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
        let queues = [Line::First, Line::Continuation, Line::Urgent].map(|line| self.batch_due(line));
        let direct = self.direct.iter().map(|direct| direct.message.visible_at).min();
        let world = self.fake.with(|world| world.next_due());
        queues.into_iter().chain([direct, world]).flatten().min()
    }

    pub(super) fn moved(&mut self, moved: impl FnOnce() -> Move) {
        if let Some(moves) = &mut self.moves {
            moves.push((self.fake.now(), moved()));
        }
    }

    /// The queue of a line; what has none shares the first.
    pub(super) fn queue(&mut self, line: Line) -> &mut Queue {
        match line {
            Line::Continuation => &mut self.continuation,
            Line::Urgent => &mut self.urgent,
            Line::First | Line::Topic | Line::Event => &mut self.first,
        }
    }

    /// Starts every invocation that is due.
    fn dispatch(&mut self) {
        let now = self.fake.now();
        for line in [Line::First, Line::Continuation, Line::Urgent] {
            while let Some(batch) = self.receive(line, now) {
                self.invoke(Source::Queue(line), batch);
            }
        }
        let due: Vec<_> = self.direct.extract_if(.., |direct| direct.message.visible_at <= now).collect();
        for Direct { to, mut message } in due {
            message.receives += 1;
            self.invoke(Source::Direct(to), vec![message]);
        }
    }

    /// The batch that is due, if there is one; what was received too often goes to the dead letters.
    fn receive(&mut self, line: Line, now: Moment) -> Option<Vec<Message>> {
        while self.batch_due(line).is_some_and(|due| due <= now) {
            let mut settings = self.settings.clone();
            if line == Line::Urgent {
                settings.visibility_timeout = settings.urgent_visibility_timeout;
            }
            let (batch, dead) = self.queue(line).receive(now, &settings);
            for message in dead {
                self.bury(&message);
            }
            if !batch.is_empty() {
                self.queue(line).running += 1;
                return Some(batch);
            }
        }
        None
    }

    /// When the next batch of a line goes.
    fn batch_due(&self, line: Line) -> Option<Moment> {
        let PlumbingSettings { first_concurrency, max_concurrency, .. } = self.settings;
        match line {
            Line::Continuation => self.continuation.batch_due(&self.settings, max_concurrency),
            Line::Urgent => self.urgent.batch_due(&self.settings, max_concurrency),
            Line::First | Line::Topic | Line::Event => {
                self.first.batch_due(&self.settings, first_concurrency)
            }
        }
    }

    fn bury(&mut self, message: &Message) {
        self.stats.dead_letters.push(message.body.to_string());
        self.moved(|| Move::Dead { id: Rc::clone(&message.id), body: Rc::clone(&message.body) });
    }

    fn invoke(&mut self, source: Source, batch: Vec<Message>) {
        self.stats.invocations += 1;
        self.stats.deliveries += batch.len();
        let (invocation, line) = (self.stats.invocations, source.line());
        self.moved(|| Move::Began {
            invocation,
            line,
            ids: batch.iter().map(|message| Rc::clone(&message.id)).collect(),
        });
        let calendar = self.fake.with(|world| world.calendar());
        let first = batch.first();
        let (running, limit) = match &source {
            Source::Queue(line) => {
                let event = lambda::sqs_event(line.queue(), &batch, calendar);
                ((self.handler)(event), self.settings.function_timeout)
            }
            Source::Direct(To::Topic { topic, subject }) => {
                let event =
                    first.map(|message| lambda::sns_event(topic, subject.as_deref(), message, calendar));
                ((self.handler)(event.unwrap_or_default()), self.settings.function_timeout)
            }
            Source::Direct(To::Other(at)) => {
                let Some(other) = self.others.get(*at) else { return };
                let event = first.and_then(|message| serde_json::from_str(&message.body).ok());
                ((other.handler)(event.unwrap_or_default()), other.timeout)
            }
        };
        let limited = timeout(limit, running);
        let fake = self.fake.clone();
        self.running.push(Box::pin(async move {
            let began = fake.now();
            let end = match invocation::run_as(invocation, limited).await {
                None => End::Killed,
                Some(Err(_)) => End::TimedOut,
                Some(Ok(Err(error))) => End::Failed(error),
                Some(Ok(Ok(answer))) => End::Answered(answer),
            };
            Finished { invocation, source, batch, end, took: fake.now().saturating_sub(began) }
        }));
    }

    fn settle(&mut self, Finished { invocation, source, batch, end, took }: Finished) {
        self.stats.running_time += took;
        let (ending, failed) = match end {
            // Lambda reads no partial answer of an asynchronous invocation: it fails as a whole or not.
            End::Answered(_) if matches!(source, Source::Direct(_)) => (Ending::Answered, Failed::none()),
            End::Answered(answer) => (Ending::Answered, Failed::read(&answer, &batch)),
            End::Failed(error) => {
                self.stats.errors.push(error);
                (Ending::Failed, Failed::All)
            }
            End::TimedOut => {
                self.stats.timed_out += 1;
                (Ending::TimedOut, Failed::All)
            }
            End::Killed => {
                self.stats.killed += 1;
                (Ending::Killed, Failed::All)
            }
        };
        let ids: Vec<_> = batch.iter().map(|message| Rc::clone(&message.id)).collect();
        let (done, back) = ids.into_iter().partition(|id| !failed.has(id));
        self.moved(|| Move::Ended { invocation, ending, done, back });
        match source {
            Source::Queue(line) => self.stats.failed_records += self.queue(line).settle(batch, &failed).len(),
            Source::Direct(to) if failed == Failed::All => {
                for message in batch {
                    self.retry(Direct { to: to.clone(), message });
                }
            }
            Source::Direct(_) => {}
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
            None => self.bury(&direct.message),
        }
    }
}

impl fmt::Debug for Plumbing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, continuation, urgent, direct, stats, .. } = self;
        let mut debug = f.debug_struct("Plumbing");
        debug.field("first", first).field("continuation", continuation).field("urgent", urgent);
        debug.field("direct", direct).field("stats", stats).finish_non_exhaustive()
    }
}
