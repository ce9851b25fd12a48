//! The writes: data, and the lease of a minute.

use std::sync::Arc;
use std::time::Duration;

use aws_helpers::fault::Fault;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, MetricDatum, StandardUnit};
use aws_sdk_dynamodb::types::AttributeValue;
use futures::future::join_all;
use jiff::Timestamp;

use crate::Clients;
use crate::decide::schedule::later;
use crate::metric::{Datum, Unit, batches};

/// How long the lease of a minute is kept: longer than any trigger is late.
const KEPT: Duration = Duration::from_secs(86_400);

/// Puts data, in as few calls as there may be, side by side; returns how many are in calls that failed, with the reason.
///
/// The SDK tries a failed call again. If CloudWatch had taken it and only its answer was lost, the same values stand twice
/// at the same time, which no average, minimum or maximum shows.
pub async fn put(clients: &Clients, namespace: &str, data: Vec<Datum>) -> Vec<(usize, Fault)> {
    let calls = batches(data).into_iter().map(async |batch| {
        let size = batch.len();
        let data = batch.into_iter().map(datum).collect();
        let request = clients.cloudwatch.put_metric_data().namespace(namespace).set_metric_data(Some(data));
        let answer = request.send().await;
        answer.err().map(|error| (size, Fault::of("cloudwatch:PutMetricData", error)))
    });
    join_all(calls).await.into_iter().flatten().collect()
}

fn datum(datum: Datum) -> MetricDatum {
    let dimension =
        |(name, value): (&str, &Arc<str>)| Dimension::builder().name(name).value(value.as_ref()).build();
    let unit = match datum.unit {
        Unit::Count => StandardUnit::Count,
        Unit::Seconds => StandardUnit::Seconds,
    };
    MetricDatum::builder()
        .set_dimensions(Some(datum.dimensions().map(dimension).collect()))
        .metric_name(datum.name)
        .timestamp(DateTime::from_secs(datum.at.as_second()))
        .value(datum.value)
        .unit(unit)
        .storage_resolution(datum.resolution.seconds().into())
        .build()
}

/// Claims a minute for an invocation; false if another one owns it.
///
/// Who creates the minute's item owns it. A retry of the same invocation gets its minute again: the attempt before it is
/// over.
pub async fn claim(
    clients: &Clients,
    table: &str,
    minute: Timestamp,
    request_id: &str,
) -> Result<bool, Fault> {
    let answer = clients
        .dynamodb
        .put_item()
        .table_name(table)
        .item("LeaseId", AttributeValue::S(minute.to_string()))
        .item("RequestId", AttributeValue::S(request_id.to_owned()))
        .item("ExpiresAt", AttributeValue::N(later(minute, KEPT).as_second().to_string()))
        .condition_expression("attribute_not_exists(LeaseId) OR RequestId = :request")
        .expression_attribute_values(":request", AttributeValue::S(request_id.to_owned()))
        .send()
        .await;
    match answer.map_err(|error| Fault::of("dynamodb:PutItem", error)) {
        Ok(_) => Ok(true),
        Err(fault) if fault.code == "ConditionalCheckFailedException" => Ok(false),
        Err(fault) => Err(fault),
    }
}
