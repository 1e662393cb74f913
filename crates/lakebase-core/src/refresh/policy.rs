//! The numbers of the refresh algorithm, and why they are what they are.

use std::time::Duration;

use crate::{Error, ErrorKind, Result};

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// When values are fetched, how long that may take, and how failures are spaced.
///
/// The defaults are made for credentials that live one hour: fetched again from minute 50 (up to 2½
/// minutes earlier, different for every instance; the first one at any minute from 3 on), ten minutes in which a dozen
/// attempts fit, and a last minute in which callers wait for the new one. They scale to other lifetimes by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    pub(super) lead: (Duration, Duration),
    pub(super) guard: Duration,
    pub(super) attempt_limit: Duration,
    pub(super) flight_limit: Duration,
    pub(super) transport_retries: u32,
    pub(super) window_pause: (Duration, Duration),
    pub(super) cold_pause: (Duration, Duration),
    pub(super) refusal_pause: (Duration, Duration),
    pub(super) forced: (u32, Duration),
    pub(super) scatter: bool,
    pub(super) seed: Option<u64>,
}

impl Policy {
    /// A lifetime is never believed to be longer than this.
    pub(super) const LONGEST_LIFE: Duration = secs(24 * 60 * 60);
    /// The spacing after a fetch that brought the same value again.
    pub(super) const NO_PROGRESS_PAUSE: Duration = secs(30);
    /// A wish of the service to be left alone is honoured up to this long.
    pub(super) const LONGEST_RETRY_AFTER: Duration = secs(600);
    /// How much longer than its limit a flight is waited for before its task counts as lost.
    pub(super) const LEASE_GRACE: Duration = secs(1);
    /// The background task looks at the clocks at least this often, to notice suspends.
    pub(super) const SLICE: Duration = secs(30);

    /// Starts from the defaults.
    pub fn builder() -> PolicyBuilder {
        PolicyBuilder { draft: Self::default() }
    }

    /// Whether a value that was not fetched ahead of need, but at the first need or after a failure, is fetched again at a random moment
    /// between a twenty-fourth and five sixths of its life, so that what brings the instances of a fleet into step, a start or the end
    /// of an outage, does not make them all renew in the same minute. It costs half a fetch each time. Default: yes.
    #[must_use]
    pub const fn scatter(self, scatter: bool) -> Self {
        Self { scatter, ..self }
    }

    /// The longest time that one flight (all attempts at one fetch) may take.
    #[must_use]
    pub fn flight_limit(&self) -> Duration {
        self.flight_limit
    }

    /// How long before its end a value that lives for `lifetime` is due to be fetched again.
    pub(super) fn lead_of(&self, lifetime: Duration) -> Duration {
        let (shortest, longest) = self.lead;
        (lifetime / 6).max(shortest.min(lifetime / 2)).min(longest)
    }

    /// How long before its end callers start waiting for the next value.
    pub(super) fn guard_of(&self, lifetime: Duration) -> Duration {
        self.guard.min(lifetime / 10)
    }

    /// How long after its start a flight that did not report counts as lost.
    pub(super) fn lease(&self) -> Duration {
        self.flight_limit.saturating_add(Self::LEASE_GRACE)
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            lead: (secs(60), secs(20 * 60)),
            guard: secs(60),
            attempt_limit: secs(10),
            flight_limit: secs(30),
            transport_retries: 2,
            window_pause: (secs(1), secs(60)),
            cold_pause: (Duration::from_millis(250), secs(5)),
            refusal_pause: (secs(5), secs(60)),
            forced: (2, secs(30)),
            scatter: true,
            seed: None,
        }
    }
}

/// Collects settings for a [`Policy`]; nothing is checked until [`build`](Self::build).
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct PolicyBuilder {
    draft: Policy,
}

impl PolicyBuilder {
    /// Bounds of the lead, which is a sixth of the lifetime between them, and never more than half of it
    /// on account of the lower bound. Default: 60 s to 20 min.
    pub fn lead(mut self, shortest: Duration, longest: Duration) -> Self {
        self.draft.lead = (shortest, longest);
        self
    }

    /// How long before its end a value is no longer handed out while a fetch is under way; at most a tenth
    /// of the lifetime. Default: 60 s.
    pub fn guard(mut self, guard: Duration) -> Self {
        self.draft.guard = guard;
        self
    }

    /// Limits for one attempt and for all attempts of one flight together. Default: 10 s and 30 s.
    pub fn limits(mut self, attempt: Duration, flight: Duration) -> Self {
        self.draft.attempt_limit = attempt;
        self.draft.flight_limit = flight;
        self
    }

