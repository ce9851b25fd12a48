//! The Lambda function `ecs-metrics`. What it does is told in the library.

use aws_helpers::settings::Variables;
use aws_helpers::{sdk, telemetry};
use ecs_metrics::settings::Settings;
use ecs_metrics::{EcsMetrics, Invocation};
use lambda_runtime::{LambdaEvent, service_fn};

const FUNCTION: &str = "ecs-metrics";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::install(FUNCTION);
    let settings = Settings::read(&Variables::from_env()).inspect_err(|error| tracing::error!("{error}"))?;
    let config = sdk::load(FUNCTION).await;
    let writer = &EcsMetrics::new(settings, &config);
    let answer = async |event: LambdaEvent<_>| {
        let invocation = Invocation::of(&event.context);
        writer.handle(event.payload, &invocation).await
    };
    lambda_runtime::run(service_fn(answer)).await
}
