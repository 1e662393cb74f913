//! The contracts of [`Clock`] and [`Timer`].

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{Either, select};
use lakebase_core::{Clock, Timer, Timestamp};

use super::within;

/// Neither clock stands at an absurd value, and the monotonic one never runs backwards.
pub fn clock(clock: &dyn Clock) {
    let mut last = clock.monotonic();
    for _ in 0..1000 {
        let now = clock.monotonic();
        assert!(now >= last, "{now:?} comes after {last:?}");
        last = now;
    }
    let wall = clock.wall();
    let [from, until] = ["2025-01-01T00:00:00Z", "2200-01-01T00:00:00Z"]
        .map(|text| text.parse::<Timestamp>().expect("a timestamp"));
    assert!(from < wall && wall < until, "the wall clock says {wall}");
}

/// A wait is never too short, ends, and can be given up; `clock` must be the one that the timer goes by.
pub async fn timer(timer: &dyn Timer, clock: &dyn Clock) {
    within(timer, "a wait of nothing", timer.sleep(Duration::ZERO)).await;

    let wait = Duration::from_millis(30);
    let start = clock.monotonic();
    within(timer, "a wait of 30 ms", timer.sleep(wait)).await;
    let waited = clock.monotonic().saturating_sub(start);
    // Timers count whole milliseconds, and may round the start.
    assert!(waited + Duration::from_millis(1) >= wait, "waited {waited:?} instead of {wait:?}");

    let (short, long) =
        (timer.sleep(Duration::from_millis(5)), timer.sleep(Duration::from_secs(3600)));
    let first = within(timer, "the shorter of two waits", select(long, short)).await;
    assert!(matches!(first, Either::Right(_)), "an hour passed before 5 ms");

    let mut given_up = timer.sleep(Duration::from_secs(3600));
    assert!((&mut given_up).now_or_never().is_none(), "an hour passed at once");
    drop(given_up);
    assert!(timer.sleep(Duration::MAX).now_or_never().is_none(), "for ever passed at once");
}
