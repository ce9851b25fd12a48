//! Feeds the envelope and the event parsers of all functions with what nobody would send.
//!
//! # Layout
//! - [`check`]: what must hold of an input. [`quote`]: whether an error repeats what it is about.
//! - [`samples`]: the events under `events/`, and what they are made of. [`mutate`]: makes other ones of them.
//! - `main`: libFuzzer's target (`make fuzz`), which looks for inputs that take new branches. The tests do the same
//!   without looking, for some seconds, in every `cargo test`.
//! - `tests/logs`: whole invocations, and what they log.

pub mod check;
pub mod mutate;
pub mod quote;
pub mod samples;
