//! How far apart attempts are after failures, and how many may be forced.

use std::time::Duration;

use super::{Moment, Policy};
use crate::Jitter;

/// The pause after the last fetch that brought nothing.
///
/// Two pauses run side by side, because a value that still lives leaves more time than a caller with empty
/// hands. Which one counts is decided when it is asked for, so that a value which dies during a long
/// pause makes it a short one.
#[derive(Clone, Debug, Default)]
pub(super) struct Spacing {
    /// Failures in a row.
    failures: u32,
    /// Those among them that do not pass by themselves.
    refusals: u32,
    /// What was left of the slot in which the last attempt fell.
    rest_of_slot: Duration,
    pause: Option<Pause>,
}

#[derive(Clone, Copy, Debug)]
struct Pause {
    since: Moment,
    /// While the value lives. Also while nobody asks, unless the other one is longer.
    calm: Duration,
    /// While somebody with empty hands asks.
    urgent: Duration,
}

impl Spacing {
    /// Whether the last fetch succeeded, or there was none.
    pub(super) fn is_clear(&self) -> bool {
        self.failures == 0
    }

    /// The value that we hold came again. Once it is dead this does not count: there should be another.
    pub(super) fn no_progress(&mut self, now: Moment) {
        *self = Self::default();
        let (calm, urgent) = (Policy::NO_PROGRESS_PAUSE, Duration::ZERO);
        self.pause = Some(Pause { since: now, calm, urgent });
    }

    pub(super) fn failed(
        &mut self,
        now: Moment,
        (policy, jitter): (&Policy, &mut Jitter),
        permanent: bool,
        retry_after: Option<Duration>,
    ) {
        self.failures = self.failures.saturating_add(1);
        let (mut calm, mut urgent) =
            (self.slot(policy.window_pause, jitter), grown(policy.cold_pause, 2, self.failures));
        if permanent {
            self.refusals = self.refusals.saturating_add(1);
            urgent = grown(policy.refusal_pause, 2, self.refusals);
            calm = urgent;
        }
        let floor = retry_after.unwrap_or_default().min(Policy::LONGEST_RETRY_AFTER);
        self.pause = Some(Pause { since: now, calm: calm.max(floor), urgent: urgent.max(floor) });
    }

    /// Time is cut into slots that grow, and each attempt falls at a random moment of its own slot. That
    /// spreads a fleet like a random pause of the full length does, and yet bounds the attempts in any
    /// time: by default to 15 in the ten minutes before an hour-long value dies.
    fn slot(&mut self, range: (Duration, Duration), jitter: &mut Jitter) -> Duration {
        let slot = grown(range, 3, self.failures);
        let position = slot / 1000 * (1 + jitter.up_to(999));
        let pause = (self.rest_of_slot + position).min(range.1);
        self.rest_of_slot = (self.rest_of_slot + slot).saturating_sub(pause);
        pause
    }

    /// What is left of the pause, for a machine whose value is `living` and has been `wanted` by a caller.
    pub(super) fn left(&self, now: Moment, living: bool, wanted: bool) -> Duration {
        let Some(pause) = self.pause else { return Duration::ZERO };
        let length = match (living, wanted) {
            (true, _) => pause.calm,
            (false, true) => pause.urgent,
            (false, false) => pause.calm.max(pause.urgent),
        };
        length.saturating_sub(now.since(pause.since))
    }
}

/// The shortest pause, multiplied by `factor` for every failure after the first, up to the longest.
fn grown((shortest, longest): (Duration, Duration), factor: u32, failures: u32) -> Duration {
    let times = factor.saturating_pow(failures.saturating_sub(1));
    shortest.saturating_mul(times).min(longest)
}

/// Limits how often a refused value makes a new one be fetched.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bucket {
    /// How many were taken and did not come back yet, and since when the oldest of them is coming back.
    taken: u32,
    since: Option<Moment>,
}

impl Bucket {
    /// Takes one permit of `burst`; each comes back after `interval`.
    pub(super) fn take(&mut self, now: Moment, (burst, interval): (u32, Duration)) -> bool {
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
