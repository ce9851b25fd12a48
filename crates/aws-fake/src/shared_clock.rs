//! A clock in a file, for benches that run hours of a function: whoever would wait moves it on instead.
//!
//! The file is eight bytes, nanoseconds since the Unix epoch in this machine's order of bytes, so that other processes
//! can map it into their memory. It is for one caller at a time: calls that are made side by side take their time one
//! after the other.

use std::{fs::File, io, os::unix::fs::FileExt, path::Path, sync::Arc, time::Duration};

use crate::world::clock::{Calendar, Moment};

/// A clock that other processes read and move, too. Clones are the same clock.
#[derive(Clone, Debug)]
pub(crate) struct SharedClock {
    file: Arc<File>,
    calendar: Calendar,
}

impl SharedClock {
    /// Makes the file; its time is the calendar's beginning.
    pub(crate) fn create(path: &Path, calendar: Calendar) -> io::Result<Self> {
        let file = File::options().read(true).write(true).create(true).truncate(true).open(path)?;
        let clock = Self { file: Arc::new(file), calendar };
        clock.set(Moment::ZERO)?;
        Ok(clock)
    }

    /// Its time since the World began.
    pub(crate) fn now(&self) -> io::Result<Moment> {
        let mut nanoseconds = [0; 8];
        self.file.read_exact_at(&mut nanoseconds, 0)?;
        let since_epoch = Duration::from_nanos(u64::from_ne_bytes(nanoseconds));
        Ok(since_epoch.saturating_sub(self.calendar.since_epoch(Moment::ZERO)))
    }

    /// Moves it on to a moment, never back.
    pub(crate) fn move_to(&self, moment: Moment) -> io::Result<()> {
        if moment > self.now()? { self.set(moment) } else { Ok(()) }
    }

    /// Instead of waiting for so long.
    pub(crate) fn pass(&self, time: Duration) -> io::Result<()> {
        self.set(self.now()? + time)
    }

    fn set(&self, moment: Moment) -> io::Result<()> {
        let since_epoch = self.calendar.since_epoch(moment).as_nanos();
        let nanoseconds = u64::try_from(since_epoch).map_err(io::Error::other)?;
        self.file.write_all_at(&nanoseconds.to_ne_bytes(), 0)
    }
}
