//! All ticks of a minute, by one invocation that owns it.

use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::decide::schedule::{MINUTE, crosses, first_due, is_late, later, minute_of};
use crate::metric::Datum;
use crate::settings::Sink;
use crate::snapshot::Sight;
use crate::tick::name_missing;
use crate::{EcsMetrics, Invocation, act, skipped};

/// Before a minute begins, its clusters are listed, and at the end of one it is seen whether somebody owns the next.
const LEAD: Duration = Duration::from_secs(1);
/// Time for the claim of a minute that has begun.
const CLAIMING: Duration = Duration::from_secs(3);
/// Left of the function's time after the last tick's.
const MARGIN: Duration = Duration::from_secs(2);
/// The writer's own metrics are written so often.
const REPORTS: Duration = Duration::from_secs(10);

/// Whose a minute is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim {
    /// The invocation's that asks.
    Ours,
    /// Another's.
    Taken,
    /// There is no lease, or it cannot be had now. Then an invocation makes the ticks of its own minute and no others: a
    /// tick that is written twice is better than none.
    Unknown,
}

/// What an invocation has done so far.
#[derive(Debug, Default)]
struct Done {
    ticks: usize,
    skipped: usize,
    failed: usize,
    clusters: usize,
    data: usize,
    lags: Vec<f64>,
    missing: Vec<String>,
    unflushed: Vec<Datum>,
}

/// An invocation at work: ticks, and what they write, go on side by side.
struct Run<'f> {
    writer: &'f EcsMetrics,
    done: &'f Mutex<Done>,
    work: FuturesUnordered<BoxFuture<'f, ()>>,
}

impl EcsMetrics {
    /// Owns a minute, if nobody else does.
    pub(crate) async fn minute(&self, minute: Timestamp, invocation: &Invocation) -> Value {
        let now = self.now();
        // An event that is ahead of the clock owns the next minute all the same.
        let minute = minute.min(later(minute_of(now), MINUTE));
        if later(minute, MINUTE) <= now {
            return skipped("the minute after the event's is over");
        }
        // A table that does not answer must not cost the minute.
        let patience = minute.max(later(now, CLAIMING));
        let claim = self.in_time(patience, self.claim(minute, invocation)).await.unwrap_or(Claim::Unknown);
        if claim == Claim::Taken {
            return skipped("another invocation owns the minute");
        }
        // Where nobody owns the minute that is running now, its trigger is lost or later than this one, and will find its
        // minute taken: the rest of it is ours, too.
        let running = minute_of(now);
        let is_ours = running == minute
            || (claim == Claim::Ours && self.claim(running, invocation).await == Claim::Ours);
        let from = if is_ours { now } else { minute };
        let done = Mutex::new(Done::default());
        let mut run = Run { writer: self, done: &done, work: FuturesUnordered::new() };
        run.run(minute, from, invocation).await;
        drop(run);
        done.into_inner().unwrap_or_else(PoisonError::into_inner).answer(minute)
    }

    /// Claims a minute.
    async fn claim(&self, minute: Timestamp, invocation: &Invocation) -> Claim {
        let Some(table) = &self.settings.lease_table else { return Claim::Unknown };
        match act::claim(&self.clients, table, minute, &invocation.request).await {
            Ok(true) => Claim::Ours,
            Ok(false) => Claim::Taken,
            Err(fault) => {
                tracing::error!(kind = ?fault.kind, "the lease of the minute could not be had: {fault}");
                Claim::Unknown
            }
        }
    }
}

impl<'f> Run<'f> {
    /// Makes all ticks from a moment to the end of the minute, and of each further one that nobody claims.
    async fn run(&mut self, minute: Timestamp, from: Timestamp, invocation: &'f Invocation) {
        let (writer, period) = (self.writer, self.writer.settings.period);
        writer.wait_until(before(from)).await;
        self.list().await;
        let mut end = later(minute, MINUTE);
        let mut due = first_due(from, period);
        let mut last = None;
        loop {
            if due >= end {
                if !self.claims_next(end, invocation).await {
                    break;
                }
                end = later(end, MINUTE);
            }
            let next = later(due, period);
            if later(next, MARGIN) > invocation.deadline {
                tracing::warn!(%due, "the function's time is over");
                break;
            }
            self.alongside(writer.wait_until(due)).await;
            if let Some(last) = last.filter(|last| crosses(*last, due, REPORTS)) {
                writer.report(&invocation.function, last);
            }
            self.begin(due, next, invocation.deadline);
            last = Some(due);
            due = next;
        }
        while self.work.next().await.is_some() {}
        flush(writer, self.done, later(writer.now(), period)).await;
        writer.report(&invocation.function, last.unwrap_or(due));
    }

    /// Claims the minute that begins at the end of ours, unless its own trigger has done so.
    async fn claims_next(&mut self, end: Timestamp, invocation: &Invocation) -> bool {
        let writer = self.writer;
        // A minute that it could only begin is left to others.
        if later(end, MINUTE + MARGIN) > invocation.deadline {
            return false;
        }
        self.alongside(writer.wait_until(before(end))).await;
        if self.alongside(writer.claim(end, invocation)).await != Claim::Ours {
            return false;
        }
        tracing::warn!(minute = %end, "nobody owned the next minute: its trigger is late or lost");
        self.list().await;
        true
    }

