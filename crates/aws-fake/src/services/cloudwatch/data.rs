//! `GetMetricData`, of metrics only: no expressions, no percentiles.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html>

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Date, Dimension, Within, dimensions,
    read::{STATISTICS, Window, period, seconds, statistic},
    unit,
};
use crate::{
    error::ApiError,
    services::Answer,
    wire::Raw,
    world::{
        World,
        metrics::{Metric, Summary},
    },
};

/// Most queries of a call.
const MOST_QUERIES: usize = 500;
/// Most data points of an answer, and how many unless said.
const MOST: usize = 100_800;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Get {
    #[serde(default)]
    metric_data_queries: Vec<Query>,
    start_time: Option<Date>,
    end_time: Option<Date>,
    scan_by: Option<ScanBy>,
    max_datapoints: Option<usize>,
    next_token: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
enum ScanBy {
    TimestampAscending,
    TimestampDescending,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Query {
    id: Option<String>,
    label: Option<String>,
    metric_stat: Option<MetricStat>,
    return_data: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct MetricStat {
    metric: Option<Wanted>,
    period: Option<i64>,
    stat: Option<String>,
    unit: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Wanted {
    namespace: Option<String>,
    metric_name: Option<String>,
    dimensions: Option<Vec<Dimension>>,
}

/// A query that can be answered.
struct Checked {
    id: String,
    label: Option<String>,
    metric: Metric,
    period: u64,
    stat: String,
    unit: Option<String>,
}

/// Everything that this operation refuses has this one code.
fn refused(message: impl Into<String>) -> ApiError {
    ApiError::refused("ValidationError", message)
}

fn required<T>(name: &str, given: Option<T>) -> Result<T, ApiError> {
    given.ok_or_else(|| refused(format!("The parameter {name} is required.")))
}

pub(super) fn get(world: &mut World, parameters: &Raw) -> Answer {
    let ask: Get = parameters.read()?;
    if !(1..=MOST_QUERIES).contains(&ask.metric_data_queries.len()) {
        return Err(refused(format!("MetricDataQueries must have 1 to {MOST_QUERIES} items.")));
    }
    let most = ask.max_datapoints.unwrap_or(MOST);
    if !(1..=MOST).contains(&most) {
        return Err(refused(format!("MaxDatapoints must be 1 to {MOST}.")));
    }
    let (from, to) = (required("StartTime", ask.start_time)?, required("EndTime", ask.end_time)?);
    let window = Window::new(world, from, to)
        .ok_or_else(|| refused("The parameter EndTime must be greater than StartTime."))?;
    let newest_first = ask.scan_by != Some(ScanBy::TimestampAscending);
    let queries = check(ask.metric_data_queries)?;
    let (first, mut skipped) = ask.next_token.as_deref().map(token).transpose()?.unwrap_or_default();
    let mut left = most;
    let mut results = Vec::new();
    let mut next = None;
    for (number, query) in queries.iter().enumerate().skip(first) {
        if left == 0 {
            next = Some(format!("from:{number}:0"));
            break;
        }
        let points = points(world, window, query, newest_first);
        let answered = points.get(skipped..).unwrap_or_default();
        let page = answered.get(..left).unwrap_or(answered);
        let is_whole = page.len() == answered.len();
        results.push(result(query, page, is_whole));
        if !is_whole {
            next = Some(format!("from:{number}:{}", skipped + page.len()));
            break;
        }
        left -= page.len();
        skipped = 0;
    }
    Ok(json!({"MetricDataResults": results, "NextToken": next, "Messages": []}))
}

fn check(queries: Vec<Query>) -> Result<Vec<Checked>, ApiError> {
    let mut ids = BTreeSet::new();
    let mut checked = Vec::with_capacity(queries.len());
    for query in queries {
        let id = required("MetricDataQueries.member.Id", query.id)?;
        let is_id = id.starts_with(|first: char| first.is_ascii_lowercase())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_id || id.len() > 255 || !ids.insert(id.clone()) {
            return Err(refused(format!("The id {id:?} is not valid, or there twice.")));
        }
        let of = required("MetricDataQueries.member.MetricStat", query.metric_stat)?;
        let metric = required("MetricStat.Metric", of.metric)?;
        let namespace = required("Metric.Namespace", metric.namespace)?;
        let name = required("Metric.MetricName", metric.metric_name)?;
        let dimensions =
            dimensions(Within::Request, metric.dimensions).map_err(|error| refused(error.message))?;
        let period = period("Period", required("MetricStat.Period", of.period)?);
        let stat = required("MetricStat.Stat", of.stat)?;
        if !STATISTICS.contains(&stat.as_str()) {
            return Err(refused(format!("The statistic {stat} is not one of those that this World has.")));
        }
        let unit = of.unit.map(|name| unit(Within::Request, &name).map(|_| name)).transpose();
        if query.return_data == Some(false) {
            continue;
        }
        checked.push(Checked {
            id,
            label: query.label,
            metric: Metric::new(namespace, name, dimensions),
            period: period.map_err(|error| refused(error.message))?,
            stat,
            unit: unit.map_err(|error| refused(error.message))?,
        });
    }
    if checked.is_empty() {
        return Err(refused("At least one query must have ReturnData."));
    }
    Ok(checked)
}

/// Times and values; of one time there is one value, whatever units there are.
fn points(world: &World, window: Window, query: &Checked, newest_first: bool) -> Vec<(u64, f64)> {
    let found = window.read(world, &query.metric, query.period, query.unit.as_deref());
    let mut by_time: BTreeMap<u64, Summary> = BTreeMap::new();
    for ((at, _), summary) in found {
        let whole = by_time.entry(at).or_insert(Summary::EMPTY);
        whole.add(&crate::world::metrics::Values::Summary(Box::new(summary)));
    }
    let mut points: Vec<_> =
        by_time.iter().map(|(at, summary)| (*at, statistic(summary, &query.stat))).collect();
    if newest_first {
        points.reverse();
    }
    points
}

fn result(query: &Checked, points: &[(u64, f64)], is_whole: bool) -> Value {
    json!({
        "Id": query.id,
        "Label": query.label.as_ref().unwrap_or(&query.metric.name),
        "Timestamps": points.iter().map(|(at, _)| seconds(*at)).collect::<Vec<_>>(),
        "Values": points.iter().map(|(_, value)| *value).collect::<Vec<_>>(),
        "StatusCode": if is_whole { "Complete" } else { "PartialData" },
    })
}

/// A token says with which query the next page begins, and how many of its points were there already.
fn token(token: &str) -> Result<(usize, usize), ApiError> {
    let parts = token.strip_prefix("from:").and_then(|rest| rest.split_once(':'));
    let read = parts.and_then(|(query, point)| Some((query.parse().ok()?, point.parse().ok()?)));
    read.ok_or_else(|| ApiError::refused("InvalidNextToken", "The NextToken is not valid."))
}
