//! Whole notices, on the fake, in virtual time: from EC2's event to what became of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::print_stdout, reason = "counted calls are printed")]

mod budget;
mod calls;
mod everyday;
mod faults;
mod harness;
mod hostile;
mod scale;
