//! Checks the tags of every EC2 instance in scope against rules in a table, repairs what is missing with
//! the fewest calls, and says in one report what it did and what it only found.
//!
//! # Layout
//! - [`event`]: a raw message → a command. `run`: one run over a fleet. `launch`: one for what was just
//!   launched.
//! - [`rules`]: the rule language, and the check of all rules together.
//! - [`observe`]: the reads. [`decide`]: what to do, pure. [`act`]: the writes. `apply`: a plan of tags in
//!   the fewest calls ([`cover`]), and what became of it.
//! - `lock`: once an event. `end`: what becomes of untagged instances.
//! - [`owner`]: who launched an instance; `lookups`: asking CloudTrail; `launchers`: writing it.
//! - [`report`]: what a run has to say, for people and for machines.
//! - [`instance`], [`state`], [`settings`], [`error`].
//!
//! # Invariants
//! - A tag with a value is never written, except where a rule says so of a disallowed value.
//! - With a faulty rule, with no rule, or when the fleet has fallen sharply, nothing is written.
//! - Nothing is stopped or terminated but what [`decide::standing`] calls due in two reads, and only if
//!   all that is due is within the cap.

pub mod act;
mod apply;
pub mod cover;
pub mod decide;
mod end;
pub mod error;
pub mod event;
pub mod instance;
mod launch;
mod launchers;
mod lock;
mod lookups;
pub mod observe;
pub mod owner;
pub mod report;
pub mod rules;
mod run;
pub mod settings;
pub mod state;

use aws_config::SdkConfig;
use aws_helpers::envelope;
use aws_smithy_async::time::SharedTimeSource;
use jiff::Timestamp;
use lambda_runtime::Context;
use serde_json::{Value, json};

use crate::error::Error;
use crate::event::Command;
use crate::instance::Frame;
use crate::settings::Settings;

/// The SDK's clients, sharing one `SdkConfig`.
#[derive(Clone, Debug)]
pub struct Clients {
    /// Amazon EC2.
    pub ec2: aws_sdk_ec2::Client,
    /// Amazon DynamoDB.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// AWS CloudTrail.
    pub cloudtrail: aws_sdk_cloudtrail::Client,
    /// Amazon EC2 Auto Scaling.
    pub autoscaling: aws_sdk_autoscaling::Client,
    /// Amazon SNS.
    pub sns: aws_sdk_sns::Client,
}

impl Clients {
    /// Makes the clients.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        Self {
            ec2: aws_sdk_ec2::Client::new(config),
            dynamodb: aws_sdk_dynamodb::Client::new(config),
            cloudtrail: aws_sdk_cloudtrail::Client::new(config),
            autoscaling: aws_sdk_autoscaling::Client::new(config),
            sns: aws_sdk_sns::Client::new(config),
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
    /// The account that the function runs in, if its ARN says so.
    pub account: Option<String>,
}

impl Invocation {
    /// Reads it from the runtime's context.
    #[must_use]
    pub fn of(context: &Context) -> Self {
        let deadline =
            i64::try_from(context.deadline).ok().and_then(|at| Timestamp::from_millisecond(at).ok());
        let account = context.invoked_function_arn.split(':').nth(4);
        let is_account =
            |digits: &&str| digits.len() == 12 && digits.bytes().all(|byte| byte.is_ascii_digit());
        Self {
            request: context.request_id.clone(),
            deadline: deadline.unwrap_or_default(),
            account: account.filter(is_account).map(str::to_owned),
        }
    }
}

/// The function: settings, clients, a clock.
#[derive(Debug)]
pub struct TagPolicy {
    settings: Settings,
    clients: Clients,
    time: SharedTimeSource,
    region: Option<String>,
}

impl TagPolicy {
    /// Made once at start-up. The clock is the one that the SDK signs with.
    #[must_use]
    pub fn new(settings: Settings, clients: Clients, config: &SdkConfig) -> Self {
        let time = config.time_source().unwrap_or_default();
        Self { settings, clients, time, region: config.region().map(ToString::to_string) }
    }

    /// Answers one invocation with the summary of its run: `{"skipped": reason}` where there was none.
    /// Records of SNS or SQS are answered one after the other, each failing alone.
    pub async fn handle(&self, event: Value, invocation: &Invocation) -> Result<Value, Error> {
        let envelope = envelope::open(event)?;
        let mut failed = Vec::new();
        let mut summaries = Vec::new();
        for (at, record) in envelope.records.iter().enumerate() {
            let answer = match &record.message {
                Ok(message) => self.answer(message, invocation).await,
                Err(malformed) => Err(malformed.clone().into()),
            };
            match answer {
                Ok(summary) => summaries.push(summary),
                // What cannot be read says by itself where it stood.
                Err(error) if envelope.records.len() == 1 || matches!(error, Error::Event(_)) => {
                    failed.push((at, error.to_string()));
                }
                Err(error) => failed.push((at, format!("{}: {error}", record.place))),
            }
        }
        let answer = envelope.answer(&failed).map_err(Error::Record)?;
        // Where the whole invocation fails instead, the runtime logs the error.
        for (_, reason) in &failed {
            tracing::error!("record failed, to be delivered again: {reason}");
        }
        Ok(if answer.is_null() && summaries.len() == 1 { summaries.remove(0) } else { answer })
    }

    async fn answer(&self, message: &Value, invocation: &Invocation) -> Result<Value, Error> {
        match event::classify(message, self.now())? {
            Command::Run(mut run) => {
                self.complete(&mut run.frame, invocation);
                self.run(run, invocation).await
            }
            Command::Launch(mut launch) => {
                self.complete(&mut launch.frame, invocation);
                self.launch(launch, invocation).await
            }
            Command::Skip(reason) => Ok(skipped(&reason)),
        }
    }

    /// A hand-made event names neither account nor region: they are the function's.
    fn complete(&self, frame: &mut Frame, invocation: &Invocation) {
        frame.account = frame.account.take().or_else(|| invocation.account.clone());
        frame.region = frame.region.take().or_else(|| self.region.clone());
    }

    fn now(&self) -> Timestamp {
        Timestamp::try_from(self.time.now()).unwrap_or_default()
    }
}

/// The summary of an event that asks for nothing, or has been answered.
fn skipped(reason: &str) -> Value {
    tracing::info!("skipped: {reason}");
    json!({"skipped": reason})
}
