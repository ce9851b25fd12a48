//! What moves through the plumbing, for those who look on.

use std::rc::Rc;

use serde_json::Value;

use super::Line;
use crate::world::clock::Moment;

/// Something that moved.
#[derive(Clone, Debug)]
pub enum Move {
    /// A message is on its way.
    Sent {
        /// Where to.
        line: Line,
        /// Its id; each copy has its own.
        id: Rc<str>,
        /// What it says.
        body: Rc<str>,
        /// When it is seen.
        seen_at: Moment,
        /// Whether it is a copy of the one that was sent before.
        copy: bool,
    },
    /// AWS lost an event that it delivers as well as it can.
    Lost(Value),
    /// An invocation began with these messages.
    Began {
        /// Its number, from 1.
        invocation: usize,
        /// Where its messages come from.
        line: Line,
        /// Their ids.
        ids: Vec<Rc<str>>,
    },
    /// An invocation ended.
    Ended {
        /// Its number.
        invocation: usize,
        /// How.
        ending: Ending,
        /// Messages that are done with.
        done: Vec<Rc<str>>,
        /// Messages that come back.
        back: Vec<Rc<str>>,
    },
    /// A message was received too often.
    Dead {
        /// Its id.
        id: Rc<str>,
        /// What it says.
        body: Rc<str>,
    },
}

/// How an invocation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The function answered.
    Answered,
    /// It failed as a whole.
    Failed,
    /// Its timeout ended it.
    TimedOut,
    /// A fault killed it.
    Killed,
}
