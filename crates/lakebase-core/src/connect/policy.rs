//! When a failed login is tried again; pure, time is an argument.

use std::time::Duration;

use crate::{ConnectFailure, Jitter};

/// The first wait is drawn from at least this, so that no policy makes a busy loop.
const LEAST_BACKOFF: Duration = Duration::from_millis(1);

/// How long and how often a login is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectPolicy {
    /// All attempts, waits and token requests of one `connect` together. Default: 60 s.
    pub budget: Duration,
    /// One login at the driver. Waking a compute that holds the handshake takes part of it. Default: 15 s.
    pub attempt_timeout: Duration,
    /// The first wait between attempts is at most this long; the bound doubles. Default: 200 ms; less than 1 ms
    /// counts as that.
    pub min_backoff: Duration,
    /// No wait is longer, unless the service asks for it. Default: 5 s.
    pub max_backoff: Duration,
    /// The same while the compute says that it wakes, which takes seconds: who comes next should not be late by as long again.
    /// Default: 1 s.
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
    /// How long the addresses of a host may take to answer: two thirds of an attempt, so that its failure can still say
    /// what they did.
    #[must_use]
    pub fn dial_timeout(&self) -> Duration {
        self.attempt_timeout.min(self.budget) * 2 / 3
    }
}

/// What to do after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Wait and try again.
    Retry {
        /// How long to wait.
        after: Duration,
    },
    /// Forget the token that was refused and try again at once with a fresh one.
    Remint,
    /// Report the failure.
    GiveUp,
}

/// The attempts of one `connect`: counts them and says what comes after each.
///
/// `now` is monotonic time, always from the same clock. Waits count against the budget even if that clock
/// does not show them, so the attempts end also if it stands still.
#[derive(Debug)]
pub struct Attempts {
    policy: ConnectPolicy,
    deadline: Duration,
    /// What is left of the budget after all waits so far.
    patience: Duration,
    failed: u32,
    reminted: bool,
    /// Made for the first wait: most logins need none.
    jitter: Option<Jitter>,
}

impl Attempts {
    /// Starts the budget at `now`.
    #[must_use]
    pub fn new(policy: ConnectPolicy, now: Duration) -> Self {
        Self {
            policy,
            deadline: now.saturating_add(policy.budget),
            patience: policy.budget,
            failed: 0,
            reminted: false,
            jitter: None,
        }
    }

    /// The same with given randomness for the waits.
    #[must_use]
    pub fn with_jitter(policy: ConnectPolicy, now: Duration, jitter: Jitter) -> Self {
        Self { jitter: Some(jitter), ..Self::new(policy, now) }
    }

    /// What is left of the budget.
    #[must_use]
    pub fn remaining(&self, now: Duration) -> Duration {
        self.deadline.saturating_sub(now).min(self.patience)
    }

    /// How many attempts have failed.
    #[must_use]
    pub fn failed_attempts(&self) -> u32 {
        self.failed
    }

    /// Notes that an attempt failed at `now` and says what comes next.
    ///
    /// `retry_after` is what the service asked for; it is a floor for the wait.
    pub fn failed(
        &mut self,
        now: Duration,
        failure: ConnectFailure,
        retry_after: Option<Duration>,
    ) -> Next {
        self.failed = self.failed.saturating_add(1);
        match failure {
            ConnectFailure::UnknownEndpoint | ConnectFailure::Permanent(_) => Next::GiveUp,
            ConnectFailure::AuthRejected if self.reminted || self.remaining(now).is_zero() => {
                Next::GiveUp
            }
            ConnectFailure::AuthRejected => {
                self.reminted = true;
                Next::Remint
            }
            ConnectFailure::Waking | ConnectFailure::Transient => {
                let after = self.backoff(failure).max(retry_after.unwrap_or_default());
                if after >= self.remaining(now) {
                    return Next::GiveUp;
                }
                self.patience -= after;
                Next::Retry { after }
            }
        }
    }

    /// Full jitter: anything up to a bound that doubles with each failure.
    fn backoff(&mut self, failure: ConnectFailure) -> Duration {
        let ConnectPolicy { min_backoff, max_backoff, waking_backoff, .. } = self.policy;
        let most = match failure {
            ConnectFailure::Waking => waking_backoff.min(max_backoff),
            _ => max_backoff,
        };
        let doublings = (self.failed - 1).min(16);
        let bound = min_backoff.max(LEAST_BACKOFF).saturating_mul(1 << doublings);
        let bound = bound.min(most.max(LEAST_BACKOFF));
        bound.mul_f64(self.jitter.get_or_insert_default().fraction())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ErrorKind;
    use ConnectFailure::{AuthRejected, Permanent, Transient, Waking};

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_refused_token_is_replaced_once() {
        let mut attempts =
            Attempts::with_jitter(ConnectPolicy::default(), at(0), Jitter::seeded(7));
        assert_eq!(attempts.failed(at(1), AuthRejected, None), Next::Remint);
        assert!(matches!(attempts.failed(at(1), Waking, None), Next::Retry { .. }));
        assert_eq!(attempts.failed(at(2), AuthRejected, None), Next::GiveUp);
        assert_eq!(attempts.failed_attempts(), 3);
    }

    #[test]
    fn permanent_failures_end_it() {
        let mut attempts =
            Attempts::with_jitter(ConnectPolicy::default(), at(0), Jitter::seeded(7));
        assert_eq!(attempts.failed(at(0), Permanent(ErrorKind::Disabled), None), Next::GiveUp);
    }

    #[test]
    fn the_service_may_ask_for_more_patience_than_there_is() {
        let mut attempts =
            Attempts::with_jitter(ConnectPolicy::default(), at(0), Jitter::seeded(7));
        assert_eq!(attempts.failed(at(0), Transient, Some(at(20))), Next::Retry { after: at(20) });
        assert_eq!(attempts.failed(at(45), Transient, Some(at(15))), Next::GiveUp);
    }

    #[test]
    fn a_waking_compute_is_asked_every_second() {
        let policy = ConnectPolicy { budget: at(600), ..ConnectPolicy::default() };
        let mut longest = [Duration::ZERO; 2];
        for seed in 0..50 {
            for (longest, failure) in longest.iter_mut().zip([Waking, Transient]) {
                let mut attempts = Attempts::with_jitter(policy, at(0), Jitter::seeded(seed));
                for _ in 0..20 {
                    let Next::Retry { after } = attempts.failed(at(0), failure, None) else {
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
        /// Without any time passing, whatever the policy, the waits add up to the budget in the end.
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
            // Waits are half their bound on average, and the least bound is a millisecond.
            for _ in 0..(100 + 20 * budget_ms) {
                match attempts.failed(at(9), Transient, None) {
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
                let Next::Retry { after } = attempts.failed(now, Transient, None) else { break };
                prop_assert!(after <= bound);
                bound = (bound * 2).min(policy.max_backoff);
                now += after;
                prop_assert!(now <= policy.budget);
            }
            // It gives up only when the next wait would not fit any more.
            prop_assert!(now + policy.max_backoff >= policy.budget);
        }
    }
}
