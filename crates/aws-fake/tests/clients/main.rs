//! The SDK's own clients against the World, in paused time: wire formats, limits, errors, retries.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::fmt::Debug;

use aws_fake::{FakeAws, scenario::Scenario};
use aws_sdk_autoscaling::error::ProvideErrorMetadata;

mod clusters;
mod ecs;
mod scaling;
mod services;
mod sns;
mod time;

const GROUP: &str = "prod-ecs";
const TOPIC: &str = "arn:aws:sns:us-east-1:123456789012:drain";

struct Clients {
    fake: FakeAws,
    ecs: aws_sdk_ecs::Client,
    scaling: aws_sdk_autoscaling::Client,
    sns: aws_sdk_sns::Client,
}

fn clients(scenario: Scenario) -> Clients {
    let fake = FakeAws::new(scenario);
    let config = fake.sdk_config();
    Clients {
        ecs: aws_sdk_ecs::Client::new(&config),
        scaling: aws_sdk_autoscaling::Client::new(&config),
        sns: aws_sdk_sns::Client::new(&config),
        fake,
    }
}

fn prod(instances: usize) -> Clients {
    clients(Scenario::new(7).cluster("prod", instances).service("web", instances * 2, 10).hook("drain", 900))
}

/// Code and message of an error answer.
fn refusal<T: Debug, E: ProvideErrorMetadata + Debug>(answer: Result<T, E>) -> (String, String) {
    let error = answer.expect_err("a refusal");
    (error.code().unwrap_or_default().to_owned(), error.message().unwrap_or_default().to_owned())
}

fn code<T: Debug, E: ProvideErrorMetadata + Debug>(answer: Result<T, E>) -> String {
    refusal(answer).0
}
