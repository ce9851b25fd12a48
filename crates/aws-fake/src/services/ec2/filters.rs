//! Filters: all must fit, each by one of its values.
//!
//! `*` stands for any characters and `?` for one, as documented
//! (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html>); upper and lower case differ.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::invalid;
use crate::{
    error::ApiError,
    world::machines::{Machine, MachineState, Tags},
};

/// Most filters of a call, and most values of a filter
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html>).
const MOST_FILTERS: usize = 50;
const MOST_VALUES: usize = 200;

/// A filter of a call.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Filter {
    pub(super) name: String,
    #[serde(default)]
    pub(super) value: Vec<String>,
}

/// Checks how many there are.
pub(super) fn check(filters: &[Filter]) -> Result<(), ApiError> {
    let too_many = |message: String| Err(ApiError::refused("FilterLimitExceeded", message));
    if filters.len() > MOST_FILTERS {
        return too_many(format!("The maximum number of filters on a single call is {MOST_FILTERS}"));
    }
    if filters.iter().any(|filter| filter.value.len() > MOST_VALUES) {
        return too_many(format!(
            "The maximum number of filter values specified on a single call is {MOST_VALUES}"
        ));
    }
    match filters.iter().find(|filter| filter.value.is_empty()) {
        Some(filter) => Err(invalid(format!("The filter '{}' has no values", filter.name))),
        None => Ok(()),
    }
}

/// The values of a filter. Most have no pattern, and then a fleet is gone through quickly.
pub(super) struct Values {
    exact: BTreeSet<String>,
    patterns: Vec<String>,
}

impl Values {
    pub(super) fn new(values: Vec<String>) -> Self {
        let (patterns, exact) = values.into_iter().partition(|value: &String| value.contains(['*', '?']));
        Self { exact: Vec::into_iter(exact).collect(), patterns }
    }

    /// Whether one of them fits.
    pub(super) fn fit(&self, text: &str) -> bool {
        self.exact.contains(text)
            || self.patterns.iter().any(|pattern| fits_pattern(pattern.as_bytes(), text.as_bytes()))
    }
}

fn fits_pattern(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), None) => fits_pattern(rest, text),
        (Some((b'*', rest)), Some((_, shorter))) => {
            fits_pattern(rest, text) || fits_pattern(pattern, shorter)
        }
        (Some((b'?', rest)), Some((_, shorter))) => fits_pattern(rest, shorter),
        (Some((wanted, rest)), Some((found, shorter))) => wanted == found && fits_pattern(rest, shorter),
        _ => false,
    }
}

/// What a filter of `DescribeInstances` looks at.
enum Field {
    Id,
    Vpc,
    Zone,
    State,
    Reservation,
    ClientToken,
    TagKey,
    Tag(String),
}

/// The filters of a `DescribeInstances`.
pub(super) struct MachineFilters(Vec<(Field, Values)>);

impl MachineFilters {
    pub(super) fn new(filters: Vec<Filter>) -> Result<Self, ApiError> {
        check(&filters)?;
        let known = filters.into_iter().map(|Filter { name, value }| {
            let field = match name.as_str() {
                "instance-id" => Field::Id,
                "vpc-id" => Field::Vpc,
                "availability-zone" => Field::Zone,
                "instance-state-name" => Field::State,
                "reservation-id" => Field::Reservation,
                "client-token" => Field::ClientToken,
                "tag-key" => Field::TagKey,
                other => {
                    let unknown = || invalid(format!("The filter '{other}' is invalid"));
                    Field::Tag(other.strip_prefix("tag:").ok_or_else(unknown)?.to_owned())
                }
            };
            Ok((field, Values::new(value)))
        });
        known.collect::<Result<_, _>>().map(Self)
    }

    /// The ids that a filter names one by one, without a pattern.
    pub(super) fn ids(&self) -> Option<impl Iterator<Item = &str>> {
        let ids = self.0.iter().find_map(|(field, values)| matches!(field, Field::Id).then_some(values))?;
        ids.patterns.is_empty().then(|| ids.exact.iter().map(String::as_str))
    }

    /// Whether a machine fits, as it was seen. A terminated one is in no VPC any more.
    pub(super) fn fit(&self, machine: &Machine, state: MachineState, tags: &Tags) -> bool {
        self.0.iter().all(|(field, values)| match field {
            Field::Id => values.fit(&machine.id),
            Field::Vpc => state != MachineState::Terminated && values.fit(&machine.vpc),
            Field::Zone => values.fit(&machine.zone),
            Field::State => values.fit(state.name()),
            Field::Reservation => values.fit(&machine.reservation),
            Field::ClientToken => machine.client_token.as_ref().is_some_and(|token| values.fit(token)),
            Field::TagKey => tags.keys().any(|key| values.fit(key)),
            Field::Tag(key) => tags.get(key).is_some_and(|value| values.fit(value)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit() {
        let rows = [
            ("web", "web", true),
            ("web", "Web", false),
            ("web", "webs", false),
            ("web*", "webs", true),
            ("*", "", true),
            ("*b*", "abc", true),
            ("w?b", "web", true),
            ("w?b", "wb", false),
            ("", "", true),
            ("", "x", false),
        ];
        for (pattern, text, expected) in rows {
            assert_eq!(Values::new(vec![pattern.to_owned()]).fit(text), expected, "{pattern} {text}");
        }
    }
}
