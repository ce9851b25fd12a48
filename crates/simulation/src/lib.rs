//! Runs whole worlds with everything that can go wrong, seed by seed, and checks what must hold.
//!
//! A seed says everything: clusters, groups, hooks, services and tasks; what happens to them; how messages travel, which
//! calls fail and how, when the function dies, what its clock shows. The functions are the ones that are deployed, the
//! AWS around them is `aws-fake`, the time is virtual. After every call, every delivery and every end of an invocation
//! all that is new is checked. The same seed gives the same world, call by call.
//!
//! # Layout
//! - [`plan`]: a seed → a world. `dice`: its draws.
//! - [`run`]: one world, from its first moment to its last. `environments`: Lambda's. `wiring`: topic, queues and events.
//!   `seam`: the calls, as they pass
//!   from the functions to the fake. `lines`: what the functions log.
//! - `check`: what must hold, with its reasons in `check/rules.rs`.
//! - [`Blinder`]: protections switched off, to show that the checks see it.
//! - `timeline`: what happened, for people. [`tally`]: in numbers.
//! - [`sweep`]: many seeds. [`report`](mod@command), [`command`], [`options`], [`error`]: the command `simulate`.
//!
//! Architecture invariant: nothing in the functions knows of this crate. What is switched off is so at the seam.

mod blinders;
mod check;
pub mod command;
mod dice;
mod environments;
pub mod error;
mod later;
mod lines;
pub mod options;
pub mod plan;
mod report;
pub mod run;
mod seam;
pub mod sweep;
pub mod tally;
mod timeline;
mod wiring;

pub use blinders::Blinder;

/// The SDK allocates for most of what it does: a world takes an eighth fewer instructions than with the system's
/// (`valgrind --tool=callgrind target/debug/simulate --seeds 20`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
