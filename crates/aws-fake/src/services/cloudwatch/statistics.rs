//! `GetMetricStatistics`.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html>

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Date, Dimension, Within, combination, dimensions, invalid,
    read::{STATISTICS, Window, period, seconds, statistic},
    required, unit,
};
use crate::{
    services::Answer,
    wire::Raw,
    world::{
        World,
        metrics::{Metric, Summary},
    },
};

/// Most data points of an answer.
const MOST: u64 = 1_440;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Get {
    namespace: Option<String>,
    metric_name: Option<String>,
    dimensions: Option<Vec<Dimension>>,
    start_time: Option<Date>,
    end_time: Option<Date>,
    period: Option<i64>,
    #[serde(default)]
    statistics: Vec<String>,
    unit: Option<String>,
}

pub(super) fn get(world: &mut World, parameters: &Raw) -> Answer {
    let ask: Get = parameters.read()?;
    let namespace = required("Namespace", ask.namespace)?;
    let name = required("MetricName", ask.metric_name)?;
    let metric = Metric::new(namespace, name, dimensions(Within::Request, ask.dimensions)?);
    let (from, to) = (required("StartTime", ask.start_time)?, required("EndTime", ask.end_time)?);
    let period = period("Period", required("Period", ask.period)?)?;
    if ask.statistics.is_empty() {
        return Err(combination("Must specify either Statistics or ExtendedStatistics"));
    }
    if let Some(other) = ask.statistics.iter().find(|name| !STATISTICS.contains(&name.as_str())) {
        return Err(invalid("Statistics", other));
    }
    ask.unit.as_deref().map(|name| unit(Within::Request, name)).transpose()?;
    let window =
        Window::new(world, from, to).ok_or_else(|| invalid("StartTime", "that is not before EndTime"))?;
    let points = window.periods(period);
    if points > MOST {
        return Err(combination(format!(
            "You have requested up to {points} datapoints, which exceeds the limit of {MOST}."
        )));
    }
    let found = window.read(world, &metric, period, ask.unit.as_deref());
    let points: Vec<_> =
        found.iter().map(|((at, unit), summary)| point(*at, unit, summary, &ask.statistics)).collect();
    Ok(json!({"Label": metric.name, "Datapoints": points}))
}

fn point(at: u64, unit: &str, summary: &Summary, statistics: &[String]) -> Value {
    let mut point = json!({"Timestamp": seconds(at), "Unit": unit});
    for name in statistics {
        crate::json::put(&mut point, name, statistic(summary, name));
    }
    point
}
