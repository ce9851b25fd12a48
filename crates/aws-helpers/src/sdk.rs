//! The one `SdkConfig` of a function, shared by all its clients.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, SdkConfig};

/// Attempts a call, the first included. Four, with the SDK's back-off (1, 2, 4 s at
/// most), ride out some seconds of throttling; what lasts longer is left to the next delivery.
pub const ATTEMPTS: u32 = 4;

/// Time allowed for one attempt. The SDK has none of its own (its newest defaults set only a connect
/// timeout), and an answer of these services takes milliseconds.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);

/// Time allowed for a call with all its attempts.
pub const OPERATION_TIMEOUT: Duration = Duration::from_secs(20);

/// The retries that every client uses.
#[must_use]
pub fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(ATTEMPTS)
}

/// The timeouts that every client uses.
#[must_use]
pub fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build()
}

/// Reads region, credentials and endpoints from the environment, once, at start-up.
///
/// `function` goes into the user agent, so that CloudTrail shows which function called; a name that
/// the user agent cannot carry is left out rather than failing the start.
pub async fn load(function: &'static str) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .retry_config(retries())
        .timeout_config(timeouts());
    if let Ok(name) = AppName::new(function) {
        loader = loader.app_name(name);
    }
    loader.load().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_client_gets_the_same_patience() {
        let timeouts = timeouts();
        for (name, found, expected) in [
            ("an attempt", timeouts.operation_attempt_timeout(), Some(ATTEMPT_TIMEOUT)),
            ("a call with all its attempts", timeouts.operation_timeout(), Some(OPERATION_TIMEOUT)),
            ("a connection: the SDK's own default", timeouts.connect_timeout(), None),
        ] {
            assert_eq!(found, expected, "{name}");
        }
        assert_eq!(retries().max_attempts(), ATTEMPTS);
        assert!(OPERATION_TIMEOUT > ATTEMPT_TIMEOUT * 2, "time for one attempt that hangs, and the others");
    }
}
