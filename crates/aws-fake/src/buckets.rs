//! The account's token buckets, by operation.
//!
//! ECS documents its buckets per account and region (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html>).
//! EC2 documents a bucket for each call, and for some a second one that is emptied by the instance
//! (<https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>). CloudTrail documents two
//! look-ups a second (<https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html>).
//! Auto Scaling and SNS document no numbers for these calls: one bucket each of 100 and 20 a second is
//! assumed. DynamoDB has as many units as a new table on demand (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html>);
//! a call is taken for one. CloudWatch documents calls a second (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html>)
//! and no burst: a second's calls are assumed. Elastic Load Balancing documents a bucket for reads
//! (<https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-throttling.html>), and that registrations
//! have another: as large as AWS's own load balancer controller takes it to be
//! (<https://github.com/kubernetes-sigs/aws-load-balancer-controller/issues/2809>).

use std::{collections::BTreeMap, time::Duration};

use crate::world::clock::Moment;

/// The buckets that calls are taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Bucket {
    /// Clusters, read.
    EcsClusterRead,
    /// Services, read.
    EcsServiceRead,
    /// Container instances and tasks, read.
    EcsRead,
    /// Container instances and tasks, written.
    EcsWrite,
    /// Auto Scaling, assumed.
    AutoScaling,
    /// SNS, assumed.
    Sns,
    /// `DescribeInstances` with a filter, ids or a page size.
    Ec2Instances,
    /// `DescribeInstances` without any of them.
    Ec2AllInstances,
    /// `DescribeAvailabilityZones`.
    Ec2Zones,
    /// `DescribeInstanceAttribute`.
    Ec2Attributes,
    /// `ModifyInstanceAttribute`.
    Ec2Modify,
    /// `CreateTags`.
    Ec2CreateTags,
    /// `DeleteTags`.
    Ec2DeleteTags,
    /// `RunInstances`.
    Ec2Run,
    /// `RunInstances`, by the instance.
    Ec2Launched,
    /// `StopInstances`.
    Ec2Stop,
    /// `StopInstances`, by the instance.
    Ec2Stopped,
    /// `TerminateInstances`.
    Ec2Terminate,
    /// `TerminateInstances`, by the instance.
    Ec2Terminated,
    /// `LookupEvents`.
    Trail,
    /// DynamoDB, read.
    TableRead,
    /// DynamoDB, written.
    TableWrite,
    /// `PutMetricData`.
    MetricPut,
    /// `ListMetrics`.
    MetricList,
    /// `GetMetricStatistics`.
    MetricStatistics,
    /// `GetMetricData`.
    MetricData,
    /// Target groups, read.
    ElbRead,
    /// Targets, registered and deregistered.
    ElbRegister,
}

impl Bucket {
    /// Burst, and refill a second.
    fn limits(self) -> (f64, f64) {
        match self {
            Self::EcsClusterRead => (50.0, 20.0),
            Self::EcsWrite => (100.0, 40.0),
            Self::EcsRead
            | Self::EcsServiceRead
            | Self::AutoScaling
            | Self::Sns
            | Self::Ec2Instances
            | Self::Ec2Zones
            | Self::Ec2Attributes => (100.0, 20.0),
            Self::Ec2AllInstances => (50.0, 10.0),
            Self::Ec2CreateTags | Self::Ec2DeleteTags => (100.0, 10.0),
            Self::Ec2Run => (5.0, 2.0),
            Self::Ec2Launched => (1_000.0, 2.0),
            Self::Ec2Stop | Self::Ec2Modify => (50.0, 5.0),
            Self::Ec2Terminate => (100.0, 5.0),
            Self::Ec2Stopped | Self::Ec2Terminated => (1_000.0, 20.0),
            Self::Trail => (2.0, 2.0),
            Self::TableRead => (12_000.0, 12_000.0),
            Self::TableWrite => (4_000.0, 4_000.0),
            Self::MetricPut => (500.0, 500.0),
            Self::MetricList => (25.0, 25.0),
            Self::MetricStatistics => (400.0, 400.0),
            Self::MetricData => (50.0, 50.0),
            Self::ElbRead => (40.0, 10.0),
            Self::ElbRegister => (20.0, 4.0),
        }
    }
}

/// How full a bucket is.
#[derive(Debug)]
struct Level {
    tokens: f64,
    filled_at: Moment,
    /// At the worst moment so far.
    lowest: f64,
}

/// The buckets that were used. One that never was is full.
#[derive(Debug, Default)]
pub(crate) struct Buckets(BTreeMap<Bucket, Level>);

impl Buckets {
    /// Takes a token; false when there is none.
    pub(crate) fn take(&mut self, bucket: Bucket, now: Moment) -> bool {
        self.take_some(bucket, 1, now)
    }

    /// Takes so many tokens, or none when there are not so many.
    pub(crate) fn take_some(&mut self, bucket: Bucket, tokens: u32, now: Moment) -> bool {
        let (burst, refill) = bucket.limits();
        let full = Level { tokens: burst, filled_at: now, lowest: burst };
        let level = self.0.entry(bucket).or_insert(full);
        let passed: Duration = now.saturating_sub(level.filled_at);
        level.tokens = (level.tokens + passed.as_secs_f64() * refill).min(burst);
        level.filled_at = now;
        let tokens = f64::from(tokens);
        let is_enough = level.tokens >= tokens;
        if is_enough {
            level.tokens -= tokens;
        }
        level.lowest = level.lowest.min(level.tokens);
        is_enough
    }

    /// How many tokens were left at the worst moment, and how many there are when it is full.
    pub(crate) fn lowest(&self, bucket: Bucket) -> (f64, f64) {
        let (burst, _) = bucket.limits();
        (self.0.get(&bucket).map_or(burst, |level| level.lowest), burst)
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
            (Bucket::Ec2AllInstances, 50, 10),
            (Bucket::Ec2CreateTags, 100, 10),
            (Bucket::Trail, 2, 2),
            (Bucket::ElbRead, 40, 10),
            (Bucket::ElbRegister, 20, 4),
        ];
        for (bucket, burst, refill) in rows {
            let mut buckets = Buckets::default();
            let mut taken_at =
                |second| (0..1_000).filter(|_| buckets.take(bucket, Moment::from_secs(second))).count();
            let taken = (taken_at(0), taken_at(1), taken_at(3_600));
            assert_eq!(taken, (burst, refill, burst), "{bucket:?}: burst, a second later, an hour later");
        }
    }

    #[test]
    fn the_worst_moment_is_remembered() {
        let mut buckets = Buckets::default();
        let lowest = |buckets: &Buckets| buckets.lowest(Bucket::EcsClusterRead);
        assert_eq!(lowest(&buckets), (50.0, 50.0), "never used");
        for (second, taken, expected) in [(0, 30, 20.0), (1, 10, 20.0), (2, 45, 5.0), (99, 1, 5.0)] {
            for _ in 0..taken {
                assert!(buckets.take(Bucket::EcsClusterRead, Moment::from_secs(second)));
            }
            assert_eq!(lowest(&buckets), (expected, 50.0), "after {second} s");
        }
    }
}
