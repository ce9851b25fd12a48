//! Metric data as CloudWatch keeps them: by metric, small, and never copied.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde_json::{Value, json};

use super::{World, clock::Moment};
use crate::json::{object, put};

/// The units that CloudWatch knows (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html>);
/// the first is that of data without one.
pub const UNITS: [&str; 27] = [
    "None",
    "Count",
    "Seconds",
    "Microseconds",
    "Milliseconds",
    "Bytes",
    "Kilobytes",
    "Megabytes",
    "Gigabytes",
    "Terabytes",
    "Bits",
    "Kilobits",
    "Megabits",
    "Gigabits",
    "Terabits",
    "Percent",
    "Bytes/Second",
    "Kilobytes/Second",
    "Megabytes/Second",
    "Gigabytes/Second",
    "Terabytes/Second",
    "Bits/Second",
    "Kilobits/Second",
    "Megabits/Second",
    "Gigabits/Second",
    "Terabits/Second",
    "Count/Second",
];

/// What data belong to: a namespace, a name, and dimensions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Metric {
    /// The namespace.
    pub namespace: String,
    /// The metric's name.
    pub name: String,
    /// Names and values of its dimensions, in the order of the names: what order they were sent in is no
    /// part of a metric.
    pub dimensions: Vec<(String, String)>,
}

impl Metric {
    /// A metric, whatever order its dimensions come in.
    pub(crate) fn new(namespace: String, name: String, mut dimensions: Vec<(String, String)>) -> Self {
        dimensions.sort();
        Self { namespace, name, dimensions }
    }

    /// Value of one of its dimensions.
    pub fn dimension(&self, name: &str) -> Option<&str> {
        let found = self.dimensions.iter().find(|(dimension, _)| dimension == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// What a datum says.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// One value.
    One(f64),
    /// Values, and how often each was seen.
    Many(Box<[(f64, f64)]>),
    /// What the sender has made of its values.
    Summary(Box<Summary>),
}

/// The statistics of some values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// How many there are.
    pub samples: f64,
    /// Their sum.
    pub sum: f64,
    /// The least.
    pub minimum: f64,
    /// The greatest.
    pub maximum: f64,
}

impl Summary {
    /// Of no values.
    pub(crate) const EMPTY: Self =
        Self { samples: 0.0, sum: 0.0, minimum: f64::INFINITY, maximum: f64::NEG_INFINITY };

    /// Takes a datum's values too.
    pub(crate) fn add(&mut self, values: &Values) {
        match values {
            Values::One(value) => self.add_times(*value, 1.0),
            Values::Many(values) => values.iter().for_each(|(value, count)| self.add_times(*value, *count)),
            Values::Summary(other) => {
                self.samples += other.samples;
                self.sum += other.sum;
                self.minimum = self.minimum.min(other.minimum);
                self.maximum = self.maximum.max(other.maximum);
            }
        }
    }

    fn add_times(&mut self, value: f64, count: f64) {
        self.samples += count;
        self.sum += value * count;
        self.minimum = self.minimum.min(value);
        self.maximum = self.maximum.max(value);
    }
}

/// A datum as it is kept: its metric is its place.
#[derive(Clone, Debug)]
struct Stored {
    /// Milliseconds since the Unix epoch.
    timestamp: u64,
    /// Microseconds since the World began.
    received: u64,
    values: Values,
    /// Its place in [`UNITS`].
    unit: u8,
    resolution: u8,
}

/// A datum that arrives: the metric that it belongs to comes with it.
#[derive(Debug)]
pub(crate) struct Arriving {
    pub(crate) metric: Metric,
    /// Milliseconds since the Unix epoch.
    pub(crate) timestamp: u64,
    pub(crate) values: Values,
    /// Its place in [`UNITS`].
    pub(crate) unit: u8,
    /// Seconds.
    pub(crate) resolution: u8,
}

/// A datum as it was put.
#[derive(Clone, Copy, Debug)]
pub struct Datum<'w> {
    /// What it belongs to.
    pub metric: &'w Metric,
    /// Its time since the Unix epoch, in whole milliseconds.
    pub timestamp: Duration,
    /// When it arrived, in whole microseconds.
    pub received: Moment,
    /// What it says.
    pub values: &'w Values,
    /// Its unit.
    pub unit: &'static str,
    /// Seconds: 1 or 60.
    pub resolution: u8,
}

