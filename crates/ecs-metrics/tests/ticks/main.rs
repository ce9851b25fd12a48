//! Whole minutes in virtual time, against the fake AWS.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "tests")]

mod extras;
mod faults;
mod harness;
mod hostile;
mod minutes;
mod scale;
mod single;
mod sinks;
