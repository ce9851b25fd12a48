//! The account's token buckets, by operation.
//!
//! ECS documents its buckets per account and region (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html>).
//! Auto Scaling and SNS document no numbers for these calls: one bucket each of 100 and 20 a second is assumed.

use std::{collections::BTreeMap, time::Duration};

use crate::world::clock::Moment;

/// The buckets that calls are taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Bucket {
    /// `ListClusters`.
    EcsClusterRead,
    /// Container instances and tasks, read.
    EcsRead,
    /// Container instances and tasks, written.
    EcsWrite,
    /// Auto Scaling, assumed.
    AutoScaling,
    /// SNS, assumed.
    Sns,
}

impl Bucket {
    /// Burst, and refill a second.
    fn limits(self) -> (f64, f64) {
        match self {
            Self::EcsClusterRead => (50.0, 20.0),
            Self::EcsWrite => (100.0, 40.0),
            Self::EcsRead | Self::AutoScaling | Self::Sns => (100.0, 20.0),
        }
    }
}

/// How full each bucket was, and when. A bucket that was never used is full.
#[derive(Debug, Default)]
pub(crate) struct Buckets(BTreeMap<Bucket, (f64, Moment)>);

impl Buckets {
    /// Takes a token; false when there is none.
    pub(crate) fn take(&mut self, bucket: Bucket, now: Moment) -> bool {
        let (burst, refill) = bucket.limits();
        let (level, filled_at) = self.0.entry(bucket).or_insert((burst, now));
        let passed: Duration = now.saturating_sub(*filled_at);
        *level = (*level + passed.as_secs_f64() * refill).min(burst);
        *filled_at = now;
        if *level < 1.0 {
            return false;
        }
        *level -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_bursts_and_refills() {
        let rows = [
            (Bucket::EcsRead, 100, 20),
            (Bucket::EcsWrite, 100, 40),
            (Bucket::EcsClusterRead, 50, 20),
            (Bucket::AutoScaling, 100, 20),
        ];
        for (bucket, burst, refill) in rows {
            let mut buckets = Buckets::default();
            let mut taken_at =
                |second| (0..1_000).filter(|_| buckets.take(bucket, Moment::from_secs(second))).count();
            let taken = (taken_at(0), taken_at(1), taken_at(3_600));
            assert_eq!(taken, (burst, refill, burst), "{bucket:?}: burst, a second later, an hour later");
        }
    }
}
