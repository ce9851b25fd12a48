//! Time in the World: moments, how they are written, and values that change at moments.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;

/// Time since the World began.
pub type Moment = Duration;

/// Turns moments into dates.
#[derive(Clone, Copy, Debug)]
pub struct Calendar {
    /// When the World began, since the Unix epoch.
    epoch: Duration,
}

impl Calendar {
    /// A World that begins at this date.
    pub fn starting(at: SystemTime) -> Self {
        Self { epoch: at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default() }
    }

    /// The moment as a date.
    pub fn date(self, at: Moment) -> SystemTime {
        SystemTime::UNIX_EPOCH + self.epoch + at
    }

    /// The moment since the Unix epoch.
    pub fn since_epoch(self, at: Moment) -> Duration {
        self.epoch + at
    }

    /// The moment as RFC 3339 with milliseconds, as the query services and events write it.
    pub fn rfc3339(self, at: Moment) -> String {
        milliseconds(self.date(at))
    }

    /// The moment in seconds since the Unix epoch, as ECS writes it.
    pub fn epoch_seconds(self, at: Moment) -> f64 {
        (self.epoch + at).as_secs_f64()
    }
}

/// A date as RFC 3339 with milliseconds.
pub(crate) fn milliseconds(date: SystemTime) -> String {
    format!("{:.3}", timestamp(date))
}

/// A date as RFC 3339 in whole seconds, as CloudTrail writes it.
pub(crate) fn seconds(date: SystemTime) -> String {
    format!("{:.0}", timestamp(date))
}

/// A date in seconds since the Unix epoch, as the JSON services write it.
pub(crate) fn epoch_seconds(date: SystemTime) -> f64 {
    date.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

fn timestamp(date: SystemTime) -> Timestamp {
    Timestamp::try_from(date).unwrap_or(Timestamp::MAX)
}

impl Default for Calendar {
    /// 2026-01-01T00:00:00Z: tests read the same dates every day.
    fn default() -> Self {
        Self { epoch: Duration::from_hours(490_896) }
    }
}

/// A value that changes at moments and remembers what it was, so that a stale read is a read of the past.
#[derive(Clone, Debug)]
pub struct Timeline<T> {
    since: Moment,
    first: T,
    later: Vec<(Moment, T)>,
}

impl<T: PartialEq> Timeline<T> {
    /// A value that exists from this moment on.
    pub fn new(since: Moment, first: T) -> Self {
        Self { since, first, later: Vec::new() }
    }

    /// Changes the value from this moment on.
    pub fn set(&mut self, at: Moment, value: T) {
        if *self.newest() != value {
            self.later.push((at, value));
        }
    }

    /// Takes back what was to come after this moment.
    pub fn cancel(&mut self, after: Moment) {
        self.later.retain(|(at, _)| *at <= after);
    }

    /// The newest value.
    pub fn newest(&self) -> &T {
        self.later.last().map_or(&self.first, |(_, value)| value)
    }

    /// The value at a moment; none before it existed.
    pub fn seen(&self, moment: Moment) -> Option<&T> {
        if moment < self.since {
            return None;
        }
        let changed = self.later.iter().rev().find(|(at, _)| *at <= moment);
        Some(changed.map_or(&self.first, |(_, value)| value))
    }

    /// Since when it exists.
    pub fn since(&self) -> Moment {
        self.since
    }

    /// Since when the newest value holds.
    pub fn changed_at(&self) -> Moment {
        self.later.last().map_or(self.since, |(at, _)| *at)
    }
}

impl<T: Copy + PartialEq> Timeline<T> {
    /// The newest value.
    pub fn latest(&self) -> T {
        *self.newest()
    }

    /// The value at a moment; none before it existed.
    pub fn at(&self, moment: Moment) -> Option<T> {
        self.seen(moment).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeline_remembers() {
        let at = Moment::from_secs;
        let mut line = Timeline::new(at(1), 'a');
        line.set(at(5), 'b');
        line.set(at(6), 'b');
        line.set(at(9), 'c');
        let read: Vec<_> = [0, 1, 4, 5, 8, 9, 99].map(|second| line.at(at(second))).into();
        assert_eq!(read, [None, Some('a'), Some('a'), Some('b'), Some('b'), Some('c'), Some('c')]);
        assert_eq!((line.latest(), line.changed_at()), ('c', at(9)));
    }

    #[test]
    fn dates_are_written_in_milliseconds() {
        let written = Calendar::default().rfc3339(Moment::from_millis(1_500));
        assert_eq!(written, "2026-01-01T00:00:01.500Z");
    }
}
