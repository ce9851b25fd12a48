//! The command `costs`: what the functions cost a month, by item, from their settings.
//!
//! # Layout
//! - [`options`]: the command line. [`prices`]: the one table of prices, dated. [`bill`]: units → dollars.
//! - [`metrics`]: the function `ecs-metrics` and the published design beside it: settings → bill, pure;
//!   `metrics/page.rs` says it in words. Another function is another subcommand with the same two files.
//! - [`mod@show`]: blocks of text and tables → a terminal's text, or Markdown.
//!
//! # Invariants
//! - A price stands in `prices.rs` only, and a quantity in one constant that says where it comes from: pages quote
//!   both, and repeat neither.
//! - A month is 30 days.

pub mod bill;
pub mod metrics;
pub mod options;
pub mod prices;
pub mod show;

use crate::metrics::page;
use crate::options::{Command, Options};

/// Minutes in a month of 30 days.
pub const MINUTES: u32 = 30 * 24 * 60;

/// Says what the command line asks for. Fails on options that do not fit each other.
pub fn run(options: &Options) -> Result<String, clap::Error> {
    match &options.command {
        Command::Metrics(metrics) => {
            let settings = metrics.settings()?;
            let blocks =
                if metrics.all { page::all(&settings) } else { page::one(&settings, metrics.published) };
            Ok(show::text(&blocks, metrics.how.format))
        }
    }
}
