//! The numbers of the refresh algorithm, the pauses after fetches that brought nothing, and the values that replace refused ones.

use std::time::Duration;

use super::{Generation, Moment};
use crate::{Error, ErrorKind, Jitter, Result};

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// When values are fetched, and how long that may take.
///
/// The numbers are made for credentials that live one hour, and scale to other lifetimes. The advisory window starts at
/// minute 50, or up to 2½ minutes earlier, which differs per instance. It leaves ten minutes, in which a dozen attempts
/// fit. The mandatory window is the last minute, in which callers wait for the new value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    pub(super) attempt_limit: Duration,
    pub(super) flight_limit: Duration,
    pub(super) scatter: bool,
    pub(super) seed: Option<u64>,
}

impl Policy {
    /// A longer lifetime counts as this.
    pub(crate) const LONGEST_LIFE: Duration = secs(24 * 60 * 60);
    /// The pause after a fetch that brought the same value again.
    pub(super) const NO_PROGRESS_PAUSE: Duration = secs(30);
    /// A longer `Retry-After` counts as this.
    pub(super) const LONGEST_RETRY_AFTER: Duration = secs(600);
    /// The background task checks the clocks at least this often, to notice suspends.
    pub(super) const LONGEST_SLEEP: Duration = secs(30);
    /// How often one flight repeats an attempt that did not reach the service.
    pub(super) const TRANSPORT_RETRIES: u32 = 2;
    /// How many fetches may be forced in a row, and how long one more takes to become available.
    pub(super) const FORCED: (u32, Duration) = (2, secs(30));
    /// Bounds of the advisory window, which is a sixth of the lifetime between them.
    const ADVISORY: (Duration, Duration) = (secs(60), secs(20 * 60));
    /// The longest mandatory window.
    const MANDATORY: Duration = secs(60);
    /// Pauses while the old value is valid.
    const VALID_PAUSE: (Duration, Duration) = (secs(1), secs(60));
    /// Pauses while callers have no value.
    const INVALID_PAUSE: (Duration, Duration) = (Duration::from_millis(250), secs(5));
    /// Pauses after errors that do not pass by themselves.
    const PERMANENT_PAUSE: (Duration, Duration) = (secs(5), secs(60));

    /// Whether a value that was not fetched ahead of need is fetched again at a random moment between a twenty-fourth and
    /// five sixths of its life. Default: yes.
    ///
    /// Values are not fetched ahead of need at the first need and after a failure. The start of a fleet, or the end of
    /// an outage, would otherwise make all its instances refresh in the same minute. It costs half a fetch each time.
    #[must_use]
    pub const fn scatter(self, scatter: bool) -> Self {
        Self { scatter, ..self }
    }

    /// Makes every random choice repeatable. Default: different for every cache.
    #[must_use]
    pub const fn seed(self, seed: u64) -> Self {
        Self { seed: Some(seed), ..self }
    }

    /// Limits for one attempt, and for all attempts of one flight together. Default: 10 s and 30 s.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) if `attempt` is zero or `flight` is shorter than `attempt`.
    pub fn limits(self, attempt: Duration, flight: Duration) -> Result<Self> {
        if attempt.is_zero() || flight < attempt {
            let text =
                "refresh limits; accepted: an attempt above zero, and a flight at least as long";
            return Err(Error::new(ErrorKind::Config, text));
        }
        Ok(Self { attempt_limit: attempt, flight_limit: flight, ..self })
    }

    /// How long before its end a value with this lifetime is due to be fetched again.
    pub(super) fn advisory_window(lifetime: Duration) -> Duration {
        let (shortest, longest) = Self::ADVISORY;
        (lifetime / 6).max(shortest.min(lifetime / 2)).min(longest)
    }

    /// How long before its end callers wait for the next value.
    pub(super) fn mandatory_window(lifetime: Duration) -> Duration {
        Self::MANDATORY.min(lifetime / 10)
    }

    /// How long after its start a flight that has not reported counts as lost.
    pub(super) fn lost_after(&self) -> Duration {
        self.flight_limit.saturating_add(secs(1))
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self { attempt_limit: secs(10), flight_limit: secs(30), scatter: true, seed: None }
    }
}

/// The pause after the last fetch that brought nothing.
///
/// It has two lengths, because a valid value leaves more time than none. Which one counts is decided when
/// [`left`](Self::left) is called, so a value that expires during a long pause makes the pause short.
#[derive(Clone, Debug, Default)]
pub(super) struct Backoff {
    /// Failures in a row.
    failures: u32,
    /// Those among them that do not pass by themselves.
    permanent: u32,
    /// The part of its slot that the last attempt left.
    rest_of_slot: Duration,
    pause: Option<Pause>,
}

#[derive(Clone, Copy, Debug)]
struct Pause {
    since: Moment,
    /// While the value is valid. Also while no caller waits, unless the other length is longer.
    valid: Duration,
    /// While a caller waits without a valid value.
    invalid: Duration,
}

impl Backoff {
    /// Whether the last fetch succeeded, or there was none.
    pub(super) fn is_clear(&self) -> bool {
        self.failures == 0
    }

