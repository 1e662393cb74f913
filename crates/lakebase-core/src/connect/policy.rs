//! Whether and when a failed login is retried. Time is an argument.

use std::time::Duration;

use super::config::UsedCredential;
use crate::refresh::Refusals;
use crate::{ConnectFailure, Jitter};

/// The least bound of a pause, so that no policy makes a busy loop.
const LEAST_BACKOFF: Duration = Duration::from_millis(1);

/// The time limits and pauses of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectPolicy {
    /// The limit for all attempts, pauses and token requests of one `connect`. Default: 60 s.
    pub budget: Duration,
    /// The limit for one login of the driver, including the time for which a waking compute holds the handshake.
    /// Default: 15 s.
    pub attempt_timeout: Duration,
    /// The bound of the first pause; it doubles with each failure. Less than 1 ms counts as 1 ms. Default: 200 ms.
    pub min_backoff: Duration,
    /// The longest bound of a pause. The service may ask for a longer pause. Default: 5 s.
    pub max_backoff: Duration,
    /// The longest bound while the compute reports that it is waking, which takes seconds. Default: 1 s.
    pub waking_backoff: Duration,
}

impl Default for ConnectPolicy {
    fn default() -> Self {
        Self {
            budget: Duration::from_secs(60),
            attempt_timeout: Duration::from_secs(15),
            min_backoff: Duration::from_millis(200),
            max_backoff: Duration::from_secs(5),
            waking_backoff: Duration::from_secs(1),
        }
    }
}

impl ConnectPolicy {
    /// The limit for dialing all addresses of a host: two thirds of an attempt, so that the dialer's error comes before the
    /// attempt's time-out.
    #[must_use]
    pub fn dial_timeout(&self) -> Duration {
        self.attempt_timeout.min(self.budget) * 2 / 3
    }
}

/// What to do after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Retry {
        after: Duration,
    },
    /// Retry at once with a fresh credential.
    ReplaceCredential,
    GiveUp,
}

/// Counts the attempts of one `connect`, and decides what follows each.
///
/// `now` is monotonic time, always from the same clock. Pauses count against the budget by their length, too, so the
/// attempts also end if that clock stands still.
#[derive(Debug)]
pub(super) struct Attempts {
    policy: ConnectPolicy,
    deadline: Duration,
    /// The budget without all pauses so far.
    without_pauses: Duration,
    failed: u32,
    refusals: Refusals,
    /// Created for the first pause; most logins need none.
    jitter: Option<Jitter>,
}

impl Attempts {
    /// Starts the budget at `now`.
    pub(super) fn new(policy: ConnectPolicy, now: Duration) -> Self {
        Self {
            policy,
            deadline: now.saturating_add(policy.budget),
            without_pauses: policy.budget,
            failed: 0,
            refusals: Refusals::default(),
            jitter: None,
        }
    }

    #[cfg(test)]
    fn with_jitter(policy: ConnectPolicy, now: Duration, jitter: Jitter) -> Self {
        Self { jitter: Some(jitter), ..Self::new(policy, now) }
    }

    /// The rest of the budget.
    pub(super) fn remaining(&self, now: Duration) -> Duration {
        self.deadline.saturating_sub(now).min(self.without_pauses)
    }

    /// How many attempts have failed.
    pub(super) fn failed_attempts(&self) -> u32 {
        self.failed
    }

    /// Counts an attempt with `credential` that failed at `now`, and decides what follows. `retry_after` is the least pause.
    pub(super) fn failed(
        &mut self,
        now: Duration,
        failure: ConnectFailure,
        credential: Option<UsedCredential>,
        retry_after: Option<Duration>,
    ) -> Next {
        self.failed = self.failed.saturating_add(1);
        match failure {
            ConnectFailure::UnknownEndpoint | ConnectFailure::Permanent(_) => Next::GiveUp,
            ConnectFailure::AuthRejected => match credential {
                Some(UsedCredential { generation, requested_at })
                    if !self.remaining(now).is_zero()
                        && self.refusals.another_may_help(now, generation, requested_at) =>
                {
                    Next::ReplaceCredential
                }
                _ => Next::GiveUp,
            },
            ConnectFailure::Waking | ConnectFailure::Transient => {
                let after = self.backoff(failure).max(retry_after.unwrap_or_default());
                if after >= self.remaining(now) {
                    return Next::GiveUp;
                }
                self.without_pauses -= after;
                Next::Retry { after }
            }
        }
    }

