//! Sends each deployed function an event that does no harm, looks at what came of it, and tells whoever asked:
//! `CodePipeline` after a deployment, `CodeDeploy` before a new version gets traffic, or a plain invocation.
//!
//! # Layout
//! - [`event`]: who asks. [`decide`]: what is sent to which function, and whether the answer is right; pure.
//! - [`observe`]: the invocations. [`act`]: telling `CodePipeline` and `CodeDeploy`.
//! - [`settings`], [`error`].
//!
//! # Invariants
//! - In a production account nothing changes but one sample of the metric writer's more; see [`decide::event`].
//! - Every function is tried, whichever of them fails.
//! - Whoever waits for a word gets one, with the reason.

pub mod act;
pub mod decide;
pub mod error;
pub mod event;
pub mod observe;
pub mod settings;

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_smithy_async::time::SharedTimeSource;
use futures::future::join_all;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::decide::Check;
use crate::error::Error;
use crate::event::{Command, classify};
use crate::settings::{Settings, Target};

/// The SDK's clients, sharing one `SdkConfig`.
#[derive(Clone, Debug)]
pub struct Clients {
    /// AWS Lambda.
    pub lambda: aws_sdk_lambda::Client,
    /// AWS `CodePipeline`.
    pub codepipeline: aws_sdk_codepipeline::Client,
    /// AWS `CodeDeploy`.
    pub codedeploy: aws_sdk_codedeploy::Client,
}

impl Clients {
    /// Time allowed for one invocation: a dry run over a large fleet takes a minute, and the first tick of the longest
    /// period half of one. Below the function's own time, which leaves some to tell of it.
    const INVOCATION: Duration = Duration::from_secs(240);
    /// Attempts, four seconds apart at most and two on the mean: for about two minutes. The metric writer may run twice at a
    /// time, and does for a part of every minute.
    const ATTEMPTS: u32 = 60;
    const FIRST_BACKOFF: Duration = Duration::from_secs(1);
    const LONGEST_BACKOFF: Duration = Duration::from_secs(4);

    /// Makes the clients.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        let patient = TimeoutConfig::builder()
            .operation_attempt_timeout(Self::INVOCATION)
            .operation_timeout(Self::INVOCATION);
        let retries = RetryConfig::standard()
            .with_max_attempts(Self::ATTEMPTS)
            .with_initial_backoff(Self::FIRST_BACKOFF)
            .with_max_backoff(Self::LONGEST_BACKOFF);
        let lambda = aws_sdk_lambda::config::Builder::from(config)
            .timeout_config(patient.build())
            .retry_config(retries);
        Self {
            lambda: aws_sdk_lambda::Client::from_conf(lambda.build()),
            codepipeline: aws_sdk_codepipeline::Client::new(config),
            codedeploy: aws_sdk_codedeploy::Client::new(config),
        }
    }
}

/// The function: settings, clients, a clock.
#[derive(Debug)]
pub struct SmokeTest {
    settings: Settings,
    clients: Clients,
    time: SharedTimeSource,
}

impl SmokeTest {
    /// Made once at start-up. The clock is the one that the SDK signs with.
    #[must_use]
    pub fn new(settings: Settings, clients: Clients, config: &SdkConfig) -> Self {
        Self { settings, clients, time: config.time_source().unwrap_or_default() }
    }

    /// Tests all functions and tells who asked. The answer says what came of each function; a plain invocation of a
    /// deployment that is not sound fails instead.
    pub async fn handle(&self, event: &Value) -> Result<Value, Error> {
        let command = match classify(event)? {
            Command::Skip(reason) => {
                tracing::info!("skipped: {reason}");
                return Ok(json!({"skipped": reason}));
            }
            command => command,
        };
        // Before it gets traffic a version is called by its number; afterwards by the name that everybody calls.
        let by_alias = !matches!(command, Command::Hook { .. });
        let targets = self.settings.targets.iter();
        let checks = join_all(targets.map(|target| self.check(target, by_alias))).await;
        for check in &checks {
            let (function, version) = (check.function.name(), &check.version);
            match &check.outcome {
                Ok(what) => tracing::info!(function_tested = function, version, "passed: {what}"),
                Err(reason) => tracing::error!(function_tested = function, version, "failed: {reason}"),
            }
        }
        let verdict = decide::verdict(&checks);
        match &command {
            Command::Job { id } => act::tell_pipeline(&self.clients, id, &verdict).await?,
            Command::Hook { deployment, execution } => {
                act::tell_deployment(&self.clients, deployment, execution, verdict.is_ok()).await?;
            }
            Command::Plain | Command::Skip(_) => {
                verdict.as_ref().map_err(|reasons| Error::Failed(reasons.clone()))?;
            }
        }
        Ok(
            json!({"passed": verdict.is_ok(), "functions": checks.iter().map(Check::line).collect::<Vec<_>>()}),
        )
    }

    async fn check(&self, target: &Target, by_alias: bool) -> Check {
        let function = target.function;
        let qualifier = if by_alias { settings::ALIAS } else { &target.version };
        let event = decide::event(function, self.now());
        let reply = observe::invoke(&self.clients, &target.arn, qualifier, &event).await;
        let outcome = match reply {
            Ok(reply) => decide::judge(function, &target.version, &reply),
            Err(fault) => decide::untried(function, &fault),
        };
        Check { function, version: target.version.clone(), outcome }
    }

    fn now(&self) -> Timestamp {
        Timestamp::try_from(self.time.now()).unwrap_or_default()
    }
}