    /// Notes that the current value came again. The pause ends when the value expires.
    pub(super) fn no_progress(&mut self, now: Moment) {
        *self = Self::default();
        let (valid, invalid) = (Policy::NO_PROGRESS_PAUSE, Duration::ZERO);
        self.pause = Some(Pause { since: now, valid, invalid });
    }

    /// Notes a failure. `retry_after` is the least pause.
    pub(super) fn failed(
        &mut self,
        now: Moment,
        jitter: &mut Jitter,
        permanent: bool,
        retry_after: Option<Duration>,
    ) {
        self.failures = self.failures.saturating_add(1);
        let mut valid = self.slot(Policy::VALID_PAUSE, jitter);
        let mut invalid = grown(Policy::INVALID_PAUSE, 2, self.failures);
        if permanent {
            self.permanent = self.permanent.saturating_add(1);
            invalid = grown(Policy::PERMANENT_PAUSE, 2, self.permanent);
            valid = invalid;
        }
        let least = retry_after.unwrap_or_default().min(Policy::LONGEST_RETRY_AFTER);
        let (valid, invalid) = (valid.max(least), invalid.max(least));
        self.pause = Some(Pause { since: now, valid, invalid });
    }

    /// A pause that ends at a random moment of the next slot.
    ///
    /// Time is divided into slots that grow. One attempt per slot spreads a fleet as a random pause of the full length
    /// does, and bounds the number of attempts: at most 15 in the ten minutes before an hour-long value expires.
    fn slot(&mut self, range: (Duration, Duration), jitter: &mut Jitter) -> Duration {
        let slot = grown(range, 3, self.failures);
        let position = slot / 1000 * (1 + jitter.up_to(999));
        let pause = (self.rest_of_slot + position).min(range.1);
        self.rest_of_slot = (self.rest_of_slot + slot).saturating_sub(pause);
        pause
    }

    /// The rest of the pause, depending on whether the value is `valid` and a caller `wanted` one.
    pub(super) fn left(&self, now: Moment, valid: bool, wanted: bool) -> Duration {
        let Some(pause) = self.pause else { return Duration::ZERO };
        let length = match (valid, wanted) {
            (true, _) => pause.valid,
            (false, true) => pause.invalid,
            (false, false) => pause.valid.max(pause.invalid),
        };
        length.saturating_sub(now.since(pause.since))
    }
}

/// The shortest pause, multiplied by `factor` for every failure after the first, up to the longest.
fn grown((shortest, longest): (Duration, Duration), factor: u32, failures: u32) -> Duration {
    let times = factor.saturating_pow(failures.saturating_sub(1));
    shortest.saturating_mul(times).min(longest)
}

/// Limits how often a refused or stale value makes a new one be fetched: a token bucket.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ForcedLimit {
    /// How many were taken and have not come back, and since when the oldest of them is coming back.
    taken: u32,
    since: Option<Moment>,
}

impl ForcedLimit {
    /// Takes one, if one is left.
    pub(super) fn take(&mut self, now: Moment) -> bool {
        let (burst, interval) = Policy::FORCED;
        if let Some(since) = self.since {
            let back = now.since(since).as_nanos() / interval.as_nanos().max(1);
            if back > 0 {
                self.taken = self.taken.saturating_sub(u32::try_from(back).unwrap_or(u32::MAX));
                self.since = Some(now);
            }
        }
        if self.taken >= burst {
            return false;
        }
        if self.taken == 0 {
            self.since = Some(now);
        }
        self.taken += 1;
        true
    }
}

/// The refusals of one login or call, whose value is replaced until one is refused that was requested after the first refusal.
///
/// A cache may hold a value from before, which another caller brought: it may have been revoked together with the first one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Refusals {
    /// When the first value was refused, and the one that was refused last.
    seen: Option<(Duration, Generation)>,
}

impl Refusals {
    /// Counts a refusal at `now`, and returns whether another value may help. `requested_at` is the value's
    /// [`Held::requested_at`](super::Held::requested_at); both times are of the same monotonic clock.
    pub fn another_may_help(
        &mut self,
        now: Duration,
        generation: Generation,
        requested_at: Duration,
    ) -> bool {
        let (first, last) = self.seen.unzip();
        self.seen = Some((first.unwrap_or(now), generation));
        first.is_none_or(|first| requested_at < first) && last != Some(generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_scale_with_the_lifetime() {
        let table = [
            (3600, 600, 60_000),
            (24 * 3600, 1200, 60_000),
            (600, 100, 60_000),
            (300, 60, 30_000),
            (60, 30, 6_000),
            (10, 5, 1_000),
            (0, 0, 0),
        ];
        for (life, advisory, mandatory_millis) in table {
            assert_eq!(Policy::advisory_window(secs(life)), secs(advisory), "of {life} s");
            let mandatory = Duration::from_millis(mandatory_millis);
            assert_eq!(Policy::mandatory_window(secs(life)), mandatory, "of {life} s");
        }
    }

    #[test]
    fn limits_that_contradict_each_other_are_named() {
        for (attempt, flight) in [(secs(9), secs(1)), (Duration::ZERO, secs(1))] {
            let error = Policy::default().limits(attempt, flight).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains("limits"), "{error}");
        }
        let (attempt, flight) = (secs(10), secs(30));
        assert_eq!(Policy::default().limits(attempt, flight).unwrap(), Policy::default());
    }
}
