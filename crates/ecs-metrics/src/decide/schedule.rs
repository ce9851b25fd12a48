//! When ticks are due, and whose they are.
//!
//! Ticks are absolute multiples of the period. An invocation owns the minute after its event's, so that a trigger
//! may come late by most of a minute and lose nothing.

use std::time::Duration;

use jiff::Timestamp;

/// A minute.
pub const MINUTE: Duration = Duration::from_secs(60);

/// A moment later; the last there is if that is out of range.
#[must_use]
pub fn later(moment: Timestamp, by: Duration) -> Timestamp {
    moment.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// Time from one moment to a later one; zero if it is not later.
#[must_use]
pub fn until(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or(Duration::ZERO)
}

/// The last multiple of the period that is not after a moment.
fn floor(moment: Timestamp, period: Duration) -> Timestamp {
    let seconds = i64::try_from(period.as_secs()).unwrap_or(1).max(1);
    let second = moment.as_second();
    Timestamp::from_second(second - second.rem_euclid(seconds)).unwrap_or(moment)
}

/// The beginning of the minute that a moment lies in.
#[must_use]
pub fn minute_of(moment: Timestamp) -> Timestamp {
    floor(moment, MINUTE)
}

/// The first tick that is due at a moment or after it.
#[must_use]
pub fn first_due(from: Timestamp, period: Duration) -> Timestamp {
    let before = floor(from, period);
    if before == from { before } else { later(before, period) }
}

/// The tick whose due time is nearest: for one that comes without a time from a trigger that drifts.
#[must_use]
pub fn nearest(now: Timestamp, period: Duration) -> Timestamp {
    floor(later(now, period / 2), period)
}

/// Whether a tick is so late that it is left out: nearer to the next, it would only stand for that one twice.
#[must_use]
pub fn is_late(due: Timestamp, now: Timestamp, period: Duration) -> bool {
    until(due, now) > period / 2
}

/// Whether two moments lie in different windows of so many seconds: what is gathered over a window is then written.
#[must_use]
pub fn crosses(from: Timestamp, to: Timestamp, window: Duration) -> bool {
    floor(from, window) != floor(to, window)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> Timestamp {
        format!("2026-01-01T{time}Z").parse().unwrap()
    }

    #[test]
    fn ticks_are_multiples_of_the_period() {
        for (seconds, now, first, near) in [
            (5, "00:00:00", "00:00:00", "00:00:00"),
            (5, "00:00:00.001", "00:00:05", "00:00:00"),
            (5, "00:00:02.4", "00:00:05", "00:00:00"),
            (5, "00:00:02.5", "00:00:05", "00:00:05"),
            (5, "00:00:59", "00:01:00", "00:01:00"),
            (1, "23:59:58.9", "23:59:59", "23:59:59"),
            (60, "00:00:30", "00:01:00", "00:01:00"),
            (20, "00:00:41", "00:01:00", "00:00:40"),
        ] {
            let period = Duration::from_secs(seconds);
            let found = (first_due(at(now), period), nearest(at(now), period));
            assert_eq!(found, (at(first), at(near)), "{seconds} s, {now}");
        }
    }

    #[test]
    fn a_tick_is_left_out_when_the_next_is_nearer() {
        for (seconds, now, expected) in [
            (5, "00:00:09.9", false),
            (5, "00:00:10", false),
            (5, "00:00:12.5", false),
            (5, "00:00:12.501", true),
            (1, "00:00:10.5", false),
            (1, "00:00:10.6", true),
        ] {
            assert_eq!(
                is_late(at("00:00:10"), at(now), Duration::from_secs(seconds)),
                expected,
                "{seconds} s, {now}"
            );
        }
    }

    #[test]
    fn windows_are_absolute() {
        for (from, to, expected) in
            [("00:00:08", "00:00:09", false), ("00:00:09", "00:00:10", true), ("00:00:55", "00:01:00", true)]
        {
            assert_eq!(crosses(at(from), at(to), Duration::from_secs(10)), expected, "{from} {to}");
        }
    }
}
