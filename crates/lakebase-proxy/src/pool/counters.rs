//! The counters of a pool.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::queue::Counts;

/// Upper ends of the histogram's buckets, in milliseconds; the last bucket has none.
const BUCKETS: [u64; 8] = [1, 5, 25, 100, 500, 2_000, 10_000, 30_000];

/// How a pool is doing. `size`, `active`, `idle` and `waiting` are as of now, all else only grows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStats {
    /// The most sessions at once.
    pub size: u64,
    /// Sessions that clients have, are being opened for them, or are being reset after them.
    pub active: u64,
    /// Idle sessions.
    pub idle: u64,
    /// Clients that wait for their turn.
    pub waiting: u64,
    /// Sessions that were opened.
    pub opened: u64,
    /// Clients that got a session which another one had before.
    pub reused: u64,
    /// Sessions that were not used again because the reset failed.
    pub resets_failed: u64,
    /// Sessions that were not used again because something was open when their client left, or a cancel request had been sent.
    pub unsettled: u64,
    /// Idle sessions that the server ended, or that were found dead.
    pub ended: u64,
    /// Clients that were rejected because their turn did not come in time.
    pub timed_out: u64,
    /// For how long clients waited for their turn: the upper end of each bucket, and how many waited no longer than that, those of
    /// the buckets before it included.
    pub waits: Vec<(Duration, u64)>,
    /// All clients that got their turn.
    pub waits_count: u64,
    /// How long they waited together.
    pub waits_sum: Duration,
}

/// The same while it is being counted.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(super) opened: AtomicU64,
    pub(super) reused: AtomicU64,
    pub(super) resets_failed: AtomicU64,
    pub(super) unsettled: AtomicU64,
    pub(super) ended: AtomicU64,
    pub(super) timed_out: AtomicU64,
    waits: [AtomicU64; BUCKETS.len() + 1],
    waited_micros: AtomicU64,
}

impl Counters {
    /// A client's turn came after `time`.
    pub(super) fn waited(&self, time: Duration) {
        let bucket = BUCKETS.iter().take_while(|end| time > Duration::from_millis(**end)).count();
        if let Some(bucket) = self.waits.get(bucket) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.waited_micros.fetch_add(micros, Ordering::Relaxed);
    }

    pub(super) fn snapshot(&self, size: usize, counts: Counts) -> PoolStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counts { taken, idle, waiting } = counts;
        let mut waits_count = 0;
        let mut waits = Vec::new();
        for (counter, end) in self.waits.iter().zip(BUCKETS.map(Some).into_iter().chain([None])) {
            waits_count += read(counter);
            waits.extend(end.map(|end| (Duration::from_millis(end), waits_count)));
        }
        PoolStats {
            size: size as u64,
            active: taken.saturating_sub(idle) as u64,
            idle: idle as u64,
            waiting: waiting as u64,
            opened: read(&self.opened),
            reused: read(&self.reused),
            resets_failed: read(&self.resets_failed),
            unsettled: read(&self.unsettled),
            ended: read(&self.ended),
            timed_out: read(&self.timed_out),
            waits,
            waits_count,
            waits_sum: Duration::from_micros(read(&self.waited_micros)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_counted_up_to_each_end() {
        let counters = Counters::default();
        for millis in [0, 1, 2, 600, 40_000] {
            counters.waited(Duration::from_millis(millis));
        }
        let stats = counters.snapshot(4, Counts { taken: 3, idle: 1, waiting: 2 });
        let waits: Vec<_> = stats.waits.iter().map(|(_, count)| *count).collect();
        assert_eq!(waits, [2, 3, 3, 3, 3, 4, 4, 4]);
        assert_eq!((stats.waits_count, stats.waits_sum), (5, Duration::from_millis(40_603)));
        assert_eq!((stats.active, stats.idle, stats.waiting), (2, 1, 2));
    }
}
