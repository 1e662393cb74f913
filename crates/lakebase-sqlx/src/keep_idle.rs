//! Decides which released connections stay idle in a pool and which are closed.
//!
//! sqlx asks before a connection counts as idle, so several that are released at the same moment do not
//! see each other in its count. Those that were allowed to stay are therefore counted here as well.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// After this time a connection that was allowed to stay is in sqlx's count.
const SETTLED: Duration = Duration::from_secs(1);

/// The limit, and how many connections are idle or about to be.
#[derive(Debug)]
pub(crate) struct KeepIdle {
    limit: u32,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    kept: u32,
    changed: Duration,
}

impl KeepIdle {
    pub(crate) fn new(limit: u32) -> Self {
        Self { limit, state: Mutex::default() }
    }

    /// Whether a connection released at `now`, with `idle` others in sqlx's count, stays.
    pub(crate) fn stays(&self, now: Duration, idle: u32) -> bool {
        let mut state = self.lock();
        if now.saturating_sub(state.changed) >= SETTLED {
            // sqlx closes idle connections without telling.
            state.kept = idle;
        }
        let stays = state.kept.max(idle) < self.limit;
        if stays {
            state.kept += 1;
            state.changed = now;
        }
        stays
    }

    /// An idle connection was taken.
    pub(crate) fn taken(&self) {
        let mut state = self.lock();
        state.kept = state.kept.saturating_sub(1);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_keeps_no_more_than_the_limit() {
        let keep = KeepIdle::new(2);
        let at = Duration::from_secs(9);
        let stays = [(); 6].map(|()| keep.stays(at, 0));
        assert_eq!(stays, [true, true, false, false, false, false]);
        keep.taken();
        assert!(keep.stays(at, 1));
        assert!(!keep.stays(at, 2));
    }

    #[test]
    fn what_sqlx_closed_by_itself_is_forgotten() {
        let keep = KeepIdle::new(2);
        assert!(keep.stays(Duration::from_secs(9), 0) && keep.stays(Duration::from_secs(9), 1));
        assert!(!keep.stays(Duration::from_secs(9), 0));
        assert!(keep.stays(Duration::from_secs(10), 0));
        assert!(!KeepIdle::new(0).stays(Duration::from_secs(1), 0));
    }
}
