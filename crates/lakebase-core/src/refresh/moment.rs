//! Both clocks at once, and the one rule by which they are compared.

use std::time::Duration;

use crate::{Clock, Timestamp};

/// What both clocks showed at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The monotonic clock: never steps, but may stand still while the machine is suspended.
    pub monotonic: Duration,
    /// The wall clock: counts suspends, but may step either way.
    pub wall: Timestamp,
}

impl Moment {
    /// Reads both clocks.
    #[must_use]
    pub fn now(clock: &dyn Clock) -> Self {
        Self { monotonic: clock.monotonic(), wall: clock.wall() }
    }

    /// The time since `earlier`: the larger of what the two clocks say.
    ///
    /// So a suspended laptop or a frozen container is noticed by its wall clock, and a wall clock that was
    /// set back hides nothing. A wall clock that was set forward makes things look older than they are,
    /// which costs one early fetch.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let monotonic = self.monotonic.saturating_sub(earlier.monotonic);
        monotonic.max(self.wall.saturating_since(earlier.wall))
    }
}
