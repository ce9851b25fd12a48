//! What goes wrong, and at which call.

use std::time::Duration;

use rand::{Rng, rngs::SmallRng};
use serde::Deserialize;

use crate::settings::seconds;

/// One thing that goes wrong.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The operation that it strikes; none: any.
    #[serde(default)]
    pub operation: Option<String>,
    /// At which of these calls, counted for each fault alone.
    pub calls: Calls,
    /// What happens.
    pub kind: FaultKind,
}

/// Which calls a fault strikes.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Calls {
    /// Each.
    All,
    /// Only this one, from 1.
    Nth(u64),
    /// Each so-manieth.
    Every(u64),
    /// The first so many.
    First(u64),
    /// Each with this probability, by the seed.
    Probability(f64),
}

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Refused as too fast; no effect.
    Throttle,
    /// HTTP 500; no effect.
    ServerError,
    /// Refused for want of permission; no effect.
    AccessDenied,
    /// Refused as wrong, in words that repeat the whole request; no effect.
    Invalid,
    /// No effect, and no answer ever.
    TimeoutBefore,
    /// Done, but no answer ever.
    TimeoutAfter,
    /// The calling function dies before the call has its effect.
    KillBefore,
    /// The calling function dies when the call has had its effect.
    KillAfter,
    /// The answer takes this much longer.
    Latency(#[serde(with = "seconds")] Duration),
}

impl Fault {
    /// A fault of one operation.
    pub fn of(operation: &str, calls: Calls, kind: FaultKind) -> Self {
        Self { operation: Some(operation.to_owned()), calls, kind }
    }

    /// A fault of any operation.
    pub fn of_any(calls: Calls, kind: FaultKind) -> Self {
        Self { operation: None, calls, kind }
    }
}

/// The faults of a World, each with the number of calls that it has seen.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<(Fault, u64)>);

impl Faults {
    pub(crate) fn new(faults: Vec<Fault>) -> Self {
        Self(faults.into_iter().map(|fault| (fault, 0)).collect())
    }

    pub(crate) fn add(&mut self, fault: Fault) {
        self.0.push((fault, 0));
    }

    /// What strikes this call. Every fault counts it; the first that strikes decides.
    pub(crate) fn strike(&mut self, operation: &str, rng: &mut SmallRng) -> Option<FaultKind> {
        let mut struck = None;
        for (fault, seen) in &mut self.0 {
            if fault.operation.as_deref().is_some_and(|wanted| wanted != operation) {
                continue;
            }
            *seen += 1;
            let strikes = match fault.calls {
                Calls::All => true,
                Calls::Nth(n) => *seen == n,
                Calls::Every(n) => n > 0 && seen.is_multiple_of(n),
                Calls::First(n) => *seen <= n,
                Calls::Probability(p) => rng.random_bool(p.clamp(0.0, 1.0)),
            };
            if strikes {
                struck = struck.or(Some(fault.kind));
            }
        }
        struck
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn faults_strike_the_calls_that_they_name() {
        let rows = [
            ("all", Calls::All, "xxxxxx"),
            ("nth", Calls::Nth(3), "..x..."),
            ("every", Calls::Every(2), ".x.x.x"),
            ("first", Calls::First(2), "xx...."),
            ("never", Calls::Probability(0.0), "......"),
            ("always", Calls::Probability(1.0), "xxxxxx"),
        ];
        for (name, calls, expected) in rows {
            let mut rng = SmallRng::seed_from_u64(1);
            let mut faults = Faults::new(vec![Fault::of("ListTasks", calls, FaultKind::Throttle)]);
            assert_eq!(faults.strike("StopTask", &mut rng), None, "{name}: another operation");
            let seen: String = (0..6)
                .map(|_| if faults.strike("ListTasks", &mut rng).is_some() { 'x' } else { '.' })
                .collect();
            assert_eq!(seen, expected, "{name}");
        }
    }
}
