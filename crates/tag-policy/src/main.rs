//! The Lambda function `tag-policy`. What it does is told in the library.

use aws_helpers::settings::Variables;
use aws_helpers::{sdk, telemetry};
use lambda_runtime::{LambdaEvent, service_fn};
use tag_policy::settings::Settings;
use tag_policy::{Clients, Invocation, TagPolicy};

const FUNCTION: &str = "tag-policy";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::install(FUNCTION);
    let settings = Settings::read(&Variables::from_env()).inspect_err(|error| tracing::error!("{error}"))?;
    let config = sdk::load(FUNCTION).await;
    let policy = &TagPolicy::new(settings, Clients::new(&config), &config);
    let answer = async |event: LambdaEvent<_>| {
        let invocation = Invocation::of(&event.context);
        policy.handle(event.payload, &invocation).await
    };
    lambda_runtime::run(service_fn(answer)).await
}
