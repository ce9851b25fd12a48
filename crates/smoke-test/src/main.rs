//! The Lambda function `smoke-test`. What it does is told in the library.

use aws_helpers::settings::Variables;
use aws_helpers::{sdk, telemetry};
use lambda_runtime::{LambdaEvent, service_fn};
use smoke_test::settings::Settings;
use smoke_test::{Clients, SmokeTest};

const FUNCTION: &str = "smoke-test";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::install(FUNCTION);
    let settings = Settings::read(&Variables::from_env()).inspect_err(|error| tracing::error!("{error}"))?;
    let config = sdk::load(FUNCTION).await;
    let test = &SmokeTest::new(settings, Clients::new(&config), &config);
    lambda_runtime::run(service_fn(async |event: LambdaEvent<_>| test.handle(&event.payload).await)).await
}
