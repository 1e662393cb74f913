//! A reading of both clocks, and the rule that compares two readings.

use std::time::Duration;

use crate::Timestamp;

/// A reading of both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The monotonic clock. It never steps, but may stop while the machine is suspended.
    pub monotonic: Duration,
    /// The wall clock. It runs while the machine is suspended, but may step forward and back.
    pub wall: Timestamp,
}

impl Moment {
    /// The time since `earlier`: the larger of the two clocks' differences.
    ///
    /// The wall clock shows how long a laptop or container was suspended. The monotonic clock still counts after the
    /// wall clock was set back. After the wall clock was set forward a value looks older than it is, which costs one
    /// early fetch.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let monotonic = self.monotonic.saturating_sub(earlier.monotonic);
        monotonic.max(self.wall.saturating_since(earlier.wall))
    }

    /// The reading `duration` later, if the machine is not suspended and no clock is set.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        let monotonic = self.monotonic.saturating_add(duration);
        Self { monotonic, wall: self.wall.saturating_add(duration) }
    }

    /// Whether both clocks are before `deadline`.
    ///
    /// For whole milliseconds `now.is_before(start.saturating_add(duration))` equals `now.since(start) < duration`, and
    /// needs two comparisons only.
    pub(crate) fn is_before(self, deadline: Self) -> bool {
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
            // With a length of zero they disagree after a clock was set back.
            prop_assume!(!length.is_zero());
            prop_assert_eq!(now.is_before(deadline), now.since(start) < length);
        }
    }
}