    /// A random pause up to a bound that doubles with each failure ("full jitter").
    fn backoff(&mut self, failure: ConnectFailure) -> Duration {
        let ConnectPolicy { min_backoff, max_backoff, waking_backoff, .. } = self.policy;
        let longest = match failure {
            ConnectFailure::Waking => waking_backoff.min(max_backoff),
            _ => max_backoff,
        };
        let doublings = (self.failed - 1).min(16);
        let bound = min_backoff.max(LEAST_BACKOFF).saturating_mul(1 << doublings);
        let bound = bound.min(longest.max(LEAST_BACKOFF));
        bound.mul_f64(self.jitter.get_or_insert_default().fraction())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ErrorKind;
    use crate::refresh::Generation;
    use ConnectFailure::{AuthRejected, Permanent, Transient, Waking};

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn used(generation: u64, requested_at: u64) -> Option<UsedCredential> {
        let generation = Generation(generation);
        Some(UsedCredential { generation, requested_at: at(requested_at) })
    }

    #[test]
    fn a_refused_token_is_replaced_once() {
        let mut attempts =
            Attempts::with_jitter(ConnectPolicy::default(), at(0), Jitter::seeded(7));
        let mut failed = |seconds, failure, used| attempts.failed(at(seconds), failure, used, None);
        assert_eq!(failed(1, AuthRejected, used(1, 0)), Next::ReplaceCredential);
        assert!(matches!(failed(1, Waking, used(2, 1)), Next::Retry { .. }));
        assert_eq!(failed(2, AuthRejected, used(2, 1)), Next::GiveUp);
        assert_eq!(attempts.failed_attempts(), 3);
    }

    #[test]
    fn tokens_from_before_the_first_refusal_are_replaced_each_once() {
        let mut attempts = Attempts::new(ConnectPolicy::default(), at(0));
        let mut failed = |seconds, used| attempts.failed(at(seconds), AuthRejected, used, None);
        assert_eq!(failed(5, used(1, 0)), Next::ReplaceCredential);
        assert_eq!(failed(6, used(2, 4)), Next::ReplaceCredential);
        // The cache keeps it if two forced ones were refused just before.
        assert_eq!(failed(7, used(2, 4)), Next::GiveUp);
        assert_eq!(failed(7, used(3, 5)), Next::GiveUp);
    }

    #[test]
    fn permanent_failures_end_it() {
        let mut attempts =
            Attempts::with_jitter(ConnectPolicy::default(), at(0), Jitter::seeded(7));
        assert_eq!(
            attempts.failed(at(0), Permanent(ErrorKind::Disabled), None, None),
            Next::GiveUp
        );
    }

    #[test]
    fn the_service_may_ask_for_a_longer_pause_than_the_budget_has() {
        let mut attempts =
            Attempts::with_jitter(ConnectPolicy::default(), at(0), Jitter::seeded(7));
        assert_eq!(
            attempts.failed(at(0), Transient, None, Some(at(20))),
            Next::Retry { after: at(20) }
        );
        assert_eq!(attempts.failed(at(45), Transient, None, Some(at(15))), Next::GiveUp);
    }

    #[test]
    fn pauses_for_a_waking_compute_are_at_most_a_second() {
        let policy = ConnectPolicy { budget: at(600), ..ConnectPolicy::default() };
        let mut longest = [Duration::ZERO; 2];
        for seed in 0..50 {
            for (longest, failure) in longest.iter_mut().zip([Waking, Transient]) {
                let mut attempts = Attempts::with_jitter(policy, at(0), Jitter::seeded(seed));
                for _ in 0..20 {
                    let Next::Retry { after } = attempts.failed(at(0), failure, None, None) else {
                        panic!("the budget is far from spent");
                    };
                    *longest = after.max(*longest);
                }
            }
        }
        let [waking, transient] = longest;
        assert!(waking <= policy.waking_backoff && waking > policy.waking_backoff / 2);
        assert!(transient <= policy.max_backoff && transient > policy.max_backoff / 2);
    }

    proptest! {
        /// With every policy the pauses add up to the budget, also if no time passes.
        #[test]
        fn a_clock_that_stands_still_does_not_make_it_endless(
            seed: u64, budget_ms in 0u64..10_000, min_ms in 0u64..300, max_ms in 0u64..5_000,
        ) {
            let millis = Duration::from_millis;
            let policy = ConnectPolicy {
                budget: millis(budget_ms),
                min_backoff: millis(min_ms),
                max_backoff: millis(max_ms),
                ..ConnectPolicy::default()
            };
            let mut attempts = Attempts::with_jitter(policy, at(9), Jitter::seeded(seed));
            let mut waited = Duration::ZERO;
            // Pauses are half their bound on average, and the least bound is a millisecond.
            for _ in 0..(100 + 20 * budget_ms) {
                match attempts.failed(at(9), Transient, None, None) {
                    Next::Retry { after } => waited += after,
                    next => {
                        prop_assert_eq!(next, Next::GiveUp);
                        prop_assert!(waited <= policy.budget);
                        return Ok(());
                    }
                }
            }
            prop_assert!(false, "{} attempts, {waited:?}", attempts.failed_attempts());
        }

        #[test]
        fn waits_are_bounded_and_the_budget_holds(seed: u64, login_ms in 0u64..3_000) {
            let policy = ConnectPolicy::default();
            let mut attempts = Attempts::with_jitter(policy, at(0), Jitter::seeded(seed));
            let (mut now, mut bound) = (at(0), policy.min_backoff);
            loop {
                now += Duration::from_millis(login_ms + 1);
                let Next::Retry { after } = attempts.failed(now, Transient, None, None) else { break };
                prop_assert!(after <= bound);
                bound = (bound * 2).min(policy.max_backoff);
                now += after;
                prop_assert!(now <= policy.budget);
            }
            // It gives up only if the next pause does not fit.
            prop_assert!(now + policy.max_backoff >= policy.budget);
        }
    }
}
