//! The bill of `spot-interruption` in words and tables.

use super::{INTERVAL, Settings, TIME};
use crate::page::{alone, intro};
use crate::show::{Block, number};

/// One deployment, item by item.
#[must_use]
pub fn one(settings: &Settings, free_tier: bool) -> Vec<Block> {
    vec![
        Block::Title(format!("spot-interruption, {}", size(settings))),
        intro(free_tier),
        Block::Grid(alone("spot-interruption", "", &settings.bill(free_tier))),
        Block::Text(formula()),
    ]
}

/// `10 notices`.
pub(crate) fn size(settings: &Settings) -> String {
    format!("{} notices", number(settings.notices.into(), 0))
}

/// The formula.
pub(crate) fn formula() -> String {
    format!(
        "spot-interruption, a notice: three calls in a row, a call a target group, a message to the operations topic, and the drain \
         that it asks for, of {TIME} s with a pass in {INTERVAL} s. An instance that a hook holds as well is also one of \
         `--drains`, though both are one drain."
    )
}
