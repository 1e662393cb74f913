//! The results of the load, counted by many tasks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Shared counters.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    queries: AtomicU64,
    failed: AtomicU64,
    running: AtomicU64,
    first_failure: Mutex<Option<String>>,
    times: Mutex<Vec<Duration>>,
}

/// How long queries took, from asking the pool for a connection to the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) median: Duration,
    pub(crate) p99: Duration,
    pub(crate) slowest: Duration,
}

impl Tally {
    pub(crate) fn begin(&self) {
        self.running.fetch_add(1, Ordering::SeqCst);
    }

    /// The query that was begun does not happen.
    pub(crate) fn cancel(&self) {
        self.running.fetch_sub(1, Ordering::SeqCst);
    }

    pub(crate) fn end(&self, took: Duration, failure: Option<String>) {
        self.queries.fetch_add(1, Ordering::SeqCst);
        lock(&self.times).push(took);
        if let Some(failure) = failure {
            self.failed.fetch_add(1, Ordering::SeqCst);
            lock(&self.first_failure).get_or_insert(failure);
        }
        self.running.fetch_sub(1, Ordering::SeqCst);
    }

    /// Queries that ended, well or not.
    pub(crate) fn queries(&self) -> u64 {
        self.queries.load(Ordering::SeqCst)
    }

    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::SeqCst)
    }

    /// Queries under way.
    pub(crate) fn running(&self) -> u64 {
        self.running.load(Ordering::SeqCst)
    }

    pub(crate) fn first_failure(&self) -> Option<String> {
        lock(&self.first_failure).clone()
    }

    pub(crate) fn times(&self) -> Times {
        let mut times = lock(&self.times).clone();
        times.sort_unstable();
        let at = |percent: usize| {
            let index = times.len().saturating_sub(1) * percent / 100;
            times.get(index).copied().unwrap_or_default()
        };
        Times { median: at(50), p99: at(99), slowest: at(100) }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_ranks() {
        let tally = Tally::default();
        assert_eq!(tally.times(), Times::default());
        for millis in (1..=100).rev() {
            tally.begin();
            tally.end(Duration::from_millis(millis), (millis == 7).then(|| "why".to_owned()));
        }
        tally.begin();
        assert_eq!((tally.queries(), tally.failed(), tally.running()), (100, 1, 1));
        assert_eq!(tally.first_failure().as_deref(), Some("why"));
        let [median, p99, slowest] = [50, 99, 100].map(Duration::from_millis);
        assert_eq!(tally.times(), Times { median, p99, slowest });
    }
}