impl Datum<'_> {
    /// Its value, if it has exactly one.
    pub fn value(&self) -> Option<f64> {
        if let Values::One(value) = self.values { Some(*value) } else { None }
    }

    /// Its time as a date.
    pub fn date(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + self.timestamp
    }

    /// For whoever watches the server: times in seconds, values as they were put.
    pub fn to_json(&self) -> Value {
        let dimensions = self.metric.dimensions.iter();
        let dimensions = dimensions.map(|(name, value)| (name.clone(), value.as_str().into()));
        let mut json = object([
            ("namespace", self.metric.namespace.as_str().into()),
            ("name", self.metric.name.as_str().into()),
            ("dimensions", Value::Object(dimensions.collect())),
            ("timestamp", self.timestamp.as_secs_f64().into()),
            ("received", self.received.as_secs_f64().into()),
            ("unit", self.unit.into()),
            ("resolution", self.resolution.into()),
        ]);
        match self.values {
            Values::One(value) => put(&mut json, "value", *value),
            Values::Many(values) => put(&mut json, "values", json!(values)),
            Values::Summary(of) => {
                let statistics = [
                    ("SampleCount", of.samples.into()),
                    ("Sum", of.sum.into()),
                    ("Minimum", of.minimum.into()),
                    ("Maximum", of.maximum.into()),
                ];
                put(&mut json, "statistics", object(statistics));
            }
        }
        json
    }
}

#[derive(Debug)]
struct Series {
    metric: Arc<Metric>,
    data: Vec<Stored>,
    /// When the newest arrived.
    received: Moment,
}

impl Series {
    fn iter(&self) -> impl Iterator<Item = Datum<'_>> {
        self.data.iter().map(|stored| Datum {
            metric: &self.metric,
            timestamp: Duration::from_millis(stored.timestamp),
            received: Duration::from_micros(stored.received),
            values: &stored.values,
            unit: UNITS.get(usize::from(stored.unit)).copied().unwrap_or_default(),
            resolution: stored.resolution,
        })
    }
}

/// All data of all metrics.
#[derive(Debug, Default)]
pub(crate) struct MetricStore {
    /// In the order of their first datum.
    series: Vec<Series>,
    places: HashMap<Arc<Metric>, usize>,
    count: usize,
}

impl MetricStore {
    /// Keeps a datum.
    pub(crate) fn put(&mut self, datum: Arriving, now: Moment) {
        let place = if let Some(place) = self.places.get(&datum.metric) {
            *place
        } else {
            let metric = Arc::new(datum.metric);
            self.places.insert(Arc::clone(&metric), self.series.len());
            self.series.push(Series { metric, data: Vec::new(), received: now });
            self.series.len() - 1
        };
        if let Some(series) = self.series.get_mut(place) {
            let received = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
            let Arriving { timestamp, values, unit, resolution, .. } = datum;
            series.data.push(Stored { timestamp, received, values, unit, resolution });
            series.received = now;
            self.count += 1;
        }
    }

    /// The data of one metric, in the order of their arrival.
    pub(crate) fn of(&self, metric: &Metric) -> impl Iterator<Item = Datum<'_>> {
        let place = self.places.get(metric).and_then(|place| self.series.get(*place));
        place.into_iter().flat_map(Series::iter)
    }

    /// Every metric in the order of its first datum, and when its newest arrived.
    pub(crate) fn metrics(&self) -> impl Iterator<Item = (&Metric, Moment)> {
        self.series.iter().map(|series| (&*series.metric, series.received))
    }
}

impl World {
    /// Every datum that was ever put: metric by metric, in the order of their arrival. Nothing is copied.
    pub fn metric_data(&self) -> impl Iterator<Item = Datum<'_>> {
        self.metrics.series.iter().flat_map(Series::iter)
    }

    /// How many data were ever put.
    pub fn metric_count(&self) -> usize {
        self.metrics.count
    }

    /// The metrics that there are data of, in the order of their first.
    pub fn metrics(&self) -> impl Iterator<Item = &Metric> {
        self.metrics.metrics().map(|(metric, _)| metric)
    }
}
