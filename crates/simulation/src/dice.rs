//! Draws from a seed.

use std::time::Duration;

use rand::{Rng, SeedableRng, rngs::SmallRng};

/// A source of draws. The same seed gives the same draws, on every machine.
#[derive(Debug)]
pub(crate) struct Dice(SmallRng);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(SmallRng::seed_from_u64(seed))
    }

    /// True with this probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.0.random_bool(probability.clamp(0.0, 1.0))
    }

    /// A whole number, both ends included.
    pub(crate) fn between(&mut self, from: u64, to: u64) -> u64 {
        self.0.random_range(from..=to.max(from))
    }

    /// A whole number of things, both ends included.
    pub(crate) fn count(&mut self, from: usize, to: usize) -> usize {
        self.0.random_range(from..=to.max(from))
    }

    /// A number, evenly.
    pub(crate) fn real(&mut self, from: f64, to: f64) -> f64 {
        if from < to { self.0.random_range(from..=to) } else { from }
    }

    /// A number between two that are above 0, each order of magnitude as likely as another.
    pub(crate) fn scale(&mut self, from: f64, to: f64) -> f64 {
        self.real(from.ln(), to.ln()).exp()
    }

    /// Seconds as [`Dice::scale`] draws them, in whole milliseconds.
    pub(crate) fn seconds(&mut self, from: f64, to: f64) -> Duration {
        let seconds = self.scale(from, to);
        // Timers have milliseconds: a finer time would only be rounded differently here and there.
        Duration::try_from_secs_f64((seconds * 1_000.0).round() / 1_000.0).unwrap_or_default()
    }

    /// One of these, by weight.
    pub(crate) fn pick<T: Clone>(&mut self, choices: &[(u32, T)]) -> Option<T> {
        let total: u32 = choices.iter().map(|(weight, _)| weight).sum();
        let mut drawn = self.0.random_range(0..total.max(1));
        for (weight, choice) in choices {
            if drawn < *weight {
                return Some(choice.clone());
            }
            drawn -= weight;
        }
        None
    }

    /// A number that identifies something later, when it is known how many there are.
    pub(crate) fn any(&mut self) -> u64 {
        self.0.random()
    }
}