    /// How often one flight may try again after the service could not be reached. Only the first flight
    /// after a success does so, later ones have their spacing. Default and maximum: 2.
    pub fn transport_retries(mut self, retries: u32) -> Self {
        self.draft.transport_retries = retries;
        self
    }

    /// Spacing of attempts while the old value lives: three times longer each time, from `shortest` to
    /// `longest`, each at a random moment of its slot. Default: 1 s to 60 s.
    pub fn window_pause(mut self, shortest: Duration, longest: Duration) -> Self {
        self.draft.window_pause = (shortest, longest);
        self
    }

    /// Spacing of attempts while callers hold nothing; it doubles. Default: 250 ms to 5 s.
    pub fn cold_pause(mut self, shortest: Duration, longest: Duration) -> Self {
        self.draft.cold_pause = (shortest, longest);
        self
    }

    /// Spacing of attempts after refusals that do not pass by themselves; it doubles. Default: 5 s to 60 s.
    pub fn refusal_pause(mut self, shortest: Duration, longest: Duration) -> Self {
        self.draft.refusal_pause = (shortest, longest);
        self
    }

    /// How many fetches may be forced by [`invalidate`](super::Cache::invalidate) in a row, and how long
    /// one more takes to become available. Default: 2, and one per 30 s.
    pub fn forced(mut self, burst: u32, interval: Duration) -> Self {
        self.draft.forced = (burst, interval);
        self
    }

    /// Makes every random choice repeatable. Default: different for every cache.
    pub fn seed(mut self, seed: u64) -> Self {
        self.draft.seed = Some(seed);
        self
    }

    /// Checks the settings against each other.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config), naming the setting, if a range is upside down, a pause or limit is
    /// zero, a flight is shorter than an attempt, or there are more than two transport retries.
    pub fn build(self) -> Result<Policy> {
        let draft = self.draft;
        let wrong =
            |text: &str| Err(Error::new(ErrorKind::Config, format!("refresh policy: {text}")));
        for (name, (shortest, longest)) in [
            ("window_pause", draft.window_pause),
            ("cold_pause", draft.cold_pause),
            ("refusal_pause", draft.refusal_pause),
            ("lead", draft.lead),
        ] {
            if shortest.is_zero() || longest < shortest {
                return wrong(&format!(
                    "{name} is {shortest:?} to {longest:?}; accepted: above zero, and the shorter one first"
                ));
            }
        }
        if draft.attempt_limit.is_zero() || draft.flight_limit < draft.attempt_limit {
            return wrong("limits; accepted: an attempt above zero, and a flight at least as long");
        }
        if draft.transport_retries > 2 {
            return wrong("transport_retries; accepted: 0, 1 or 2");
        }
        if draft.forced.0 == 0 || draft.forced.1.is_zero() {
            return wrong("forced; accepted: a burst of at least 1, and an interval above zero");
        }
        Ok(draft)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leads_and_guards_scale_with_the_lifetime() {
        let policy = Policy::default();
        let table = [
            (3600, 600, 60_000),
            (24 * 3600, 1200, 60_000),
            (600, 100, 60_000),
            (300, 60, 30_000),
            (60, 30, 6_000),
            (10, 5, 1_000),
            (0, 0, 0),
        ];
        for (life, lead, guard_millis) in table {
            assert_eq!(policy.lead_of(secs(life)), secs(lead), "lead of {life} s");
            let guard = Duration::from_millis(guard_millis);
            assert_eq!(policy.guard_of(secs(life)), guard, "guard of {life} s");
        }
    }

    #[test]
    fn build_names_the_setting_that_is_wrong() {
        let second = secs(1);
        let table = [
            (Policy::builder().window_pause(secs(2), second), "window_pause"),
            (Policy::builder().cold_pause(Duration::ZERO, second), "cold_pause"),
            (Policy::builder().refusal_pause(secs(9), second), "refusal_pause"),
            (Policy::builder().lead(secs(9), second), "lead"),
            (Policy::builder().limits(secs(9), second), "limits"),
            (Policy::builder().limits(Duration::ZERO, second), "limits"),
            (Policy::builder().transport_retries(3), "transport_retries"),
            (Policy::builder().forced(0, second), "forced"),
        ];
        for (builder, name) in table {
            let error = builder.build().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(name), "{error} should name {name}");
        }
        assert_eq!(Policy::builder().build().unwrap(), Policy::default());
    }
}
