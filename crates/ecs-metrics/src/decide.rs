//! What to write, and when. Pure: no I/O, no clock.

pub mod data;
pub mod details;
pub mod schedule;
