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

    /// The moment as RFC 3339 with milliseconds, as the query services and events write it.
    pub fn rfc3339(self, at: Moment) -> String {
        let stamp = Timestamp::try_from(self.date(at)).unwrap_or(Timestamp::MAX);
        format!("{stamp:.3}")
    }

    /// The moment in seconds since the Unix epoch, as ECS writes it.
    pub fn epoch_seconds(self, at: Moment) -> f64 {
        (self.epoch + at).as_secs_f64()
    }
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

impl<T: Copy + PartialEq> Timeline<T> {
    /// A value that exists from this moment on.
    pub fn new(since: Moment, first: T) -> Self {
        Self { since, first, later: Vec::new() }
    }

    /// Changes the value from this moment on.
    pub fn set(&mut self, at: Moment, value: T) {
        if self.latest() != value {
            self.later.push((at, value));
        }
    }

    /// The newest value.
    pub fn latest(&self) -> T {
        self.later.last().map_or(self.first, |(_, value)| *value)
    }

    /// The value at a moment; none before it existed.
    pub fn at(&self, moment: Moment) -> Option<T> {
        if moment < self.since {
            return None;
        }
        let changed = self.later.iter().rev().find(|(at, _)| *at <= moment);
        Some(changed.map_or(self.first, |(_, value)| *value))
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
