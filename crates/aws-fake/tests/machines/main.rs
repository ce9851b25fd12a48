//! EC2 and CloudTrail by the SDK's own clients, in paused time.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod describe;
mod states;
mod tagging;
mod trail;

use std::{collections::BTreeMap, fmt::Debug};

use aws_fake::{FakeAws, scenario::Scenario, world::launches::MachinePlan};
use aws_sdk_ec2::{
    error::ProvideErrorMetadata,
    types::{Filter, Reservation, Tag},
};

const NO_ID: &str = "i-00000000000000000";

struct Clients {
    fake: FakeAws,
    ec2: aws_sdk_ec2::Client,
    trail: aws_sdk_cloudtrail::Client,
}

fn clients(scenario: Scenario) -> Clients {
    let fake = FakeAws::new(scenario);
    let config = fake.sdk_config();
    Clients { ec2: aws_sdk_ec2::Client::new(&config), trail: aws_sdk_cloudtrail::Client::new(&config), fake }
}

fn plan(count: usize) -> MachinePlan {
    MachinePlan { count, ..MachinePlan::default() }
}

fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

fn filter(name: &str, values: &[&str]) -> Filter {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    Filter::builder().name(name).set_values(Some(values)).build()
}

fn refusal<T: Debug, E: ProvideErrorMetadata + Debug>(answer: Result<T, E>) -> (String, String) {
    let error = answer.expect_err("a refusal");
    (error.code().unwrap_or_default().to_owned(), error.message().unwrap_or_default().to_owned())
}

fn code<T: Debug, E: ProvideErrorMetadata + Debug>(answer: Result<T, E>) -> String {
    refusal(answer).0
}

fn ids(fake: &FakeAws) -> Vec<String> {
    fake.with(|world| world.machines().map(|machine| machine.id.clone()).collect())
}

fn told_ids(reservations: &[Reservation]) -> Vec<&str> {
    reservations
        .iter()
        .flat_map(Reservation::instances)
        .filter_map(|instance| instance.instance_id())
        .collect()
}

/// Code, and the instances of an answer in order.
async fn found(ec2: &aws_sdk_ec2::Client, filters: Vec<Filter>) -> Vec<String> {
    let answer = ec2.describe_instances().set_filters(Some(filters)).send().await.expect("described");
    let mut ids: Vec<_> = told_ids(answer.reservations()).into_iter().map(str::to_owned).collect();
    ids.sort();
    ids
}
