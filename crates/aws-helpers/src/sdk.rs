//! The one `SdkConfig` of a function, shared by all its clients.

use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, SdkConfig};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::{
    HttpConnectorSettings, SharedHttpClient, SharedHttpConnector, http_client_fn,
};

/// Attempts a call, the first included. Four, with the SDK's back-off (1, 2, 4 s at
/// most), ride out some seconds of throttling; what lasts longer is left to the next delivery.
pub const ATTEMPTS: u32 = 4;

/// Time allowed for a connection: what the SDK's newest defaults allow.
pub const CONNECT_TIMEOUT: Duration = Duration::from_millis(3_100);

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
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build()
}

/// The one connector of all clients.
///
/// Each client would make two of its own, one to see that it can and one for its first call, and take the machine's some 140
/// authorities into both.
static CONNECTOR: LazyLock<SharedHttpConnector> = LazyLock::new(|| {
    let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build();
    let connector = Connector::builder()
        .connector_settings(settings)
        .proxy_config(ProxyConfig::from_env())
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .build();
    SharedHttpConnector::new(connector)
});

/// What all clients make their calls with.
///
/// Its certificates, which are most instructions of a start, are read while everything else starts. Where no thread can be had, or
/// the first call comes before it is done, that call does it, or waits.
fn http_client() -> SharedHttpClient {
    let ahead = thread::Builder::new().name("certificates".into()).spawn(|| LazyLock::force(&CONNECTOR));
    if let Err(error) = ahead {
        tracing::warn!("no thread to read the certificates: {error}; the first call will");
    }
    http_client_fn(|_, _| CONNECTOR.clone())
}

/// Reads region, credentials and endpoints from the environment, once, at start-up.
///
/// `function` goes into the user agent, so that CloudTrail shows which function called; a name that
/// the user agent cannot carry is left out rather than failing the start.
pub async fn load(function: &'static str) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .retry_config(retries())
        .timeout_config(timeouts())
        .http_client(http_client());
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
            ("a connection", timeouts.connect_timeout(), Some(CONNECT_TIMEOUT)),
        ] {
            assert_eq!(found, expected, "{name}");
        }
        assert_eq!(retries().max_attempts(), ATTEMPTS);
        assert!(OPERATION_TIMEOUT > ATTEMPT_TIMEOUT * 2, "time for one attempt that hangs, and the others");
    }
}
