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

/// Time allowed for a connection, whatever a client's own configuration says: what the SDK's newest defaults allow.
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
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build()
}

/// The one connector of all clients.
///
/// Each client would make two of its own, one to see that it can and one for its first call, and take the machine's some 140
/// authorities into both.
static CONNECTOR: LazyLock<SharedHttpConnector> = LazyLock::new(|| connector(ProxyConfig::from_env()));

fn connector(proxy: ProxyConfig) -> SharedHttpConnector {
    let settings = HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).build();
    let connector = Connector::builder()
        .connector_settings(settings)
        .proxy_config(proxy)
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .build();
    SharedHttpConnector::new(connector)
}

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
    use std::error::Error;
    use std::net::TcpStream;

    use aws_smithy_runtime_api::client::http::HttpConnector;
    use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
    use tokio::net::TcpSocket;
    use tokio::time::{Instant, timeout};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_is_not_made_is_given_up() -> Result<(), Box<dyn Error>> {
        let socket = TcpSocket::new_v4()?;
        socket.bind("127.0.0.1:0".parse()?)?;
        let listener = socket.listen(1)?;
        let address = listener.local_addr()?;
        // Linux keeps one more than it was asked to, and then answers nobody.
        let _full = [TcpStream::connect(address)?, TcpStream::connect(address)?];

        let began = Instant::now();
        let call = connector(ProxyConfig::disabled()).call(HttpRequest::get(format!("http://{address}/"))?);
        let answer = timeout(CONNECT_TIMEOUT * 2, call).await?;
        assert!(answer.is_err_and(|error| error.is_timeout()));
        assert_eq!(began.elapsed().as_millis(), CONNECT_TIMEOUT.as_millis());
        Ok(())
    }

    #[test]
    fn every_client_gets_the_same_patience() {
        let timeouts = timeouts();
        for (name, found, expected) in [
            ("an attempt", timeouts.operation_attempt_timeout(), Some(ATTEMPT_TIMEOUT)),
            ("a call with all its attempts", timeouts.operation_timeout(), Some(OPERATION_TIMEOUT)),
        ] {
            assert_eq!(found, expected, "{name}");
        }
        assert_eq!(retries().max_attempts(), ATTEMPTS);
        assert!(OPERATION_TIMEOUT > ATTEMPT_TIMEOUT * 2, "time for one attempt that hangs, and the others");
    }
}
