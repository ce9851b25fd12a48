//! Whole drains, on the fake, in virtual time: topic, queues and function wired as the template does it.

mod calls;
mod everyday;
mod faults;
mod harness;
mod settings;
