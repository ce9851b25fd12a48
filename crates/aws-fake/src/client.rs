//! The World as the AWS SDK's HTTP client: no sockets, no environment, tokio's clock.
//!
//! With tokio's clock paused, retries, back-off, timeouts and the time a drain takes all pass in virtual
//! time.

use std::{
    fmt,
    future::pending,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use aws_config::{AppName, BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_sns::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_async::{rt::sleep::TokioSleep, time::TimeSource};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::{HeaderMap, Response};
use tokio::{
    sync::Notify,
    task::yield_now,
    time::{Instant, sleep},
};

use crate::{
    plumbing::invocation,
    record,
    scenario::Scenario,
    services::{self, Fate},
    shared_clock::SharedClock,
    wire,
    world::{
        World,
        clock::{Calendar, Moment},
        names,
    },
};

/// Half of a call's time passes before its effect, half after: two calls at once can overtake each other.
const BEFORE: u32 = 2;

/// A World that tokio's clock moves, or one in a file. Clones are the same World.
#[derive(Clone)]
pub struct FakeAws {
    world: Arc<Mutex<World>>,
    changed: Arc<Notify>,
    started: Instant,
    /// Instead of tokio's.
    clock: Option<SharedClock>,
    calendar: Calendar,
}

impl FakeAws {
    /// The World of a scenario, from 2026-01-01T00:00:00Z on. Must be made inside a tokio runtime.
    pub fn new(scenario: Scenario) -> Self {
        Self::starting(scenario, Calendar::default())
    }

    /// The World of a scenario, beginning at a date.
    pub(crate) fn starting(scenario: Scenario, calendar: Calendar) -> Self {
        let world = Arc::new(Mutex::new(scenario.build(calendar)));
        Self { world, changed: Arc::default(), started: Instant::now(), clock: None, calendar }
    }

    /// The World of a scenario whose time is that of a clock in a file.
    pub(crate) fn on(clock: SharedClock, scenario: Scenario, calendar: Calendar) -> Self {
        Self { clock: Some(clock), ..Self::starting(scenario, calendar) }
    }

    /// The clock in a file, if there is one.
    pub(crate) fn clock(&self) -> Option<&SharedClock> {
        self.clock.as_ref()
    }

    /// Time since the World began.
    pub fn now(&self) -> Moment {
        match &self.clock {
            None => self.started.elapsed(),
            Some(clock) => clock.now().unwrap_or_else(|error| {
                tracing::error!(%error, "the clock cannot be read");
                Moment::ZERO // the World's own never goes back
            }),
        }
    }

    /// Waits for so long; a clock in a file is moved on instead.
    async fn pass(&self, time: Duration) {
        match &self.clock {
            None if time.is_zero() => yield_now().await, // a timer would take a millisecond all the same
            None => sleep(time).await,
            Some(clock) => {
                if let Err(error) = clock.pass(time) {
                    tracing::error!(%error, "the clock cannot be moved");
                }
            }
        }
    }

    /// tokio's instant of a moment.
    pub(crate) fn instant(&self, moment: Moment) -> Instant {
        self.started + moment
    }

    /// Looks at the World, or changes it, with its clock moved to now.
    pub fn with<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.advance_to(self.now());
        look(&mut world)
    }

    /// Waits for the next call that anybody makes.
    pub(crate) async fn called(&self) {
        self.changed.notified().await;
    }

    /// SDK configuration whose calls come here: 3 attempts of 5 s, 20 s in all.
    pub fn sdk_config(&self) -> SdkConfig {
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(Duration::from_secs(5))
            .operation_timeout(Duration::from_secs(20));
        self.sdk_config_with(RetryConfig::standard(), timeouts.build())
    }

    /// The same with the retries and timeouts of the caller.
    pub fn sdk_config_with(&self, retries: RetryConfig, timeouts: TimeoutConfig) -> SdkConfig {
        let connector = SharedHttpConnector::new(self.clone());
        let credentials = Credentials::new("test", "test", None, None, "aws-fake");
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::from_static(names::REGION))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .time_source(self.clone())
            .sleep_impl(TokioSleep::new())
            .retry_config(retries)
            .timeout_config(timeouts)
            .build()
    }

    /// The configuration of a function by its name and environment, whose calls are written down where
    /// [`record::FOLDER`] names a folder.
    ///
    /// # Panics
    /// If they cannot be: what is missing there would be held for a permission that nobody uses.
    pub fn function_config(
        &self,
        function: &'static str,
        variables: &[(&str, &str)],
        retries: RetryConfig,
        timeouts: TimeoutConfig,
    ) -> SdkConfig {
        if let Some(file) = record::file() {
            let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let recorded = self.with(|world| world.record_calls(&file, variables.collect()));
            recorded.unwrap_or_else(|error| panic!("calls cannot be written to {}: {error}", file.display()));
        }
        let config = self.sdk_config_with(retries, timeouts).into_builder();
        match AppName::new(function) {
            Ok(name) => config.app_name(name).build(),
            Err(_) => config.build(),
        }
    }

    /// One call, in the time that it takes. A call that is never answered never returns.
    pub(crate) async fn call(&self, path: &str, headers: &HeaderMap, body: &[u8]) -> Response<Bytes> {
        let half = self.with(|world| world.settings().latency) / BEFORE;
        self.pass(half).await;
        let (response, fate) = self.with(|world| {
            let request_id = names::uuid(&mut world.rng);
            match wire::read(path, headers, body) {
                Ok(request) => {
                    world.note_call(headers, &request);
                    let (answer, fate) = services::call(world, &request);
                    (wire::write(&request, answer, &request_id), fate)
                }
                Err(error) => (wire::refuse(path, headers, error, &request_id), Fate::Answered(half)),
            }
        });
        self.changed.notify_waiters();
        match fate {
            Fate::Answered(latency) => self.pass(latency.saturating_sub(half)).await,
            Fate::Ignored => pending::<()>().await,
            Fate::Killed => {
                invocation::kill();
                pending::<()>().await;
            }
        }
        response
    }
}

impl fmt::Debug for FakeAws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeAws").field("started", &self.started).finish_non_exhaustive()
    }
}

impl TimeSource for FakeAws {
    fn now(&self) -> SystemTime {
        self.calendar.date(FakeAws::now(self))
    }
}

impl HttpConnector for FakeAws {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let fake = self.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            let body = request.body().bytes().unwrap_or_default();
            let response = FakeAws::call(&fake, request.uri().path(), request.headers(), body).await;
            HttpResponse::try_from(response.map(SdkBody::from))
                .map_err(|error| ConnectorError::user(error.into()))
        })
    }
}
