//! The emulated clock: wall time that can run faster and be moved by hand.
//!
//! Invariant: reading it needs the real elapsed time as an argument, so everything that asks for the
//! time can be tested without waiting. Changing the acceleration never makes time jump.

use std::time::{Duration, SystemTime};

use crate::time::later;

/// Maps real time since the emulator's start to emulated wall time.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    /// Real time since start at which `emulated` was right.
    anchor: Duration,
    emulated: SystemTime,
    acceleration: f64,
}

/// Largest acceleration: one real second is about eleven days.
pub(crate) const MAX_ACCELERATION: f64 = 1_000_000.0;

impl Clock {
    pub(crate) fn new(wall: SystemTime, acceleration: f64) -> Self {
        Self { anchor: Duration::ZERO, emulated: wall, acceleration: sane(acceleration) }
    }

    /// Emulated wall time when `real` has passed since the start.
    pub(crate) fn now(&self, real: Duration) -> SystemTime {
        later(self.emulated, scale(real.saturating_sub(self.anchor), self.acceleration))
    }

    /// Real time until `emulated` is reached, zero when it has passed, a day when it never will.
    pub(crate) fn until(&self, real: Duration, emulated: SystemTime) -> Duration {
        let left = emulated.duration_since(self.now(real)).unwrap_or_default();
        if left.is_zero() {
            Duration::ZERO
        } else if self.acceleration > 0.0 {
            scale(left, 1.0 / self.acceleration)
        } else {
            Duration::from_secs(86_400)
        }
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.emulated = later(self.emulated, by);
    }

    pub(crate) fn set_acceleration(&mut self, real: Duration, acceleration: f64) {
        self.emulated = self.now(real);
        self.anchor = real;
        self.acceleration = sane(acceleration);
    }

    pub(crate) fn acceleration(&self) -> f64 {
        self.acceleration
    }
}

fn sane(acceleration: f64) -> f64 {
    if acceleration.is_finite() { acceleration.clamp(0.0, MAX_ACCELERATION) } else { 1.0 }
}

fn scale(duration: Duration, factor: f64) -> Duration {
    // One century is enough for any test and keeps the sum within what the system clock can hold.
    let seconds = (duration.as_secs_f64() * factor).clamp(0.0, 3_155_760_000.0);
    Duration::from_secs_f64(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn runs_at_its_speed_and_is_continuous() {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let mut clock = Clock::new(start, 60.0);
        assert_eq!(clock.now(SECOND), start + 60 * SECOND);
        clock.set_acceleration(SECOND, 1.0);
        assert_eq!(clock.now(SECOND), start + 60 * SECOND);
        assert_eq!(clock.now(3 * SECOND), start + 62 * SECOND);
        clock.advance(Duration::from_secs(3_600));
        assert_eq!(clock.now(3 * SECOND), start + Duration::from_secs(3_662));
    }

    #[test]
    fn says_how_long_to_wait_in_real_time() {
        let start = SystemTime::UNIX_EPOCH;
        let mut clock = Clock::new(start, 10.0);
        assert_eq!(clock.until(Duration::ZERO, start + 20 * SECOND), 2 * SECOND);
        assert_eq!(clock.until(9 * SECOND, start + 20 * SECOND), Duration::ZERO);
        clock.set_acceleration(Duration::ZERO, 0.0);
        assert!(clock.until(Duration::ZERO, start + SECOND) > Duration::from_secs(3_600));
    }

    #[test]
    fn refuses_nonsense_speeds() {
        let clock = Clock::new(SystemTime::UNIX_EPOCH, f64::NAN);
        assert!((clock.acceleration() - 1.0).abs() < f64::EPSILON);
        assert!(Clock::new(SystemTime::UNIX_EPOCH, -3.0).acceleration().abs() < f64::EPSILON);
    }
}
