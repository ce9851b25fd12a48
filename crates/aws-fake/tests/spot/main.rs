//! Spot interruptions and what follows them, EC2's events, and the targets of load balancers.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

mod events;
mod interruptions;
mod targets;

use std::time::Duration;

use aws_fake::{
    scenario::Scenario,
    world::{Departure, World, clock::Calendar},
};
use serde_json::Value;

const GROUP: &str = "prod-ecs";
const NO_ID: &str = "i-00000000000000000";

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Three instances with two tasks each, which take ten seconds to stop.
fn prod() -> Scenario {
    Scenario::new(1).cluster("prod", 3).service("web", 6, 10)
}

/// A World, and the first instance of its group.
fn build(scenario: Scenario) -> (World, String) {
    let world = scenario.build(Calendar::default());
    let instance = world.instances(GROUP)[0].clone();
    (world, instance)
}

/// The events of EC2 that have left, each with its second.
fn told(world: &mut World) -> Vec<(u64, Value)> {
    let events = world.take_outbox().into_iter().filter_map(|outgoing| match outgoing.what {
        Departure::Event(event) => (event["source"] == "aws.ec2").then_some((outgoing.at.as_secs(), event)),
        Departure::Notification { .. } => None,
    });
    events.collect()
}
