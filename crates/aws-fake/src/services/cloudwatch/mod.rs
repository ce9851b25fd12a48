//! Amazon CloudWatch's metrics: the operations, and what they share.

use std::{fmt::Display, time::Duration};

use serde::Deserialize;

use super::Answer;
use crate::{
    buckets::Bucket,
    error::ApiError,
    wire::Raw,
    world::{World, metrics::UNITS},
};

mod data;
mod list;
mod put;
mod read;
mod statistics;

pub(super) use put::namespace_of;

type Operation = fn(&mut World, &Raw) -> Answer;

pub(super) fn find(operation: &str) -> Option<(Bucket, Operation)> {
    let found: (Bucket, Operation) = match operation {
        "PutMetricData" => (Bucket::MetricPut, put::put),
        "ListMetrics" => (Bucket::MetricList, list::list),
        "GetMetricStatistics" => (Bucket::MetricStatistics, statistics::get),
        "GetMetricData" => (Bucket::MetricData, data::get),
        _ => return None,
    };
    Some(found)
}

/// A parameter has a value that it cannot have.
fn invalid(parameter: impl Display, value: impl Display) -> ApiError {
    ApiError::refused(
        "InvalidParameterValue",
        format!("The value {value} for parameter {parameter} is invalid."),
    )
}

/// Parameters that do not go together, or leave out each other.
fn combination(message: impl Into<String>) -> ApiError {
    ApiError::refused("InvalidParameterCombination", message)
}

/// A parameter that must be there.
fn required<T>(parameter: impl Display, value: Option<T>) -> Result<T, ApiError> {
    let missing = || ApiError::refused("MissingParameter", format!("The parameter {parameter} is required."));
    value.ok_or_else(missing)
}

/// A dimension of a datum, or one that is asked for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Dimension {
    name: Option<String>,
    value: Option<String>,
}

/// What a parameter is part of: nothing, or a datum of this number. It is written only when something is wrong.
#[derive(Clone, Copy, Debug)]
enum Within {
    Request,
    Datum(usize),
}

impl Within {
    fn place(self, parameter: &str) -> String {
        match self {
            Self::Request => parameter.to_owned(),
            Self::Datum(number) => format!("MetricData.member.{number}.{parameter}"),
        }
    }

    fn invalid(self, parameter: &str, value: impl Display) -> ApiError {
        invalid(self.place(parameter), value)
    }

    fn required<T>(self, parameter: &str, value: Option<T>) -> Result<T, ApiError> {
        value.map_or_else(|| required(self.place(parameter), None), Ok)
    }
}

/// Checks dimensions against the API's limits and answers their names and values.
fn dimensions(within: Within, given: Option<Vec<Dimension>>) -> Result<Vec<(String, String)>, ApiError> {
    /// Most dimensions of a metric.
    const MOST: usize = 30;
    let given = given.unwrap_or_default();
    if given.len() > MOST {
        return Err(too_many(&within.place("Dimensions"), MOST));
    }
    let mut read: Vec<(String, String)> = Vec::with_capacity(given.len());
    for dimension in given {
        let name = within.required("Dimensions.member.Name", dimension.name)?;
        let value = within.required("Dimensions.member.Value", dimension.value)?;
        if !is_text(&name, 255) || name.starts_with(':') || read.iter().any(|(other, _)| *other == name) {
            return Err(within.invalid("Dimensions.member.Name", name));
        }
        if !is_text(&value, 1_024) {
            return Err(within.invalid("Dimensions.member.Value", value));
        }
        read.push((name, value));
    }
    Ok(read)
}

fn too_many(parameter: &str, most: usize) -> ApiError {
    let message = format!("The collection {parameter} must not have a size greater than {most}.");
    ApiError::refused("InvalidParameterValue", message)
}

/// Whether a text is of 1 to so many ASCII characters, none of them a control character, not all blank.
fn is_text(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len())
        && text.is_ascii()
        && !text.bytes().any(|byte| byte.is_ascii_control())
        && !text.trim_ascii().is_empty()
}

/// The place of a unit among [`UNITS`].
fn unit(within: Within, name: &str) -> Result<u8, ApiError> {
    let place = UNITS.iter().position(|unit| *unit == name);
    place.and_then(|place| u8::try_from(place).ok()).ok_or_else(|| within.invalid("Unit", name))
}

/// A date in seconds since the Unix epoch, whole or not.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Date(f64);

impl Date {
    /// Milliseconds since the Unix epoch; none before it.
    fn milliseconds(self) -> Option<u64> {
        let seconds = Duration::try_from_secs_f64(self.0).ok()?;
        // In binary a number of seconds is rarely a whole number of milliseconds.
        u64::try_from((seconds + Duration::from_micros(500)).as_millis()).ok()
    }
}
