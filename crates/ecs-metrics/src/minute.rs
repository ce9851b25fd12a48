//! All ticks of a minute, by one invocation that owns it.

use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::decide::schedule::{MINUTE, crosses, first_due, is_late, later, minute_of, until};
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
/// So long before the next tick, which a line of the log must not hold up.
const REPORTING: Duration = Duration::from_millis(50);

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
    /// What is not flushed yet, and of how many ticks.
    unflushed: Vec<Datum>,
    gathered: usize,
}

/// An invocation at work: ticks, and what they write, go on side by side.
struct Run<'f> {
    writer: &'f EcsMetrics,
    done: &'f Mutex<Done>,
    /// When everything must have ended, shortly before Lambda ends it.
    stop: Timestamp,
    work: FuturesUnordered<BoxFuture<'f, ()>>,
}

impl EcsMetrics {
    /// Owns a minute, if nobody else does.
    pub(crate) async fn minute(&self, minute: Timestamp, invocation: &Invocation) -> Value {
        let now = self.now();
        // An event that is ahead of the clock owns the next minute all the same, one that is far behind the running one.
        let running = minute_of(now);
        let minute = minute.clamp(running, later(running, MINUTE));
        // A table that does not answer must not cost the minute.
        let patience = minute.max(later(now, CLAIMING));
        let claim = self.in_time(patience, self.claim(minute, invocation)).await.unwrap_or(Claim::Unknown);
        if claim == Claim::Taken {
            return skipped("another invocation owns the minute");
        }
        // Where nobody owns the minute that is running now, its trigger is lost or later than this one, and will find its
        // minute taken: the rest of it is ours, too.
        let is_ours = running == minute
            || (claim == Claim::Ours
                && self.in_time(patience, self.claim(running, invocation)).await == Some(Claim::Ours));
        let from = if is_ours { now } else { minute };
        let done = Mutex::new(Done::default());
        let stop = invocation.deadline.checked_sub(LEAD).unwrap_or(invocation.deadline);
        let mut run = Run { writer: self, done: &done, stop, work: FuturesUnordered::new() };
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
        self.list(from.max(later(writer.now(), LEAD))).await;
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
            if let Some(last) = last.filter(|last| crosses(*last, due, REPORTS)) {
                let left = until(writer.now(), due).saturating_sub(REPORTING);
                self.alongside(tokio::time::sleep(left)).await;
                writer.report(&invocation.function, last);
            }
            self.alongside(writer.wait_until(due)).await;
            self.begin(due, next);
            last = Some(due);
            due = next;
        }
        while self.work.next().await.is_some() {}
        flush(writer, self.done, later(writer.now(), period).min(self.stop)).await;
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
        self.list(end).await;
        true
    }

    /// Lists the clusters anew, if that takes no longer than until `end`. Otherwise those of the last list are measured; if
    /// there was none, each tick tries it.
    async fn list(&mut self, end: Timestamp) {
        let writer = self.writer;
        let names = writer.in_time(end, Box::pin(writer.names(MINUTE.saturating_sub(LEAD))));
        match self.alongside(names).await {
            Some(Ok(_)) => {}
            Some(Err(fault)) => tracing::error!("clusters not listed: {fault}"),
            None => tracing::error!("clusters not listed in time"),
        }
    }

    /// Begins a tick, unless it is too late for it; and what is done at the end of a window or the beginning of a minute.
    fn begin(&mut self, due: Timestamp, next: Timestamp) {
        let (writer, done, stop) = (self.writer, self.done, self.stop);
        let lag = writer.lag(due);
        lock(done).lags.push(lag);
        writer.meter.counts().lags.push(lag);
        let window = match writer.settings.sink {
            Sink::Flush(window) if crosses(due, next, window) => Some(window),
            _ => None,
        };
        let is_late = is_late(due, writer.now(), writer.settings.period);
        if is_late {
            lock(done).skipped += 1;
            writer.meter.counts().skipped += 1;
        }
        let work = async move {
            if !is_late {
                tick(writer, done, due, next).await;
            }
            if let Some(window) = window {
                flush(writer, done, later(next, window).min(stop)).await;
            }
        };
        self.work.push(work.boxed());
        if due == minute_of(due) {
            self.work.push(writer.round(due, before(later(due, MINUTE)).min(stop)).boxed());
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
            let read = sight.failed.is_empty();
            if let Sink::Flush(_) = writer.settings.sink {
                let mut done = lock(done);
                done.unflushed.extend(data);
                if read {
                    done.gathered += 1;
                    return;
                }
                false
            } else {
                write(writer, done, data, next).await && read
            }
        }
    };
    note(writer, done, 1, whole);
}

/// Writes what was gathered; the ticks that it is of are written with it, or fail.
async fn flush(writer: &EcsMetrics, done: &Mutex<Done>, end: Timestamp) {
    let (data, ticks) = {
        let mut done = lock(done);
        (std::mem::take(&mut done.unflushed), std::mem::take(&mut done.gathered))
    };
    let whole = data.is_empty() || write(writer, done, data, end).await;
    note(writer, done, ticks, whole);
}

/// Counts ticks that were written whole, or failed.
fn note(writer: &EcsMetrics, done: &Mutex<Done>, ticks: usize, whole: bool) {
    let (mut done, mut counts) = (lock(done), writer.meter.counts());
    let (mine, own) =
        if whole { (&mut done.ticks, &mut counts.ticks) } else { (&mut done.failed, &mut counts.failed) };
    *mine += ticks;
    *own += ticks;
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
