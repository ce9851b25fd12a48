//! Real runs, in process: the fake as the SDK's HTTP client, tokio's paused time as the clock.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests"
)]

mod calls;
mod everyday;
mod faults;
mod harness;
mod hostile;
mod launches;
mod owners;
mod untagged;
