//! `ListMetrics`.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html>

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Dimension, invalid, required, too_many};
use crate::{
    error::ApiError,
    services::Answer,
    wire::Raw,
    world::{World, metrics::Metric},
};

/// Metrics of a page at most.
const PAGE: usize = 500;
/// Most dimensions that can be asked for.
const MOST_FILTERS: usize = 10;
/// A metric without new data for so long is not listed.
const LISTED: Duration = Duration::from_hours(14 * 24);
/// What `PT3H` means.
const RECENT: Duration = Duration::from_hours(3);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct List {
    namespace: Option<String>,
    metric_name: Option<String>,
    #[serde(default)]
    dimensions: Vec<Dimension>,
    recently_active: Option<String>,
    next_token: Option<String>,
}

impl List {
    fn wants(&self, metric: &Metric) -> bool {
        let is_asked =
            |asked: &Option<String>, value: &String| asked.as_ref().is_none_or(|asked| asked == value);
        let has = |filter: &Dimension| {
            let value = filter.name.as_ref().and_then(|name| metric.dimension(name));
            value.is_some_and(|value| filter.value.as_ref().is_none_or(|wanted| wanted == value))
        };
        is_asked(&self.namespace, &metric.namespace)
            && is_asked(&self.metric_name, &metric.name)
            && self.dimensions.iter().all(has)
    }
}

/// A page's token is the number of the last metric on it: metrics are never forgotten, so the numbers stay.
pub(super) fn list(world: &mut World, parameters: &Raw) -> Answer {
    let ask: List = parameters.read()?;
    if ask.dimensions.len() > MOST_FILTERS {
        return Err(too_many("Dimensions", MOST_FILTERS));
    }
    for filter in &ask.dimensions {
        required("Dimensions.member.Name", filter.name.as_ref())?;
    }
    let age = match ask.recently_active.as_deref() {
        None => LISTED,
        Some("PT3H") => RECENT,
        Some(other) => return Err(invalid("RecentlyActive", other)),
    };
    let after = ask.next_token.as_deref().map(token).transpose()?.unwrap_or_default();
    let oldest = world.now.saturating_sub(age);
    let listed = (1..).zip(world.metrics.metrics()).skip(after);
    let listed = listed.filter(|(_, (metric, received))| *received >= oldest && ask.wants(metric));
    let mut found: Vec<(usize, &Metric)> =
        listed.map(|(number, (metric, _))| (number, metric)).take(PAGE + 1).collect();
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let next = found.last().filter(|_| more).map(|(last, _)| format!("after:{last}"));
    let metrics: Vec<_> = found.iter().map(|(_, metric)| describe(metric)).collect();
    Ok(json!({"Metrics": metrics, "NextToken": next}))
}

fn token(token: &str) -> Result<usize, ApiError> {
    let number = token.strip_prefix("after:").and_then(|number| number.parse().ok());
    number.ok_or_else(|| invalid("NextToken", token))
}

fn describe(metric: &Metric) -> Value {
    let dimensions = metric.dimensions.iter().map(|(name, value)| json!({"Name": name, "Value": value}));
    json!({
        "Namespace": metric.namespace,
        "MetricName": metric.name,
        "Dimensions": dimensions.collect::<Vec<_>>(),
    })
}
