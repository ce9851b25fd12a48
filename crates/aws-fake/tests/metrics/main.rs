//! CloudWatch by the SDK's own client, in paused time: what is put is what is there, limits, errors, reading.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::{
    fmt::Debug,
    time::{Duration, UNIX_EPOCH},
};

use aws_fake::{FakeAws, scenario::Scenario};
use aws_sdk_cloudwatch::{
    Client,
    error::ProvideErrorMetadata,
    primitives::DateTime,
    types::{Dimension, MetricDatum, StandardUnit},
};

mod put;
mod reading;

/// 2026-01-01T00:00:00Z, when a World begins.
const BEGIN: i64 = 1_767_225_600;

fn world() -> (FakeAws, Client) {
    let fake = FakeAws::new(Scenario::new(1));
    let client = Client::new(&fake.sdk_config());
    (fake, client)
}

/// So many milliseconds after the World's beginning, or before it.
fn at(milliseconds: i64) -> DateTime {
    DateTime::from_millis(BEGIN * 1_000 + milliseconds)
}

fn dimension(name: &str, value: &str) -> Dimension {
    Dimension::builder().name(name).value(value).build()
}

/// A datum of high resolution, so many seconds after the World's beginning.
fn datum(name: &str, cluster: &str, second: i64, value: f64) -> MetricDatum {
    MetricDatum::builder()
        .metric_name(name)
        .dimensions(dimension("ClusterName", cluster))
        .timestamp(at(second * 1_000))
        .value(value)
        .unit(StandardUnit::Count)
        .storage_resolution(1)
        .build()
}

async fn put(client: &Client, data: Vec<MetricDatum>) {
    client.put_metric_data().namespace("ECS").set_metric_data(Some(data)).send().await.expect("put");
}

fn code<T: Debug, E: ProvideErrorMetadata + Debug>(answer: Result<T, E>) -> String {
    answer.expect_err("a refusal").code().unwrap_or_default().to_owned()
}

/// Seconds between the World's beginning and a time since the Unix epoch.
fn second(timestamp: Duration) -> i64 {
    let since = UNIX_EPOCH + timestamp;
    DateTime::from(since).secs() - BEGIN
}
