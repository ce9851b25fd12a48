//! A strict small AWS: ECS container instances, Auto Scaling lifecycle hooks, EC2 instances and their tags,
//! CloudTrail look-ups, CloudWatch metrics, DynamoDB items, publishing to SNS, targets of load balancers.
//!
//! A [`world::World`] with a virtual clock, a seeded random source and a list of faults holds everything.
//! Services are thin: wire in, World, wire out. They are reached in two ways through the same code: inside
//! a test as the AWS SDK's HTTP client ([`FakeAws::sdk_config`], with tokio's clock paused), and as a server
//! on loopback (the binary `aws-fake`). It refuses what AWS refuses: limits, unknown ids, wrong states,
//! unknown parameters. It has only the operations that the functions call and what a scenario needs.
//!
//! # Layout
//! - [`world`]: what there is and what happens; no wire format, no waiting
//! - `services`: one call: faults, throttling, a typed input, the World
//! - `wire`: awsJson, awsQuery and EC2's dialect of it, CBOR
//! - [`client`]: the World as an HTTP client; [`server`]: as a server, with `relay` for what leaves it
//! - [`plumbing`]: SNS → SQS → Lambda in virtual time, for tests of a function
//! - [`log`]: what a function logs during a test; [`record`]: what it calls, for the tests of permissions
//! - [`scenario`], [`settings`], [`faults`]: what a World begins with, and what goes wrong in it
//! - `buckets`: the account's rate limits; `shared_clock`: a clock that other processes move, too
//! - [`options`]: the binary's command line
//!
//! Architecture invariant: no function depends on this crate except in its tests.

#![allow(
    clippy::must_use_candidate,
    reason = "nearly everything public here is a question to the World: an attribute on each says nothing"
)]

mod buckets;
pub mod client;
pub mod error;
pub mod faults;
mod json;
pub mod log;
pub mod options;
pub mod plumbing;
pub mod record;
mod relay;
pub mod scenario;
pub mod server;
mod services;
pub mod settings;
mod shared_clock;
mod wire;
pub mod world;

pub use client::FakeAws;
