//! Many seeds, on all cores.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::blinders::Blinder;
use crate::run::{self, Failure, Ran};
use crate::tally::Tally;

/// Seeds that a thread takes at a time.
const BLOCK: u64 = 20;

/// Which worlds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seeds {
    /// The first.
    pub from: u64,
    /// How many.
    pub count: u64,
}

/// What became of some worlds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Found {
    /// Worlds from the first on, without a gap.
    pub done: u64,
    /// What happened in them.
    pub tally: Tally,
    /// Those that failed: seed, and why.
    pub failed: Vec<(u64, Failure)>,
    /// How long it took, in seconds, all sittings together.
    pub seconds: u64,
}

/// How a sweep is run.
#[derive(Clone, Copy, Debug)]
pub struct How {
    /// Worlds at a time.
    pub threads: usize,
    /// The protection that is switched off.
    pub blinder: Option<Blinder>,
    /// It stops after so many worlds that fail.
    pub failures: usize,
}

/// Runs worlds that are not done yet; `tell` is told how it stands, often. Stops early when enough have failed.
pub fn run(seeds: Seeds, mut found: Found, how: How, mut tell: impl FnMut(&Found)) -> Found {
    let (begin, before) = (Instant::now(), found.seconds);
    let next = AtomicU64::new(seeds.from.saturating_add(found.done));
    let end = seeds.from.saturating_add(seeds.count);
    let enough = AtomicBool::new(found.failed.len() >= how.failures);
    let (send, receive) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..how.threads {
            let (send, next, enough) = (send.clone(), &next, &enough);
            scope.spawn(move || {
                while !enough.load(Ordering::Relaxed) {
                    let first = next.fetch_add(BLOCK, Ordering::Relaxed);
                    if first >= end {
                        break;
                    }
                    let last = first.saturating_add(BLOCK).min(end);
                    // Nobody listens any more when enough has been found.
                    if send.send((first, block(first..last, how.blinder))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(send);
        // What is done must be so without a gap, or a sweep could not go on where it was interrupted.
        let mut early = BTreeMap::new();
        for (first, block) in receive {
            early.insert(first, block);
            while let Some(block) = early.remove(&seeds.from.saturating_add(found.done)) {
                for ran in block {
                    found.done += 1;
                    found.tally.add(&ran.tally);
                    found.failed.extend(ran.failure.map(|failure| (ran.seed, failure)));
                }
            }
            enough.store(found.failed.len() >= how.failures, Ordering::Relaxed);
            found.seconds = before + begin.elapsed().as_secs();
            tell(&found);
        }
    });
    found
}

fn block(seeds: std::ops::Range<u64>, blinder: Option<Blinder>) -> Vec<Ran> {
    seeds.map(|seed| one(seed, blinder)).collect()
}

/// One world. A panic, of the function or of the fake, is a failure like any other.
fn one(seed: u64, blinder: Option<Blinder>) -> Ran {
    catch_unwind(AssertUnwindSafe(|| run::seed(seed, blinder))).unwrap_or_else(|_| Ran {
        seed,
        tally: Tally { seeds: 1, ..Tally::default() },
        failure: Some(Failure { at: Duration::ZERO, what: "something panicked".to_owned() }),
    })
}

/// The command that runs a world again, with its timeline.
#[must_use]
pub fn command(seed: u64, blinder: Option<Blinder>) -> String {
    let blind = blinder.map(|blinder| format!(" --blind {}", blinder.name()));
    format!("cargo run --bin simulate -- --seed {seed}{}", blind.unwrap_or_default())
}
