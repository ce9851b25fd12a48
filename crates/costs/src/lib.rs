//! The command `costs`: what the functions cost a month, by item, from their settings.
//!
//! # Layout
//! - [`options`]: the command line. [`prices`]: the one table of prices, dated. [`bill`]: units → dollars.
//! - [`metrics`], [`drainer`], [`tags`], [`spot`]: a function each, settings → bill, pure, and beside it the published design,
//!   if there is one; `page.rs` says it in words. [`running`]: what an invocation takes, for all of them.
//! - [`stack`]: what comes with them. [`whole`]: all together.
//! - `page`: what the pages share. [`mod@show`]: blocks of text and tables → a terminal's text, or Markdown.
//!
//! # Invariants
//! - A price stands in `prices/` only, and a quantity in one constant that says where it comes from: pages quote
//!   both, and repeat neither.
//! - A month is 30 days.

pub mod bill;
pub mod drainer;
pub mod metrics;
pub mod options;
mod page;
pub mod prices;
pub mod running;
pub mod show;
pub mod spot;
pub mod stack;
pub mod tags;
pub mod whole;

use crate::options::{Command, Options};

/// Hours in a month of 30 days.
pub const HOURS: u32 = 30 * 24;
/// Minutes in a month of 30 days.
pub const MINUTES: u32 = HOURS * 60;

/// Says what the command line asks for. Fails on options that do not fit each other.
pub fn run(options: &Options) -> Result<String, clap::Error> {
    let free_tier = options.how().free_tier.is_on();
    let blocks = match &options.command {
        None if options.whole.all => whole::page::all(&options.whole.settings()?, free_tier),
        None => whole::page::one(&options.whole.settings()?, free_tier),
        Some(Command::Metrics(metrics)) => {
            let settings = metrics.settings()?;
            if metrics.all {
                metrics::page::all(&settings, free_tier)
            } else {
                metrics::page::one(&settings, metrics.published, free_tier)
            }
        }
        Some(Command::Drainer(drainer)) => drainer::page::one(&drainer.settings(), free_tier),
        Some(Command::Tags(tags)) => tags::page::one(&tags.settings(), free_tier),
        Some(Command::Spot(spot)) => spot::page::one(&spot.settings(), free_tier),
    };
    Ok(show::text(&blocks, options.how().format))
}
