//! Hands a spot instance that EC2 is about to interrupt to the drainer, takes it out of its target groups, and
//! tells the operators.
//!
//! # Layout
//! - [`event`]: a raw message → a command.
//! - `handover`: one notice from its arrival to its end: what is done when, side by side.
//! - [`observe`]: the read. [`decide`]: what to do, pure. [`act`]: the writes.
//! - [`report`]: how far everything is, and the words for it. [`settings`], [`error`].
//!
//! # Invariants
//! - Drain request, target groups and notice are all tried, whichever of them fails or hangs.
//! - Six calls an instance at most, retries apart; none of them names another instance.
//! - Nothing is remembered: everything can be done again, and is if something may succeed then.

pub mod act;
pub mod decide;
pub mod error;
pub mod event;
mod handover;
pub mod observe;
pub mod report;
pub mod settings;

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_helpers::envelope::{self, Record};
use aws_sdk_ec2::config::retry::{RetryPartition, TokenBucket};
use aws_smithy_async::time::SharedTimeSource;
use futures::stream::{self, StreamExt};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::error::Error;
use crate::event::Command;
use crate::settings::Settings;

/// Notices of one delivery at a time. EventBridge delivers one; a queue may deliver many.
const SIDE_BY_SIDE: usize = 10;

/// The SDK's clients, sharing one `SdkConfig`.
#[derive(Clone, Debug)]
pub struct Clients {
    /// Amazon EC2.
    pub ec2: aws_sdk_ec2::Client,
    /// Elastic Load Balancing, the version with target groups.
    pub elb: aws_sdk_elasticloadbalancingv2::Client,
    /// Amazon SNS.
    pub sns: aws_sdk_sns::Client,
}

impl Clients {
    /// Time allowed for one attempt: for the first of a cold start with its handshake in a fraction of a core,
    /// and little enough for a second one within the wait for the look.
    const ATTEMPT: Duration = Duration::from_secs(2);
    /// Attempts a call: enough to last as long as the invocation does, whose time ends them.
    const ATTEMPTS: u32 = 20;
    /// Before the second attempt. It doubles with each, and is multiplied with a random number from 0 to 1.
    const FIRST_BACKOFF: Duration = Duration::from_millis(200);
    /// Before any attempt.
    const LONGEST_BACKOFF: Duration = Duration::from_secs(3);

    /// Makes the clients. The instance has two minutes, and Lambda's own retry comes after one of them: so a call
    /// is given up early and made often, as long as the invocation lasts. The SDK would let all retries of a
    /// process draw on one store of tokens, which that empties.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        let retries = RetryConfig::standard()
            .with_max_attempts(Self::ATTEMPTS)
            .with_initial_backoff(Self::FIRST_BACKOFF)
            .with_max_backoff(Self::LONGEST_BACKOFF);
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(Self::ATTEMPT);
        let config = config.to_builder().retry_config(retries).timeout_config(timeouts.build()).build();
        let partition = RetryPartition::custom("notice").token_bucket(TokenBucket::unlimited()).build();
        let ec2 = aws_sdk_ec2::config::Builder::from(&config).retry_partition(partition.clone());
        let elb =
            aws_sdk_elasticloadbalancingv2::config::Builder::from(&config).retry_partition(partition.clone());
        let sns = aws_sdk_sns::config::Builder::from(&config).retry_partition(partition);
        Self {
            ec2: aws_sdk_ec2::Client::from_conf(ec2.build()),
            elb: aws_sdk_elasticloadbalancingv2::Client::from_conf(elb.build()),
            sns: aws_sdk_sns::Client::from_conf(sns.build()),
        }
    }
}

/// The function: settings, clients, a clock.
#[derive(Debug)]
pub struct Spot {
    settings: Settings,
    clients: Clients,
    time: SharedTimeSource,
}

impl Spot {
    /// Made once at start-up. The clock is the one that the SDK signs with.
    #[must_use]
    pub fn new(settings: Settings, clients: Clients, config: &SdkConfig) -> Self {
        let time = config.time_source().unwrap_or_default();
        Self { settings, clients, time }
    }

    /// Answers one invocation with what was done, or `{"skipped": reason}`. An error if something is to be done
    /// again, once everything has been tried. Records of SNS or SQS fail each alone.
    pub async fn handle(&self, event: Value) -> Result<Value, Error> {
        let envelope = envelope::open(event)?;
        let answers = stream::iter(envelope.records.iter().enumerate())
            .map(async |(at, record)| (at, self.answer(record).await))
            .buffered(SIDE_BY_SIDE)
            .collect::<Vec<_>>();
        let (mut done, mut failed) = (Vec::new(), Vec::new());
        for (at, answer) in Box::pin(answers).await {
            match answer {
                Ok(answer) => done.push(answer),
                Err(reason) => failed.push((at, reason)),
            }
        }
        let answer = envelope.answer(&failed).map_err(Error::Record)?;
        // Where the whole invocation fails instead, the runtime logs the error.
        for (_, reason) in &failed {
            tracing::error!("record failed, to be delivered again: {reason}");
        }
        Ok(if answer.is_null() && done.len() == 1 { done.remove(0) } else { answer })
    }

    async fn answer(&self, record: &Record) -> Result<Value, String> {
        let message = record.message.as_ref().map_err(ToString::to_string)?;
        let command = event::classify(message, self.now());
        match command.map_err(|error| format!("{}: {error}", record.place))? {
            Command::Notice(notice) => self.hand_over(&notice).await,
            Command::Skip(reason) => Ok(skipped(&reason)),
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::try_from(self.time.now()).unwrap_or_default()
    }
}

/// The answer to an event that asks for nothing.
fn skipped(reason: &str) -> Value {
    tracing::info!("skipped: {reason}");
    json!({"skipped": reason})
}
