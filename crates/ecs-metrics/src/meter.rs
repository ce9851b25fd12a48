//! What the writer measures of itself: counts since the last report, and the report.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_helpers::emf::{Document, Metric};
use aws_helpers::fault;
use aws_sdk_cloudwatch::operation::put_metric_data::PutMetricDataError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_ecs::config::interceptors::FinalizerInterceptorContextRef;
use aws_sdk_ecs::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_ecs::error::BoxError;
use aws_sdk_ecs::operation::{
    describe_clusters::DescribeClustersError, describe_container_instances::DescribeContainerInstancesError,
    describe_services::DescribeServicesError, describe_tasks::DescribeTasksError,
    list_clusters::ListClustersError, list_container_instances::ListContainerInstancesError,
    list_services::ListServicesError, list_tasks::ListTasksError,
};
use aws_smithy_runtime_api::client::interceptors::context::Error as AnyError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use jiff::Timestamp;

/// Namespace of the writer's own metrics.
pub const NAMESPACE: &str = "Fleetkeeper";

/// Counts since the last report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    /// Ticks that were written whole.
    pub ticks: usize,
    /// Ticks that were left out since they came too late.
    pub skipped: usize,
    /// Ticks of which something could not be read or written.
    pub failed: usize,
    /// From a tick's due time to its first call, in milliseconds.
    pub lags: Vec<f64>,
    /// Clusters that were read, at most a tick.
    pub clusters: usize,
    /// Clusters that ECS does not know, at most a tick.
    pub missing: usize,
    /// Attempts of calls.
    pub calls: usize,
    /// Attempts that were throttled.
    pub throttled: usize,
}

/// Counts, shared by the function and its clients' interceptors.
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<Mutex<Counts>>);

impl Meter {
    /// The counts, to add to. A panic elsewhere leaves them usable.
    pub fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the counts, which begin anew.
    #[must_use]
    pub fn take(&self) -> Counts {
        std::mem::take(&mut *self.counts())
    }
}

impl Counts {
    /// The counts as metrics of a function.
    #[must_use]
    pub fn document(self, function: &str, at: Timestamp) -> Document {
        #[allow(clippy::cast_precision_loss, reason = "counts of ten seconds")]
        let count = |name: &'static str, count: usize| Metric::new(name, "Count", 1, vec![count as f64]);
        let mut metrics = vec![
            count("Ticks", self.ticks),
            count("SkippedTicks", self.skipped),
            count("FailedTicks", self.failed),
            count("Clusters", self.clusters),
            count("MissingClusters", self.missing),
            count("ApiCalls", self.calls),
            count("ThrottledCalls", self.throttled),
        ];
        if !self.lags.is_empty() {
            metrics.push(Metric::new("TickLag", "Milliseconds", 1, self.lags));
        }
        let dimensions = BTreeMap::from([("FunctionName", function.into())]);
        Document { namespace: NAMESPACE.into(), at: at.as_millisecond(), dimensions, metrics }
    }
}

impl Intercept for Meter {
    fn name(&self) -> &'static str {
        "Meter"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let error =
            context.output_or_error().and_then(Result::err).and_then(|error| error.as_operation_error());
        let mut counts = self.counts();
        counts.calls += 1;
        counts.throttled += usize::from(error.is_some_and(is_throttled));
        Ok(())
    }
}

/// Whether an attempt was throttled. The SDK hands an interceptor its errors without their type: these are all that the
/// calls of `observe` and `act` have.
fn is_throttled(error: &AnyError) -> bool {
    fn code<E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static>(
        error: &AnyError,
    ) -> Option<&str> {
        error.downcast_ref::<E>()?.code()
    }
    let types = [
        code::<DescribeClustersError>,
        code::<ListClustersError>,
        code::<PutMetricDataError>,
        code::<PutItemError>,
        code::<ListContainerInstancesError>,
        code::<DescribeContainerInstancesError>,
        code::<ListServicesError>,
        code::<DescribeServicesError>,
        code::<ListTasksError>,
        code::<DescribeTasksError>,
    ];
    types.iter().find_map(|code| code(error)).is_some_and(fault::is_throttle)
}
