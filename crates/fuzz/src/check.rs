//! What must hold of an input, whatever it is.
//!
//! - Nothing panics. Nothing takes long: libFuzzer watches that.
//! - An error names what is wrong and does not repeat the event. A reason to skip may name the event's kind.
//! - What is taken is what it has to be: ids are ids, a minute is whole, a time is not ahead of the clock.
//! - What is asked for does not depend on how the message was wrapped.
//! - A drain is read back from its continuation as it was; the request that a spot notice becomes is one that the
//!   drainer takes.
//! - The answer names the records that failed and no others.

mod records;
mod taken;

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::LazyLock;

use aws_helpers::envelope::{self, BadMessage};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::quote::{WORDS, collect, quoted};

/// A promise that an input broke: which, and how.
pub type Violation = String;

/// Most bytes of an event that a reason to skip it may repeat: the name of its kind.
const KIND: usize = 60;
/// Messages of an event that are wrapped anew: more of them are no other than the first ones.
const WRAPPED: usize = 3;

/// Checks what Lambda hands over. What is no JSON never reaches a function as an event, but it may be the body of a
/// record.
pub fn input(data: &[u8]) -> Result<(), Violation> {
    let event = serde_json::from_slice(data).unwrap_or_else(|_| {
        let body = String::from_utf8_lossy(data);
        json!({"Records": [{"messageId": "059f36b4-87a3-44ab-83d2-661970000001", "body": body}]})
    });
    self::event(&event)
}

/// Checks an event, and every message inside.
pub fn event(event: &Value) -> Result<(), Violation> {
    message(event)?;
    taken::texts(event)?;
    let opened = match envelope::open(event.clone()) {
        Ok(opened) => opened,
        Err(error) => {
            let say = |event: &Value| envelope::open(event.clone()).err().map(|error| error.to_string());
            return unquoted(&error.to_string(), event, WORDS, say);
        }
    };
    records::check(event, &opened)?;
    let messages = opened.records.iter().filter_map(|record| record.message.as_ref().ok());
    for (at, message) in messages.enumerate() {
        let asked = self::message(message)?;
        if at < WRAPPED {
            records::wrapped(message, &asked)?;
        }
    }
    Ok(())
}

/// Checks what the parsers make of one message.
fn message(message: &Value) -> Result<Asked, Violation> {
    let asked = Asked::of(message);
    for (at, said) in asked.said().iter().enumerate() {
        let (text, longest) = match said {
            Said::Taken => continue,
            Said::Skip(text) => (text, KIND),
            Said::Error(text) => (text, WORDS),
        };
        let say = |message: &Value| match Asked::of(message).said().into_iter().nth(at)? {
            Said::Taken => None,
            Said::Skip(text) | Said::Error(text) => Some(text),
        };
        unquoted(text, message, longest, say)?;
    }
    taken::check(&asked, message)?;
    Ok(asked)
}

/// What the functions make of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The drainer.
    pub drainer: Result<ecs_drainer::event::Command, BadMessage>,
    /// The metric writer.
    pub metrics: Result<ecs_metrics::event::Command, BadMessage>,
    /// The spot function.
    pub spot: Result<spot_interruption::event::Command, BadMessage>,
    /// The tag policy.
    pub tags: Result<tag_policy::event::Command, BadMessage>,
    /// The smoke test, whose events come as they are.
    pub smoke: Result<smoke_test::event::Command, BadMessage>,
}

/// What a parser says of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Nothing: it takes it.
    Taken,
    /// Why it asks for nothing.
    Skip(String),
    /// What is wrong with it.
    Error(String),
}

impl Asked {
    /// Reads a message with every parser.
    #[must_use]
    pub fn of(message: &Value) -> Self {
        Self {
            drainer: ecs_drainer::event::classify(message, now()),
            metrics: ecs_metrics::event::classify(message),
            spot: spot_interruption::event::classify(message, now()),
            tags: tag_policy::event::classify(message, now()),
            smoke: smoke_test::event::classify(message),
        }
    }

    /// In the order of the fields.
    #[must_use]
    pub fn said(&self) -> [Said; 5] {
        let error = |error: &BadMessage| Said::Error(error.to_string());
        [
            match &self.drainer {
                Err(bad) => error(bad),
                Ok(ecs_drainer::event::Command::Skip(reason)) => Said::Skip(reason.clone()),
                Ok(_) => Said::Taken,
            },
            match &self.metrics {
                Err(bad) => error(bad),
                Ok(ecs_metrics::event::Command::Skip(reason)) => Said::Skip(reason.clone()),
                Ok(_) => Said::Taken,
            },
            match &self.spot {
                Err(bad) => error(bad),
                Ok(spot_interruption::event::Command::Skip(reason)) => Said::Skip(reason.clone()),
                Ok(_) => Said::Taken,
            },
            match &self.tags {
                Err(bad) => error(bad),
                Ok(tag_policy::event::Command::Skip(reason)) => Said::Skip(reason.clone()),
                Ok(_) => Said::Taken,
            },
            match &self.smoke {
                Err(bad) => error(bad),
                Ok(smoke_test::event::Command::Skip(reason)) => Said::Skip(reason.clone()),
                Ok(_) => Said::Taken,
            },
        ]
    }
}

/// The functions' clock: one for all inputs, so that an input says the same again.
#[must_use]
pub fn now() -> Timestamp {
    static NOW: LazyLock<Timestamp> = LazyLock::new(|| "2026-05-08T17:00:00Z".parse().unwrap_or_default());
    *NOW
}

/// Texts of which it is known that they quote nothing; there are not many different ones.
const KNOWN: usize = 10_000;

/// Fails if `said` repeats more than `longest` bytes of the event.
fn unquoted(
    said: &str,
    event: &Value,
    longest: usize,
    say: impl Fn(&Value) -> Option<String>,
) -> Result<(), Violation> {
    thread_local! {
        static CLEAN: RefCell<HashSet<String>> = RefCell::default();
    }
    // Places in an unreadable text are the only numbers in an error.
    let phrase: String = said.chars().filter(|c| !c.is_ascii_digit()).collect();
    if CLEAN.with_borrow(|clean| clean.contains(&phrase)) {
        return Ok(());
    }
    if let Some(piece) = quoted(said, event, longest, say) {
        return holds(false, || format!("quotes {piece:?}: {said:?}"));
    }
    CLEAN.with_borrow_mut(|clean| clean.len() < KNOWN && clean.insert(phrase));
    Ok(())
}

/// Fails, if it does not hold, with what does not, which is told as far as it can be read.
fn holds(it: bool, what: impl FnOnce() -> String) -> Result<(), Violation> {
    if it { Ok(()) } else { Err(what().chars().take(2_000).collect()) }
}

/// Every text in an event.
fn texts(event: &Value) -> Vec<String> {
    let mut texts = Vec::new();
    collect(event, &mut texts);
    texts
}
