//! One world, the function's environments in it, and what was written.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_fake::client::FakeAws;
use aws_fake::log::Log;
use aws_fake::scenario::{ClusterPlan, Scenario};
use aws_fake::world::clusters::Counts;
use aws_fake::world::tables::TablePlan;
use aws_helpers::sdk;
use ecs_metrics::error::Error;
use ecs_metrics::settings::Settings;
use ecs_metrics::{EcsMetrics, Invocation};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

/// The World's beginning.
const BEGINNING: &str = "2026-01-01T00:00:00Z";
/// What Lambda gives an invocation.
const TIMEOUT: SignedDuration = SignedDuration::from_secs(240);
/// `ReservedConcurrentExecutions`.
const CONCURRENCY: usize = 2;
/// The four of every cluster.
pub(crate) const METRICS: usize = 4;

/// A world with a function in it.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) fake: FakeAws,
    settings: Settings,
    config: SdkConfig,
    idle: Rc<RefCell<Vec<EcsMetrics>>>,
    slots: Rc<Semaphore>,
}

/// So many clusters `c-0` … whose counts are simply said to be so.
pub(crate) fn clusters(count: usize) -> Scenario {
    let mut scenario = Scenario::new(1).table(TablePlan::new("lease", "LeaseId", "S"));
    for n in 0..count {
        let counts = Counts { running: 10, pending: 2, services: 3, instances: 4, ..Counts::default() };
        scenario.clusters.push(ClusterPlan { counts: Some(counts), ..plan(&format!("c-{n}")) });
    }
    scenario
}

/// A cluster without instances.
pub(crate) fn plan(name: &str) -> ClusterPlan {
    ClusterPlan { name: name.to_owned(), instances: 0, min: 0, ..ClusterPlan::default() }
}

/// A moment of the World's first day.
pub(crate) fn at(second: i64) -> Timestamp {
    BEGINNING.parse::<Timestamp>().unwrap() + SignedDuration::from_secs(second)
}

impl World {
    pub(crate) fn new(scenario: Scenario, variables: &[(&str, &str)]) -> Self {
        let variables = [&[("LEASE_TABLE", "lease")], variables].concat();
        let fake = FakeAws::new(scenario);
        Self {
            config: fake.function_config("ecs-metrics", &variables, sdk::retries(), sdk::timeouts()),
            fake,
            settings: Settings::read(&variables.into_iter().collect()).unwrap(),
            idle: Rc::default(),
            slots: Rc::new(Semaphore::new(CONCURRENCY)),
        }
    }

    pub(crate) fn environment(&self) -> EcsMetrics {
        EcsMetrics::new(self.settings.clone(), &self.config)
    }

    /// Invokes the function as Lambda does: in an idle environment or a new one, two at a time.
    pub(crate) async fn invoke(&self, event: Value, request: &str) -> Result<Value, Error> {
        self.invoke_for(event, request, TIMEOUT).await
    }

    /// The same with another timeout.
    pub(crate) async fn invoke_for(
        &self,
        event: Value,
        request: &str,
        timeout: SignedDuration,
    ) -> Result<Value, Error> {
        let _slot = self.slots.acquire().await.unwrap();
        let environment = self.idle.borrow_mut().pop();
        let environment = environment.unwrap_or_else(|| self.environment());
        let invocation = Invocation {
            request: request.to_owned(),
            deadline: self.now() + timeout,
            function: "ecs-metrics".to_owned(),
        };
        let answer = environment.handle(event, &invocation).await;
        self.idle.borrow_mut().push(environment);
        answer
    }

    /// A trigger of the schedule, delivered at its second.
    pub(crate) async fn trigger(&self, event: i64, delivered: i64, request: &str) -> Value {
        self.until(delivered).await;
        self.invoke(scheduled(event), request).await.unwrap()
    }

