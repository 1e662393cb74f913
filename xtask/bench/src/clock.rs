//! Real time: a benchmark is the one kind of program that must look at the clock and let time pass.

use std::time::{Duration, Instant};

pub(crate) use xtask::system::pause;

#[expect(clippy::disallowed_methods, reason = "real time is what is measured")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Time since `start`.
pub(crate) fn since(start: Instant) -> Duration {
    now().saturating_duration_since(start)
}

/// Blocks the thread until `due`; the kernel's timers are finer than those of a runtime, which count milliseconds.
pub(crate) fn sleep_until(due: Instant) {
    let left = due.saturating_duration_since(now());
    if !left.is_zero() {
        pause(left);
    }
}

/// Milliseconds, with fractions.
pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
