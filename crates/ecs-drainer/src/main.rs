//! The Lambda function `ecs-drainer`. What it does is told in the library.

use aws_helpers::settings::Variables;
use aws_helpers::{sdk, telemetry};
use ecs_drainer::settings::Settings;
use ecs_drainer::{Clients, Drainer};
use lambda_runtime::{LambdaEvent, service_fn};

const FUNCTION: &str = "ecs-drainer";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::install(FUNCTION);
    let settings = Settings::read(&Variables::from_env()).inspect_err(|error| tracing::error!("{error}"))?;
    let config = sdk::load(FUNCTION).await;
    let drainer = &Drainer::new(settings, Clients::new(&config), &config);
    lambda_runtime::run(service_fn(async |event: LambdaEvent<_>| drainer.handle(event.payload).await)).await
}
