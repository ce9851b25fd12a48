//! One tick: read, decide, write, all within its time.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_helpers::emf::{Document, Metric};
use aws_helpers::envelope::BadMessage;
use aws_helpers::fault::Fault;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::decide::data::data;
use crate::decide::schedule::{MINUTE, is_late, later, minute_of, nearest, until};
use crate::error::Error;
use crate::event::Tick;
use crate::metric::{Datum, Unit};
use crate::settings::{Extra, Sink};
use crate::snapshot::Sight;
use crate::{EcsMetrics, Invocation, act, observe, skipped};

/// How long names are remembered from one tick's invocation to another's.
const REMEMBERED: Duration = MINUTE;

impl EcsMetrics {
    /// A tick that is an invocation of its own.
    pub(crate) async fn single(&self, tick: Tick, invocation: &Invocation) -> Result<Value, Error> {
        let (now, period) = (self.now(), self.settings.period);
        let due = nearest(tick.time.unwrap_or(now), period);
        if until(now, due) > MINUTE {
            return Err(
                BadMessage { kind: "tick", field: "time", problem: "lies more than a minute ahead" }.into()
            );
        }
        if tick.time.is_some() && is_late(due, now, period) {
            self.meter.counts().lags.push(self.lag(due));
            self.meter.counts().skipped += 1;
            self.report(&invocation.function, due);
            return Ok(skipped("the tick's time is over"));
        }
        self.wait_until(due).await;
        if tick.time.is_some() {
            self.meter.counts().lags.push(self.lag(due));
        }
        let end = later(due, period);
        let answer =
            self.in_time(end, self.whole(tick.clusters.as_deref(), due)).await.unwrap_or(Err(Error::Late));
        if answer.is_err() {
            self.meter.counts().failed += 1;
        } else if due == minute_of(due) && tick.clusters.is_none() {
            let end = later(due, MINUTE).min(invocation.deadline);
            self.in_time(end, self.round(due, end)).await;
        }
        self.report(&invocation.function, due);
        answer
    }

    async fn whole(&self, clusters: Option<&[String]>, due: Timestamp) -> Result<Value, Error> {
        let (data, sight) = match clusters {
            Some(names) => self.read(names, due).await?,
            None => self.read(&self.names(REMEMBERED).await?, due).await?,
        };
        name_missing(&sight.missing);
        let written = data.len();
        let failed = self.write(data).await;
        let unread: usize = sight.failed.iter().map(|(clusters, _)| clusters).sum();
        let mut counts = self.meter.counts();
        counts.ticks += usize::from(failed + unread == 0);
        counts.failed += usize::from(failed + unread > 0);
        Ok(json!({
            "time": due.to_string(),
            "clusters": sight.clusters.len(),
            "data": written - failed,
            "missing": sight.missing,
            "failed": failed + unread,
        }))
    }

    /// Reads clusters, and makes their data. Fails only if nothing could be read.
    pub(crate) async fn read(&self, names: &[String], due: Timestamp) -> Result<(Vec<Datum>, Sight), Fault> {
        let launch_types = self.settings.wants(Extra::LaunchTypes);
        let mut sight = observe::clusters(&self.clients, names, launch_types).await;
        for (clusters, fault) in &sight.failed {
            tracing::error!(clusters, kind = ?fault.kind, "not read in this tick: {fault}");
        }
        if sight.clusters.is_empty()
            && sight.missing.is_empty()
            && let Some((_, fault)) = sight.failed.pop()
        {
            return Err(fault);
        }
        let mut counts = self.meter.counts();
        counts.clusters = counts.clusters.max(sight.clusters.len());
        counts.missing = counts.missing.max(sight.missing.len());
        Ok((data(&sight.clusters, launch_types, due), sight))
    }

    /// Writes data to the sink; returns how many could not be.
    pub(crate) async fn write(&self, data: Vec<Datum>) -> usize {
        if self.settings.sink == Sink::Emf {
            documents(&self.settings.namespace, &data).iter().for_each(Document::log);
            return 0;
        }
        let failed = act::put(&self.clients, &self.settings.namespace, data).await;
        for (data, fault) in &failed {
            tracing::error!(data, kind = ?fault.kind, "not written: {fault}");
        }
        failed.iter().map(|(data, _)| data).sum()
    }

    /// Milliseconds since a tick was due.
    pub(crate) fn lag(&self, due: Timestamp) -> f64 {
        self.now().duration_since(due).as_secs_f64() * 1_000.0
    }

    /// What comes of something before a moment; none if it takes longer.
    pub(crate) async fn in_time<T>(&self, end: Timestamp, what: impl Future<Output = T>) -> Option<T> {
        timeout(until(self.now(), end), what).await.ok()
    }

    /// Writes the writer's own metrics, which begin anew.
    pub(crate) fn report(&self, function: &str, at: Timestamp) {
        let counts = self.meter.take();
        if self.settings.self_metrics {
            counts.document(function, at).log();
        }
    }
}

/// Names of missing clusters in a line of the log: an event may name any number of them.
const NAMED: usize = 10;

/// Says which clusters are missing, if any are: the first of them.
pub(crate) fn name_missing(missing: &[String]) {
    if !missing.is_empty() {
        let clusters = missing.get(..NAMED).unwrap_or(missing).join(", ");
        tracing::warn!(clusters, missing = missing.len(), "ECS does not know clusters of this name");
    }
}

/// A document for each cluster or service and moment, since one holds one value of a dimension.
fn documents(namespace: &str, data: &[Datum]) -> Vec<Document> {
    let same = |a: &Datum, b: &Datum| (a.at, &a.cluster, &a.service) == (b.at, &b.cluster, &b.service);
    let groups = data.chunk_by(same).filter_map(|group| Some((group.first()?, group)));
    let document = |(first, group): (&Datum, &[Datum])| {
        let dimensions = first.dimensions().map(|(name, value)| (name, value.to_string()));
        let metrics = group.iter().map(|datum| {
            let unit = match datum.unit {
                Unit::Count => "Count",
                Unit::Seconds => "Seconds",
            };
            Metric::new(datum.name.clone(), unit, datum.resolution.seconds(), vec![datum.value])
        });
        Document {
            namespace: namespace.to_owned(),
            at: first.at.as_millisecond(),
            dimensions: dimensions.collect::<BTreeMap<_, _>>(),
            metrics: metrics.collect(),
        }
    };
    groups.map(document).collect()
}
