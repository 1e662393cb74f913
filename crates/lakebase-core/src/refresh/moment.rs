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

    /// What both clocks show `duration` later, if neither is suspended or set.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        let monotonic = self.monotonic.saturating_add(duration);
        Self { monotonic, wall: self.wall.saturating_add(duration) }
    }

    /// Whether neither clock has reached what it shows at `deadline`.
    ///
    /// For whole milliseconds `now.is_before(start.saturating_add(duration))` is `now.since(start) < duration`, without
    /// calculating.
    #[must_use]
    pub fn is_before(self, deadline: Self) -> bool {
        self.monotonic < deadline.monotonic && self.wall < deadline.wall
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn moment((monotonic, wall): (u64, u64)) -> Moment {
        let epoch = Timestamp::from_unix_millis(1_769_817_600_000);
        let millis = Duration::from_millis;
        Moment { monotonic: millis(monotonic), wall: epoch.saturating_add(millis(wall)) }
    }

    proptest! {
        #[test]
        fn deadlines_and_ages_agree(
            start in (0u64..100, 0u64..100), now in (0u64..100, 0u64..100), length in 0u64..100,
        ) {
            let (start, now, length) = (moment(start), moment(now), Duration::from_millis(length));
            let deadline = start.saturating_add(length);
            // Of a length of zero nothing is left, also to a clock that was set back.
            prop_assume!(!length.is_zero());
            prop_assert_eq!(now.is_before(deadline), now.since(start) < length);
        }
    }
}