    /// Lists the clusters anew. Where that fails, each tick tries it.
    async fn list(&mut self) {
        let writer = self.writer;
        if let Err(fault) = self.alongside(writer.names(MINUTE.saturating_sub(LEAD))).await {
            tracing::error!("clusters not listed: {fault}");
        }
    }

    /// Begins a tick, unless it is too late for it.
    fn begin(&mut self, due: Timestamp, next: Timestamp, deadline: Timestamp) {
        let (writer, done) = (self.writer, self.done);
        if is_late(due, writer.now(), writer.settings.period) {
            lock(done).skipped += 1;
            writer.meter.counts().skipped += 1;
            return;
        }
        let lag = writer.lag(due);
        lock(done).lags.push(lag);
        writer.meter.counts().lags.push(lag);
        self.work.push(tick(writer, done, due, next).boxed());
        if due == minute_of(due) {
            self.work.push(writer.round(due, before(later(due, MINUTE)).min(deadline)).boxed());
        }
    }

    /// Waits for something while the ticks go on.
    async fn alongside<T>(&mut self, other: impl Future<Output = T>) -> T {
        let mut other = pin!(other);
        loop {
            tokio::select! {
                biased;
                done = &mut other => return done,
                Some(()) = self.work.next() => {}
            }
        }
    }
}

/// Shortly before a moment.
fn before(moment: Timestamp) -> Timestamp {
    moment.checked_sub(LEAD).unwrap_or(moment)
}

/// One tick, until the next is due.
async fn tick(writer: &EcsMetrics, done: &Mutex<Done>, due: Timestamp, next: Timestamp) {
    let read = async { writer.read(&writer.names(Duration::MAX).await?, due).await };
    let whole = match writer.in_time(next, read).await {
        None => {
            tracing::error!(%due, "the tick's time was over before it was read");
            false
        }
        Some(Err(fault)) => {
            tracing::error!(%due, kind = ?fault.kind, "tick not read: {fault}");
            false
        }
        Some(Ok((data, sight))) => {
            lock(done).see(&sight);
            let written = match writer.settings.sink {
                Sink::Flush(_) => {
                    lock(done).unflushed.extend(data);
                    true
                }
                Sink::Put | Sink::Emf => write(writer, done, data, next).await,
            };
            written && sight.failed.is_empty()
        }
    };
    {
        let (mut done, mut counts) = (lock(done), writer.meter.counts());
        done.ticks += usize::from(whole);
        counts.ticks += usize::from(whole);
        done.failed += usize::from(!whole);
        counts.failed += usize::from(!whole);
    }
    if let Sink::Flush(window) = writer.settings.sink
        && crosses(due, next, window)
    {
        flush(writer, done, later(next, window)).await;
    }
}

/// Writes what was gathered. A call that fails counts as one tick that did.
async fn flush(writer: &EcsMetrics, done: &Mutex<Done>, end: Timestamp) {
    let data = std::mem::take(&mut lock(done).unflushed);
    if !data.is_empty() && !write(writer, done, data, end).await {
        lock(done).failed += 1;
        writer.meter.counts().failed += 1;
    }
}

/// Writes data before a moment; false if some could not be.
async fn write(writer: &EcsMetrics, done: &Mutex<Done>, data: Vec<Datum>, end: Timestamp) -> bool {
    let size = data.len();
    let failed = writer.in_time(end, writer.write(data)).await;
    if failed.is_none() {
        tracing::error!(data = size, "the tick's time was over before all was written");
    }
    let failed = failed.unwrap_or(size);
    lock(done).data += size - failed;
    failed == 0
}

fn lock(done: &Mutex<Done>) -> MutexGuard<'_, Done> {
    done.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Done {
    /// Notes what was seen in a tick, and says which clusters are missing, when that changes.
    fn see(&mut self, sight: &Sight) {
        self.clusters = self.clusters.max(sight.clusters.len());
        if sight.missing != self.missing {
            name_missing(&sight.missing);
            self.missing.clone_from(&sight.missing);
        }
    }

    fn answer(mut self, minute: Timestamp) -> Value {
        self.lags.sort_by(f64::total_cmp);
        let lag = |percent: usize| {
            let place = (self.lags.len() * percent).div_ceil(100).saturating_sub(1);
            let lag = self.lags.get(place).copied().unwrap_or_default();
            (lag * 1_000.0).round() / 1_000.0
        };
        json!({
            "minute": minute.to_string(),
            "ticks": self.ticks,
            "skipped": self.skipped,
            "failed": self.failed,
            "clusters": self.clusters,
            "missing": self.missing,
            "data": self.data,
            "lagMillis": {"p50": lag(50), "p99": lag(99), "max": lag(100)},
        })
    }
}
