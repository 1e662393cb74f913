//! The results of the load, counted by many tasks.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Shared counters.
#[derive(Debug, Default)]
pub(crate) struct Tally(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    running: u64,
    failed: u64,
    first_failure: Option<String>,
    /// Of each query that ended, well or not.
    times: Vec<Duration>,
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
        self.lock().running += 1;
    }

    /// The query that was begun does not happen.
    pub(crate) fn cancel(&self) {
        self.lock().running -= 1;
    }

    pub(crate) fn end(&self, took: Duration, failure: Option<String>) {
        let mut counts = self.lock();
        counts.running -= 1;
        counts.times.push(took);
        if let Some(failure) = failure {
            counts.failed += 1;
            counts.first_failure.get_or_insert(failure);
        }
    }

    /// Queries that ended, well or not.
    pub(crate) fn queries(&self) -> u64 {
        self.lock().times.len() as u64
    }

    pub(crate) fn failed(&self) -> u64 {
        self.lock().failed
    }

    /// Queries under way.
    pub(crate) fn running(&self) -> u64 {
        self.lock().running
    }

    pub(crate) fn first_failure(&self) -> Option<String> {
        self.lock().first_failure.clone()
    }

    pub(crate) fn times(&self) -> Times {
        let mut times = self.lock().times.clone();
        times.sort_unstable();
        let at = |percent: usize| {
            let index = times.len().saturating_sub(1) * percent / 100;
            times.get(index).copied().unwrap_or_default()
        };
        Times { median: at(50), p99: at(99), slowest: at(100) }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
