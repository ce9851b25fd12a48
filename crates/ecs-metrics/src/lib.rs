//! Writes the counts of ECS clusters to CloudWatch every few seconds, each tick once and on time.
//!
//! A schedule starts one invocation a minute, which makes all ticks of the minute after; or a state machine starts one
//! for each tick.
//!
//! # Layout
//! - [`event`]: a raw event → a command. `minute`: all ticks of a minute. `tick`: one tick. `rounds`: what is
//!   read once a minute.
//! - [`clusters`]: which clusters; `names`: their names, remembered for a minute.
//! - [`observe`]: the reads. [`decide`]: what to write and when, pure. [`act`]: the writes.
//! - [`snapshot`], [`metric`]: what is read and what is written. [`meter`]: what the writer measures of itself.
//! - [`settings`], [`error`].
//!
//! # Invariants
//! - A datum's timestamp is its tick's due time, a multiple of the period.
//! - A minute has one owner, which a lease says; what fails in one batch of clusters or data is lost in that one.
//! - What is remembered from one invocation to the next may be lost: names, and since when agents are silent.

pub mod act;
pub mod clusters;
pub mod decide;
pub mod error;
pub mod event;
pub mod meter;
pub mod metric;
mod minute;
mod names;
pub mod observe;
mod rounds;
pub mod settings;
pub mod snapshot;
mod tick;

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_helpers::sdk;
use aws_smithy_async::time::SharedTimeSource;
use jiff::Timestamp;
use lambda_runtime::Context;
use serde_json::{Value, json};

use crate::decide::schedule::until;
use crate::error::Error;
use crate::event::Command;
use crate::meter::Meter;
use crate::names::Names;
use crate::rounds::Silent;
use crate::settings::Settings;

/// The SDK's clients, sharing one `SdkConfig`.
#[derive(Clone, Debug)]
pub struct Clients {
    /// Amazon ECS.
    pub ecs: aws_sdk_ecs::Client,
    /// Amazon CloudWatch.
    pub cloudwatch: aws_sdk_cloudwatch::Client,
    /// Amazon DynamoDB.
    pub dynamodb: aws_sdk_dynamodb::Client,
}

impl Clients {
    /// Makes the clients. What fails is tried again within a tick, so they are less patient than those of other functions:
    /// retries begin after a twentieth of a period, and an attempt has half of one. But no less than the first call of a cold
    /// start may take, with the handshake in a fraction of a core; a shorter tick ends it by itself.
    #[must_use]
    pub fn new(config: &SdkConfig, period: Duration, meter: &Meter) -> Self {
        let retries = RetryConfig::standard()
            .with_max_attempts(sdk::ATTEMPTS)
            .with_initial_backoff(period / 20)
            .with_max_backoff(period / 4);
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(sdk::ATTEMPT_TIMEOUT.min(period / 2).max(sdk::ATTEMPT_TIMEOUT / 2))
            .operation_timeout(sdk::OPERATION_TIMEOUT);
        let config = config.to_builder().retry_config(retries).timeout_config(timeouts.build()).build();
        let ecs = aws_sdk_ecs::config::Builder::from(&config).interceptor(meter.clone());
        let cloudwatch = aws_sdk_cloudwatch::config::Builder::from(&config).interceptor(meter.clone());
        let dynamodb = aws_sdk_dynamodb::config::Builder::from(&config).interceptor(meter.clone());
        Self {
            ecs: aws_sdk_ecs::Client::from_conf(ecs.build()),
            cloudwatch: aws_sdk_cloudwatch::Client::from_conf(cloudwatch.build()),
            dynamodb: aws_sdk_dynamodb::Client::from_conf(dynamodb.build()),
        }
    }
}

/// What Lambda says of an invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// Its id; a retry has the same.
    pub request: String,
    /// When Lambda ends it.
    pub deadline: Timestamp,
    /// The function's name.
    pub function: String,
}

impl Invocation {
    /// Reads it from the runtime's context.
    #[must_use]
    pub fn of(context: &Context) -> Self {
        let deadline =
            i64::try_from(context.deadline).ok().and_then(|at| Timestamp::from_millisecond(at).ok());
        Self {
            request: context.request_id.clone(),
            deadline: deadline.unwrap_or_default(),
            function: context.env_config.function_name.clone(),
        }
    }
}

/// The function: settings, clients, a clock, and what may be lost.
#[derive(Debug)]
pub struct EcsMetrics {
    settings: Settings,
    clients: Clients,
    time: SharedTimeSource,
    meter: Meter,
    names: Names,
    silent: Silent,
}

impl EcsMetrics {
    /// Made once at start-up. The clock is the one that the SDK signs with.
    #[must_use]
    pub fn new(settings: Settings, config: &SdkConfig) -> Self {
        let meter = Meter::default();
        let clients = Clients::new(config, settings.period, &meter);
        let time = config.time_source().unwrap_or_default();
        Self { settings, clients, time, meter, names: Names::default(), silent: Silent::default() }
    }

    /// Answers one invocation with what it has written, or with the reason why that was nothing.
    pub async fn handle(&self, event: Value, invocation: &Invocation) -> Result<Value, Error> {
        match event::classify(&event)? {
            Command::Minute(minute) => Ok(Box::pin(self.minute(minute, invocation)).await),
            Command::Tick(tick) => Box::pin(self.single(tick, invocation)).await,
            Command::Skip(reason) => Ok(skipped(&reason)),
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::try_from(self.time.now()).unwrap_or_default()
    }

    /// Waits for a moment, to the tenth of a millisecond: tokio's timer counts whole milliseconds, and the kernel lets a poll
    /// wait a thousandth longer, or some milliseconds where the machine is busy. So the thread itself sleeps the last of it.
    async fn wait_until(&self, moment: Timestamp) {
        const LAST: Duration = Duration::from_millis(10);
        const PROBE: Duration = Duration::from_micros(100);
        if let Some(most) = until(self.now(), moment).checked_sub(LAST) {
            tokio::time::sleep(most).await;
        }
        let early = self.now();
        std::thread::sleep(until(early, moment).min(PROBE));
        let late = self.now();
        if late == early {
            // A virtual clock, which threads do not move.
            tokio::time::sleep(until(late, moment)).await;
        } else {
            std::thread::sleep(until(late, moment));
        }
    }
}

/// The answer to an event that asks for nothing, or that has been answered.
fn skipped(reason: &str) -> Value {
    tracing::info!("skipped: {reason}");
    json!({"skipped": reason})
}
