//! `PutMetricData`: all of a call's data are checked before the first is kept.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html>

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::{Date, Dimension, Within, combination, dimensions, invalid, is_text, required, too_many, unit};
use crate::{
    error::ApiError,
    services::Answer,
    wire::Raw,
    world::{
        World,
        metrics::{Arriving, Metric, Summary, Values},
    },
};

/// Most bytes of a request, as it is sent.
const LONGEST: usize = 1_000_000;
/// Most data of a call.
const MOST: usize = 1_000;
/// Most values of a datum.
const MOST_VALUES: usize = 150;
/// Longest name of a metric or a namespace.
const LONGEST_NAME: usize = 255;
/// How old a datum may be.
const PAST: Duration = Duration::from_hours(14 * 24);
/// How far ahead of time it may be.
const FUTURE: Duration = Duration::from_hours(2);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Put {
    namespace: Option<String>,
    metric_data: Option<Vec<Datum>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Datum {
    metric_name: Option<String>,
    dimensions: Option<Vec<Dimension>>,
    timestamp: Option<Date>,
    value: Option<f64>,
    values: Option<Vec<f64>>,
    counts: Option<Vec<f64>>,
    statistic_values: Option<StatisticSet>,
    unit: Option<String>,
    storage_resolution: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct StatisticSet {
    sample_count: Option<f64>,
    sum: Option<f64>,
    minimum: Option<f64>,
    maximum: Option<f64>,
}

/// The namespace that data are put into, which permissions may depend on.
pub(in crate::services) fn namespace_of(parameters: &Raw) -> Option<String> {
    parameters.read::<Put>().ok()?.namespace
}

pub(super) fn put(world: &mut World, parameters: &Raw) -> Answer {
    if parameters.sent > LONGEST {
        let message = format!("The request has {} bytes; {LONGEST} are allowed.", parameters.sent);
        return Err(ApiError { status: 413, code: "RequestEntityTooLarge".to_owned(), message });
    }
    let ask: Put = parameters.read()?;
    let namespace = namespace(ask.namespace)?;
    let data = required("MetricData", ask.metric_data.filter(|data| !data.is_empty()))?;
    if data.len() > MOST {
        return Err(too_many("MetricData", MOST));
    }
    let window = Window::around(world);
    let arriving: Vec<_> = (1..)
        .zip(data)
        .map(|(number, datum)| datum.check(&namespace, Within::Datum(number), &window))
        .collect::<Result<_, _>>()?;
    let now = world.now;
    for datum in arriving {
        world.metrics.put(datum, now);
    }
    Ok(Value::Null)
}

fn namespace(given: Option<String>) -> Result<String, ApiError> {
    let namespace = required("Namespace", given)?;
    let is_ours = !namespace.starts_with("AWS/") && !namespace.starts_with(':');
    if is_ours && is_text(&namespace, LONGEST_NAME) {
        Ok(namespace)
    } else {
        Err(invalid("Namespace", namespace))
    }
}

/// The times that data may have, in milliseconds since the Unix epoch.
struct Window {
    first: u64,
    now: u64,
    last: u64,
}

impl Window {
    fn around(world: &World) -> Self {
        let milliseconds = |at: Duration| u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
        let now = world.calendar.since_epoch(world.now);
        Self {
            first: milliseconds(now.saturating_sub(PAST)),
            now: milliseconds(now),
            last: milliseconds(now + FUTURE),
        }
    }

    fn check(&self, within: Within, given: Option<Date>) -> Result<u64, ApiError> {
        let Some(date) = given else { return Ok(self.now) };
        let at = date.milliseconds().filter(|at| (self.first..=self.last).contains(at));
        at.ok_or_else(|| within.invalid("Timestamp", date.0))
    }
}

impl Datum {
    fn check(self, namespace: &str, within: Within, window: &Window) -> Result<Arriving, ApiError> {
        let name = within.required("MetricName", self.metric_name)?;
        if !is_text(&name, LONGEST_NAME) {
            return Err(within.invalid("MetricName", name));
        }
        let resolution = match self.storage_resolution {
            None | Some(60) => 60,
            Some(1) => 1,
            Some(other) => return Err(within.invalid("StorageResolution", other)),
        };
        let unit = self.unit.map_or(Ok(0), |given| unit(within, &given))?;
        let timestamp = window.check(within, self.timestamp)?;
        let values = values(within, self.value, self.values, self.counts, self.statistic_values)?;
        let dimensions = dimensions(within, self.dimensions)?;
        let metric = Metric::new(namespace.to_owned(), name, dimensions);
        Ok(Arriving { metric, timestamp, values, unit, resolution })
    }
}

/// What a datum says, which it must say in exactly one way.
fn values(
    within: Within,
    value: Option<f64>,
    values: Option<Vec<f64>>,
    counts: Option<Vec<f64>>,
    set: Option<StatisticSet>,
) -> Result<Values, ApiError> {
    if counts.is_some() && values.is_none() {
        return Err(combination(within.place("Counts cannot be without Values.")));
    }
    match (value, values, set) {
        (Some(value), None, None) => number(within, "Value", value).map(Values::One),
        (None, Some(values), None) => many(within, &values, counts),
        (None, None, Some(set)) => set.check(within),
        (None, None, None) => within.required("Value", None),
        (Some(_), Some(_), None) => {
            Err(within.invalid("Values", "beside Value, which are mutually exclusive"))
        }
        _ => Err(combination(within.place("Value, Values and StatisticValues are mutually exclusive."))),
    }
}

fn many(within: Within, values: &[f64], counts: Option<Vec<f64>>) -> Result<Values, ApiError> {
    if !(1..=MOST_VALUES).contains(&values.len()) {
        return Err(within.invalid("Values", format!("of {} numbers", values.len())));
    }
    let counts = counts.unwrap_or_else(|| vec![1.0; values.len()]);
    if counts.len() != values.len() {
        return Err(within.invalid("Counts", format!("of {} numbers", counts.len())));
    }
    let pair = |(value, count): (&f64, f64)| {
        let count = number(within, "Counts", count)?;
        if count <= 0.0 {
            return Err(within.invalid("Counts", count));
        }
        Ok((number(within, "Values", *value)?, count))
    };
    Ok(Values::Many(values.iter().zip(counts).map(pair).collect::<Result<_, _>>()?))
}

impl StatisticSet {
    fn check(self, within: Within) -> Result<Values, ApiError> {
        let read = |name: &str, given: Option<f64>| {
            let name = format!("StatisticValues.{name}");
            number(within, &name, within.required(&name, given)?)
        };
        let summary = Summary {
            samples: read("SampleCount", self.sample_count)?,
            sum: read("Sum", self.sum)?,
            minimum: read("Minimum", self.minimum)?,
            maximum: read("Maximum", self.maximum)?,
        };
        if summary.samples <= 0.0 {
            return Err(within.invalid("StatisticValues.SampleCount", summary.samples));
        }
        if summary.minimum > summary.maximum {
            return Err(combination(within.place("StatisticValues has a Minimum above its Maximum.")));
        }
        Ok(Values::Summary(Box::new(summary)))
    }
}

/// A number that CloudWatch takes: from -2^360 to 2^360.
fn number(within: Within, name: &str, number: f64) -> Result<f64, ApiError> {
    let greatest = f64::from_bits((1_023 + 360) << 52);
    if (-greatest..=greatest).contains(&number) { Ok(number) } else { Err(within.invalid(name, number)) }
}
