//! Whole drains, on the fake, in virtual time: topic, queues and function wired as the template does it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]
#![allow(clippy::print_stdout, reason = "counted calls are printed")]

mod calls;
mod everyday;
mod faults;
mod harness;
mod hooks;
mod hostile;
mod instances;
mod scale;
mod settings;
mod spot;