    /// One minute of ticks from 0 to 60, and no more: without a lease nobody goes on.
    pub(crate) async fn minute(scenario: Scenario, variables: &[(&str, &str)]) -> (Self, Value) {
        let world = Self::new(scenario, &[&[("LEASE_TABLE", "")], variables].concat());
        let answer = world.trigger(-60, -1, "r").await;
        (world, answer)
    }

    pub(crate) async fn until(&self, second: i64) {
        tokio::time::sleep(Duration::try_from(at(second) - self.now()).unwrap_or_default()).await;
    }

    pub(crate) fn now(&self) -> Timestamp {
        at(0) + SignedDuration::try_from(self.fake.now()).unwrap()
    }

    /// How often each second was written, of each cluster and metric alike: it fails where these differ.
    pub(crate) fn ticks(&self) -> BTreeMap<i64, usize> {
        self.ticks_of(METRICS, |_| true)
    }

    /// The same of some clusters, with so many metrics each.
    pub(crate) fn ticks_of(&self, metrics: usize, of: impl Fn(&str) -> bool) -> BTreeMap<i64, usize> {
        let mut data: BTreeMap<(String, i64), BTreeMap<String, usize>> = BTreeMap::new();
        self.fake.with(|world| {
            for datum in world.metric_data() {
                let cluster = datum.metric.dimension("ClusterName").unwrap();
                if of(cluster) {
                    let second = i64::try_from(datum.timestamp.as_secs()).unwrap() - at(0).as_second();
                    let names = data.entry((cluster.to_owned(), second)).or_default();
                    *names.entry(datum.metric.name.clone()).or_default() += 1;
                }
            }
        });
        let mut ticks = BTreeMap::new();
        for ((cluster, second), names) in data {
            let times = *names.values().next().unwrap();
            assert!(
                names.len() == metrics && names.values().all(|n| *n == times),
                "{cluster} {second} {names:?}"
            );
            ticks.entry(second).or_insert_with(Vec::new).push(times);
        }
        let clusters = ticks.values().map(Vec::len).max().unwrap_or_default();
        ticks
            .into_iter()
            .map(|(second, times)| {
                assert_eq!(times.len(), clusters, "clusters written at {second}");
                assert!(times.iter().all(|one| *one == times[0]), "{second}: {times:?}");
                (second, times[0])
            })
            .collect()
    }

    /// Calls so far, of one operation.
    pub(crate) fn calls(&self, operation: &str) -> usize {
        self.fake.with(|world| world.calls_by_operation().get(operation).copied().unwrap_or_default())
    }
}

/// The schedule's event of a second.
pub(crate) fn scheduled(second: i64) -> Value {
    json!({"version": "0", "id": format!("e-{second}"), "source": "aws.events", "account": "123456789012",
           "detail-type": "Scheduled Event", "time": at(second).to_string(), "region": "us-east-1", "detail": {}})
}

/// Every multiple of the period once, from one second up to another.
pub(crate) fn each_once(from: i64, to: i64, period: usize) -> BTreeMap<i64, usize> {
    (from..to).step_by(period).map(|second| (second, 1)).collect()
}

/// The number in a field of an answer.
pub(crate) fn number(answer: &Value, field: &str) -> usize {
    usize::try_from(answer[field].as_u64().unwrap_or_default()).unwrap()
}

/// The writer's own metrics, as they were logged: a name's values in their order, cut to whole ones.
pub(crate) fn own(log: &Log, name: &str) -> Vec<usize> {
    let documents = log.lines().into_iter().filter_map(|line| {
        let document: Value = serde_json::from_str(line["message"].as_str()?).ok()?;
        (document["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Fleetkeeper").then_some(document)
    });
    let values = documents.flat_map(|document| match &document[name] {
        Value::Array(values) => values.clone(),
        Value::Null => Vec::new(),
        value => vec![value.clone()],
    });
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts")]
    values.map(|value| value.as_f64().unwrap() as usize).collect()
}
