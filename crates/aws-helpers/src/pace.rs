//! A pace for calls whose rate AWS limits for the whole account: a token bucket in tokio's time.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Lets calls pass one at a time, each at least `every` after the one before. No burst: what others in the
/// account call draws from the same bucket.
#[derive(Debug)]
pub struct Pace {
    every: Duration,
    next: Option<Instant>,
}

impl Pace {
    /// A pace of one call every so long; the first passes at once.
    #[must_use]
    pub fn new(every: Duration) -> Self {
        Self { every, next: None }
    }

    /// Waits for the next call's turn.
    pub async fn turn(&mut self) {
        if let Some(next) = self.next {
            sleep_until(next).await;
        }
        self.next = Some(Instant::now() + self.every);
    }
}

/// When each of many calls that are made side by side may go: the first `burst` at once, the others one
/// after the other.
#[derive(Clone, Copy, Debug)]
pub struct Queue {
    began: Instant,
    burst: usize,
    every: Duration,
}

impl Queue {
    /// A queue of calls that begins now.
    #[must_use]
    pub fn new(burst: usize, every: Duration) -> Self {
        Self { began: Instant::now(), burst, every }
    }

    /// Waits for the turn of the call at this place (from 0).
    pub async fn turn(self, place: usize) {
        let behind = u32::try_from(place.saturating_sub(self.burst)).unwrap_or(u32::MAX);
        sleep_until(self.began + self.every * behind).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn calls_keep_their_distance_and_save_up_no_burst() {
        let mut pace = Pace::new(Duration::from_millis(500));
        let began = Instant::now();
        let mut passed = Vec::new();
        for pause in [0, 0, 100, 5_000, 0] {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            pace.turn().await;
            passed.push(began.elapsed().as_millis());
        }
        assert_eq!(passed, [0, 500, 1_000, 6_000, 6_500]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_lets_its_burst_pass_and_then_one_at_a_time() {
        let queue = Queue::new(3, Duration::from_millis(100));
        let began = Instant::now();
        let mut passed = Vec::new();
        for place in 0..6 {
            queue.turn(place).await;
            passed.push(began.elapsed().as_millis());
        }
        assert_eq!(passed, [0, 0, 0, 0, 100, 200]);
    }
}
