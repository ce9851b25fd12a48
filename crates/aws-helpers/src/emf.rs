//! Metrics in lines of the log, which CloudWatch Logs turns into metrics: the embedded metric format.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Metrics a line, and values a metric: more are not taken.
const MOST: usize = 100;

/// The target of the log events that carry a document; [`crate::telemetry`] writes them as they are.
pub(crate) const TARGET: &str = "aws_helpers::emf";

/// Metrics of one moment that have the same dimensions.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Their namespace.
    pub namespace: String,
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// Names and values of their dimensions.
    pub dimensions: BTreeMap<&'static str, String>,
    /// The metrics, each name once.
    pub metrics: Vec<Metric>,
}

/// One metric of a document.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    name: Cow<'static, str>,
    unit: &'static str,
    resolution: u8,
    values: Vec<f64>,
}

impl Metric {
    /// A metric: its name, CloudWatch's word for its unit, `StorageResolution` (1 or 60 seconds), and its values.
    pub fn new(
        name: impl Into<Cow<'static, str>>,
        unit: &'static str,
        resolution: u8,
        values: Vec<f64>,
    ) -> Self {
        Self { name: name.into(), unit, resolution, values }
    }
}

impl Document {
    /// Writes it to the log, in as many lines as it takes.
    pub fn log(&self) {
        for line in self.lines() {
            tracing::info!(target: TARGET, "{line}");
        }
    }

    /// Its lines.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let longest = self.metrics.iter().map(|metric| metric.values.len()).max().unwrap_or_default();
        let mut lines = Vec::new();
        for from in (0..longest).step_by(MOST) {
            let with_values: Vec<(&Metric, &[f64])> = self
                .metrics
                .iter()
                .filter_map(|metric| Some((metric, metric.values.get(from..)?)))
                .map(|(metric, values)| (metric, values.get(..MOST).unwrap_or(values)))
                .filter(|(_, values)| !values.is_empty())
                .collect();
            lines.extend(with_values.chunks(MOST).map(|metrics| self.line(metrics)));
        }
        lines
    }

    fn line(&self, metrics: &[(&Metric, &[f64])]) -> String {
        let names: Vec<&str> = self.dimensions.keys().copied().collect();
        let described = metrics.iter().map(|(metric, _)| {
            json!({"Name": metric.name, "Unit": metric.unit, "StorageResolution": metric.resolution})
        });
        let directive = json!({
            "Namespace": self.namespace,
            "Dimensions": [names],
            "Metrics": described.collect::<Vec<_>>(),
        });
        let mut line = Map::new();
        line.insert("_aws".to_owned(), json!({"Timestamp": self.at, "CloudWatchMetrics": [directive]}));
        let dimensions = self.dimensions.iter();
        line.extend(dimensions.map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str()))));
        for (metric, values) in metrics {
            let value = if let [value] = values { json!(value) } else { json!(values) };
            line.insert(metric.name.clone().into_owned(), value);
        }
        Value::Object(line).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(metrics: Vec<Metric>) -> Document {
        let dimensions = BTreeMap::from([("ClusterName", "prod".to_owned())]);
        Document { namespace: "ECS".to_owned(), at: 1_767_225_605_000, dimensions, metrics }
    }

    #[test]
    fn a_line_is_as_the_specification_has_it() {
        let metrics = vec![
            Metric::new("RunningTask", "Count", 1, vec![7.0]),
            Metric::new("TickLag", "Milliseconds", 1, vec![0.5, 1.25]),
        ];
        let lines = document(metrics).lines();
        let found: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let expected = json!({
            "_aws": {
                "Timestamp": 1_767_225_605_000_i64,
                "CloudWatchMetrics": [{
                    "Namespace": "ECS",
                    "Dimensions": [["ClusterName"]],
                    "Metrics": [
                        {"Name": "RunningTask", "Unit": "Count", "StorageResolution": 1},
                        {"Name": "TickLag", "Unit": "Milliseconds", "StorageResolution": 1},
                    ],
                }],
            },
            "ClusterName": "prod",
            "RunningTask": 7.0,
            "TickLag": [0.5, 1.25],
        });
        assert_eq!(found, [expected]);
    }

    #[test]
    fn lines_hold_a_hundred_metrics_and_a_hundred_values() {
        let many = |name: &str, count: usize, values: usize| -> Vec<Metric> {
            (0..count).map(|n| Metric::new(format!("{name}{n}"), "Count", 1, vec![1.0; values])).collect()
        };
        for (metrics, expected) in [
            (vec![], vec![]),
            (many("none", 1, 0), vec![]),
            (many("a", 100, 1), vec![(100, 100)]),
            (many("a", 101, 1), vec![(100, 100), (1, 1)]),
            (many("a", 1, 250), vec![(1, 100), (1, 100), (1, 50)]),
            ([many("a", 1, 101), many("b", 2, 1)].concat(), vec![(3, 102), (1, 1)]),
        ] {
            let lines = document(metrics).lines();
            assert_eq!(lines.iter().map(|line| sizes(line)).collect::<Vec<_>>(), expected);
        }
    }

    /// Metrics and values of a line.
    fn sizes(line: &str) -> (usize, usize) {
        let line: Value = serde_json::from_str(line).unwrap();
        let metrics = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap();
        let values = |metric: &Value| {
            let value = &line[metric["Name"].as_str().unwrap()];
            value.as_array().map_or(1, Vec::len)
        };
        (metrics.len(), metrics.iter().map(values).sum())
    }
}
