//! The short run: every sample, fifty thousand mutations of them, and any JSON at all.

use std::collections::BTreeMap;
use std::panic::catch_unwind;
use std::thread;

use fuzz::check::{self, Asked, Said};
use fuzz::mutate::Mutator;
use fuzz::samples::Samples;
use serde_json::Value;

/// Events of each thread.
const EVENTS: u64 = 25_000;
/// As many as CI has cores.
const THREADS: u64 = 2;

#[test]
fn every_sample_keeps_what_is_promised() {
    for (name, event) in Samples::read().events {
        assert_eq!(check::event(&event), Ok(()), "{name}");
        assert_eq!(check::input(event.to_string().as_bytes()), Ok(()), "{name}");
    }
}

#[test]
fn mutations_of_the_samples_keep_what_is_promised() {
    let mutator = &Mutator::new(Samples::read());
    thread::scope(|scope| {
        for first in 0..THREADS {
            scope.spawn(move || {
                for seed in (first..).step_by(2).take(usize::try_from(EVENTS).unwrap()) {
                    let event = mutator.event(seed).to_string();
                    let checked = catch_unwind(|| check::input(event.as_bytes()));
                    assert_eq!(checked.ok(), Some(Ok(())), "seed {seed} (none: it panicked)");
                }
            });
        }
    });
}

/// The mutations are worth trying: what each parser can say is common among them.
#[test]
fn mutations_are_taken_skipped_and_refused_by_every_parser() {
    let mutator = Mutator::new(Samples::read());
    let mut found: BTreeMap<(usize, &str), usize> = BTreeMap::new();
    let mut errors: BTreeMap<String, usize> = BTreeMap::new();
    for seed in 0..10_000 {
        let opened = aws_helpers::envelope::open(mutator.event(seed));
        let messages = opened.map(|opened| opened.records).unwrap_or_default();
        for message in messages.into_iter().filter_map(|record| record.message.ok()) {
            for (parser, said) in Asked::of(&message).said().into_iter().enumerate() {
                let kind = match said {
                    Said::Taken => "taken",
                    Said::Skip(_) => "skipped",
                    Said::Error(error) => {
                        *errors.entry(error).or_default() += 1;
                        "refused"
                    }
                };
                *found.entry((parser, kind)).or_default() += 1;
            }
        }
    }
    assert!(found.len() == 15 && found.values().all(|times| *times >= 30), "{found:?}");
    assert!(errors.len() >= 25, "{errors:#?}");
}

#[test]
fn what_is_large_or_deep_is_answered_too() {
    let million = 1 << 20;
    let record = |body: &str| format!(r#"{{"messageId":"m","body":{}}}"#, Value::from(body));
    for (name, input) in [
        ("nothing", String::new()),
        ("lists in lists", "[".repeat(million)),
        ("objects in objects", r#"{"Records":"#.repeat(million / 8)),
        ("as deep as it may be", format!(r#"{{"a":{}{}}}"#, "[".repeat(126), "]".repeat(126))),
        ("ten thousand records", format!(r#"{{"Records":[{}]}}"#, vec![record("{}"); 10_000].join(","))),
        ("a long id", format!(r#"{{"Records":[{{"messageId":"{}"}}]}}"#, "m".repeat(million))),
        ("a long text", format!(r#"{{"DrainRequest":"x","EC2InstanceId":"{}"}}"#, "i".repeat(million))),
        ("a long field", format!(r#"{{"{}":1}}"#, "f".repeat(million))),
    ] {
        assert_eq!(check::input(input.as_bytes()), Ok(()), "{name}");
    }
    // Each envelope escapes what is in it once more: this is as deep as 256 KiB go.
    let mut event = String::from(r#"{"DrainRequest":"x","EC2InstanceId":"i-1"}"#);
    while event.len() < 256 << 10 {
        event = format!(r#"{{"Records":[{}]}}"#, record(&event));
        assert_eq!(check::input(event.as_bytes()), Ok(()), "{} bytes", event.len());
    }
}
