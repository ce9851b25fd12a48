//! Empties an ECS container instance before its Auto Scaling group terminates it.
//!
//! A lifecycle hook's message begins a [`drain::Drain`]; the function sets the container instance to
//! DRAINING and publishes a *continuation* to the same SNS topic, which comes back after the pass
//! interval; and so on, until every task's last status is STOPPED and the hook is completed. Task events
//! of ECS end a drain at once; the continuations are the net below.
//!
//! # Layout
//! - [`event`]: a raw message → a command.
//! - `subjects`: the commands of a batch, each drain once. `pass`: one pass for all of them. `reading`: whether
//!   an instance is empty. `chain`: what goes on. `hooks`: the hooks of instances of which no message told them.
//! - [`observe`]: the reads. [`decide`]: what to do, pure. [`act`]: the writes.
//! - [`drain`]: what they talk about. [`watch`]: a cache that may be lost. [`settings`], [`error`].
//!
//! # Invariants
//! - A hook is completed with CONTINUE for an empty instance only if every task's *last* status is
//!   STOPPED, read after DRAINING has settled.
//! - A message is acknowledged only when its drain has ended or its continuation is published: losing
//!   the function at any point loses nothing.
//! - A mark on the container instance names a pass only after that pass's continuation is published.

pub mod act;
mod chain;
pub mod decide;
pub mod drain;
mod ending;
pub mod error;
pub mod event;
mod hooks;
pub mod observe;
mod pass;
mod reading;
pub mod settings;
mod subjects;
pub mod watch;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_helpers::{envelope, sdk};
use aws_sdk_ecs::config::retry::{RetryPartition, TokenBucket};
use aws_smithy_async::time::SharedTimeSource;
use jiff::Timestamp;
use serde_json::Value;

use crate::error::Error;
use crate::event::Command;
use crate::settings::Settings;
use crate::subjects::Subjects;
use crate::watch::Watch;

/// Attempts a call. Where a thousand instances leave at once, ten passes share 20 ECS reads a second: with the four
/// attempts of other functions a quarter of the calls would be given up.
const ATTEMPTS: u32 = 8;
/// The longest time between two of them, instead of the SDK's 20 s: so that eight fit into a call's time.
const LONGEST_BACKOFF: Duration = Duration::from_secs(4);

/// The SDK's clients, sharing one `SdkConfig`.
#[derive(Clone, Debug)]
pub struct Clients {
    /// Amazon ECS.
    pub ecs: aws_sdk_ecs::Client,
    /// Amazon EC2 Auto Scaling.
    pub autoscaling: aws_sdk_autoscaling::Client,
    /// Amazon SNS.
    pub sns: aws_sdk_sns::Client,
}

impl Clients {
    /// Makes the clients.
    ///
    /// The SDK would let all retries of a process draw on one store of 500 tokens, which a long spell of
    /// throttling empties: then a heartbeat gets a single attempt, and a second one only a pass later. A pass
    /// has [`ATTEMPTS`] a call and a budget of time, which bounds the calls without it.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        let retries = RetryPartition::custom("drain").token_bucket(TokenBucket::unlimited()).build();
        let patience = sdk::retries().with_max_attempts(ATTEMPTS).with_max_backoff(LONGEST_BACKOFF);
        let ecs = aws_sdk_ecs::config::Builder::from(config)
            .retry_partition(retries.clone())
            .retry_config(patience.clone());
        let autoscaling = aws_sdk_autoscaling::config::Builder::from(config)
            .retry_partition(retries.clone())
            .retry_config(patience.clone());
        let sns = aws_sdk_sns::config::Builder::from(config).retry_partition(retries).retry_config(patience);
        Self {
            ecs: aws_sdk_ecs::Client::from_conf(ecs.build()),
            autoscaling: aws_sdk_autoscaling::Client::from_conf(autoscaling.build()),
            sns: aws_sdk_sns::Client::from_conf(sns.build()),
        }
    }
}

/// The function: settings, clients, a clock, and the cache.
#[derive(Debug)]
pub struct Drainer {
    settings: Settings,
    clients: Clients,
    time: SharedTimeSource,
    watch: Mutex<Watch>,
}

impl Drainer {
    /// Made once at start-up. The clock is the one that the SDK signs with.
    #[must_use]
    pub fn new(settings: Settings, clients: Clients, config: &SdkConfig) -> Self {
        let time = config.time_source().unwrap_or_default();
        Self { settings, clients, time, watch: Mutex::default() }
    }

    /// Answers one invocation: every record of it, each failing alone.
    pub async fn handle(&self, event: Value) -> Result<Value, Error> {
        let envelope = envelope::open(event)?;
        let mut failed = Vec::new();
        let mut subjects = Subjects::default();
        for (at, record) in envelope.records.iter().enumerate() {
            let message = record.message.as_ref().map_err(ToString::to_string);
            let command = message.and_then(|message| {
                event::classify(message, self.now()).map_err(|error| format!("{}: {error}", record.place))
            });
            match command {
                Ok(Command::Drain(drain)) => subjects.begin(*drain, at, &self.watch()),
                Ok(Command::TaskStopped(event)) => subjects.stopped(&event, &mut self.watch()),
                Ok(Command::Terminated(instance)) => {
                    self.watch().terminate(&instance);
                    subjects.terminated(instance);
                }
                Ok(Command::Skip(reason)) => tracing::info!(record = record.place, "skipped: {reason}"),
                Err(reason) => failed.push((at, reason)),
            }
        }
        failed.extend(self.pass(subjects).await);
        let answer = envelope.answer(&failed).map_err(Error::Record)?;
        // Where the whole invocation fails instead, the runtime logs the error.
        for (_, reason) in &failed {
            tracing::error!("record failed, to be delivered again: {reason}");
        }
        Ok(answer)
    }

    fn now(&self) -> Timestamp {
        Timestamp::try_from(self.time.now()).unwrap_or_default()
    }

    /// The cache; a panic elsewhere leaves it usable, since it may hold anything.
    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
