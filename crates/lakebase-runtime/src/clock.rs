//! The operating system's clocks; the only place in the connector that reads them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lakebase_core::refresh::Moment;
use lakebase_core::{Clock, Timestamp};

#[cfg(not(target_os = "linux"))]
use self::exact as system;
#[cfg(target_os = "linux")]
use self::kernel as system;

/// The clocks of the operating system.
///
/// [`monotonic`](Clock::monotonic) counts from a moment that all values of this type share; on most platforms it
/// stands still while the machine is suspended. [`coarse`](Clock::coarse) lags by up to one tick of the
/// kernel, 1 to 10 ms, on Linux, and is a quarter of the price there.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn monotonic(&self) -> Duration {
        system::monotonic()
    }

    fn wall(&self) -> Timestamp {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the clock that everything else asks"
        )]
        let now = SystemTime::now();
        let epoch = Timestamp::from_unix_millis(0);
        match now.duration_since(UNIX_EPOCH) {
            Ok(after) => epoch.saturating_add(after),
            Err(before) => epoch.saturating_sub(before.duration()),
        }
    }

    fn coarse(&self) -> Moment {
        system::coarse()
    }

    fn coarse_monotonic(&self) -> Duration {
        system::coarse_monotonic()
    }
}

/// `CLOCK_MONOTONIC_COARSE` and `CLOCK_REALTIME_COARSE`, which the standard library does not read.
#[cfg(target_os = "linux")]
mod kernel {
    use std::time::Duration;

    use lakebase_core::Timestamp;
    use lakebase_core::refresh::Moment;
    use rustix::time::{ClockId, clock_gettime};

    pub(super) fn monotonic() -> Duration {
        read(ClockId::Monotonic)
    }

    pub(super) fn coarse() -> Moment {
        let wall = Timestamp::from_unix_millis(0).saturating_add(read(ClockId::RealtimeCoarse));
        Moment { monotonic: coarse_monotonic(), wall }
    }

    pub(super) fn coarse_monotonic() -> Duration {
        read(ClockId::MonotonicCoarse)
    }

    /// Zero if a wall clock shows a time before 1970: then nothing is fresh by it.
    fn read(clock: ClockId) -> Duration {
        Duration::try_from(clock_gettime(clock)).unwrap_or_default()
    }
}

/// The standard library's clocks; on systems that do not use them, for the tests.
#[cfg(any(test, not(target_os = "linux")))]
mod exact {
    use std::sync::LazyLock;
    use std::time::{Duration, Instant};

    use lakebase_core::refresh::Moment;

    static START: LazyLock<Instant> = LazyLock::new(now);

    #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else asks")]
    fn now() -> Instant {
        Instant::now()
    }

    pub(super) fn monotonic() -> Duration {
        let start = *START;
        now().saturating_duration_since(start)
    }

    pub(super) fn coarse() -> Moment {
        Moment::now(&super::SystemClock)
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn coarse_monotonic() -> Duration {
        monotonic()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coarse_readings_are_behind_the_clocks_by_some_milliseconds() {
        let clock = SystemClock;
        let mut last = clock.coarse();
        for _ in 0..10_000 {
            let coarse = clock.coarse();
            let (alone, monotonic, wall) =
                (clock.coarse_monotonic(), clock.monotonic(), clock.wall());
            assert!(coarse.monotonic <= alone && alone <= monotonic && coarse.wall <= wall);
            assert!(coarse.monotonic >= last.monotonic);
            last = coarse;
        }
        // The task may have been interrupted between two readings, but not every time.
        let lag = (0..1_000).map(|_| {
            let coarse = clock.coarse();
            (clock.monotonic() - coarse.monotonic).max(clock.wall().saturating_since(coarse.wall))
        });
        assert!(lag.min().unwrap() <= Duration::from_millis(20));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn coarse_readings_stand_still_between_ticks() {
        let clock = SystemClock;
        let stands_still = |_| {
            let (exact, coarse) = (clock.monotonic(), clock.coarse());
            let (later_exact, later_coarse) = (clock.monotonic(), clock.coarse());
            exact < later_exact && coarse == later_coarse
        };
        assert!((0..10_000).any(stands_still));
    }

    #[test]
    fn monotonic_clocks_go_on() {
        for clock in [system::monotonic, exact::monotonic] {
            let start = clock();
            while clock() == start {
                std::hint::spin_loop();
            }
            assert!(clock() > start);
        }
    }

    #[test]
    fn exact_clocks_do_not_lag() {
        let before = Moment::now(&SystemClock);
        let exact = exact::coarse();
        assert!(before.wall <= exact.wall && before.monotonic <= exact.monotonic);
    }
}
