//! What is written: data points, and how they are batched.

use std::borrow::Cow;
use std::sync::Arc;

use aws_helpers::batch;
use jiff::Timestamp;

/// Data a call: `PutMetricData`.
const DATA: usize = 1_000;
/// Bytes a call, estimated before compression. The limit is 1 MB; the estimate is generous, and this leaves room.
const BYTES: usize = 700_000;
/// Bytes of a datum besides its texts: the names of its fields, timestamp, value, unit, resolution.
const FRAME: usize = 128;
/// Bytes of a dimension besides its texts.
const DIMENSION_FRAME: usize = 16;

/// What a value is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Seconds.
    Seconds,
}

/// How finely CloudWatch keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// By the second, for three hours.
    High,
    /// By the minute.
    Standard,
}

impl Resolution {
    /// `StorageResolution`, seconds.
    #[must_use]
    pub fn seconds(self) -> u8 {
        match self {
            Self::High => 1,
            Self::Standard => 60,
        }
    }
}

/// One value of one metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Datum {
    /// The metric.
    pub name: Cow<'static, str>,
    /// Dimension `ClusterName`.
    pub cluster: Arc<str>,
    /// Dimension `ServiceName`, of a service's metrics.
    pub service: Option<Arc<str>>,
    /// The value.
    pub value: f64,
    /// Its unit.
    pub unit: Unit,
    /// When it was due.
    pub at: Timestamp,
    /// How finely it is kept.
    pub resolution: Resolution,
}

impl Datum {
    /// Names and values of its dimensions.
    pub fn dimensions(&self) -> impl Iterator<Item = (&'static str, &Arc<str>)> {
        let service = self.service.as_ref().map(|service| ("ServiceName", service));
        std::iter::once(("ClusterName", &self.cluster)).chain(service)
    }

    /// Bytes in a request, at the most.
    fn weight(&self) -> usize {
        let dimensions = self.dimensions().map(|(name, value)| name.len() + value.len() + DIMENSION_FRAME);
        FRAME + self.name.len() + dimensions.sum::<usize>()
    }
}

/// Data as they go into calls.
#[must_use]
pub fn batches(data: Vec<Datum>) -> Vec<Vec<Datum>> {
    batch::split(data, DATA, BYTES, Datum::weight)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datum(cluster: &str, service: Option<&str>) -> Datum {
        Datum {
            name: "RegisteredContainerInstances".into(),
            cluster: cluster.into(),
            service: service.map(Into::into),
            value: 1.0,
            unit: Unit::Count,
            at: Timestamp::UNIX_EPOCH,
            resolution: Resolution::High,
        }
    }

    #[test]
    fn batches_are_cut_by_number_and_by_bytes() {
        let long = "s".repeat(255);
        for (name, each, count, expected) in [
            ("none", datum("c", None), 0, vec![]),
            ("one", datum("c", None), 1, vec![1]),
            ("a full call", datum("c", None), 1_000, vec![1_000]),
            ("one more", datum("c", None), 1_001, vec![1_000, 1]),
            ("the longest names", datum(&long, Some(&long)), 1_000, vec![972, 28]),
        ] {
            let sizes: Vec<usize> = batches(vec![each; count]).iter().map(Vec::len).collect();
            assert_eq!(sizes, expected, "{name}");
        }
    }
}
