//! What happens inside one flight: attempts with a time-out, and a few retries of those that never arrived.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};

use super::flight::Landing;
use super::{Demand, Moment, Origin, Policy};
use crate::observe::{self, Span};
use crate::{Clock, Error, ErrorKind, Result, Timer};

/// The pause before the first retry; it doubles.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// Everything that a flight needs; owns its parts, because it outlives its callers.
pub(super) struct Attempts<T> {
    pub(super) origin: Arc<dyn Origin<T>>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) timer: Arc<dyn Timer>,
    pub(super) policy: Policy,
    pub(super) force: bool,
    /// Whether an attempt that did not reach the service is repeated.
    pub(super) retry: bool,
}

impl<T> Attempts<T> {
    /// Runs them.
    pub(super) async fn run(self) -> Landing<T> {
        let begun = self.clock.monotonic();
        let demand = Demand { force: self.force, at_least: self.policy.flight_limit };
        let span = Span::fetch(self.origin.kind(), self.force);
        let landing = observe::within(span, self.attempt(begun, demand)).await;
        let took = self.clock.monotonic().saturating_sub(begun);
        if let Err(error) = &landing.result {
            observe::refresh_failed(self.origin.kind(), took, error);
        }
        landing
    }

    async fn attempt(&self, begun: Duration, demand: Demand) -> Landing<T> {
        let retries = if self.retry { self.policy.transport_retries } else { 0 };
        let mut tried = 0;
        loop {
            let started = Moment::now(&*self.clock);
            let left = self.left(begun).min(self.policy.attempt_limit);
            let result = match self.within(left, self.origin.fetch(demand)).await {
                Some(result) => result,
                None => Err(self.timed_out(left)),
            };
            let pause = RETRY_PAUSE * 2u32.pow(tried);
            match result {
                Err(error)
                    if tried < retries && never_arrived(&error) && self.left(begun) > pause =>
                {
                    tried += 1;
                    self.timer.sleep(pause).await;
                }
                result => return Landing { started, result },
            }
        }
    }

    /// The time until the flight has to be over.
    fn left(&self, begun: Duration) -> Duration {
        let used = self.clock.monotonic().saturating_sub(begun);
        self.policy.flight_limit.saturating_sub(used)
    }

    /// Waits for `work`; `None` if it takes longer. A result that is there counts, however late.
    async fn within<R>(
        &self,
        limit: Duration,
        work: impl Future<Output = Result<R>>,
    ) -> Option<Result<R>> {
        match select(pin!(work), self.timer.sleep(limit)).await {
            Either::Left((result, _)) => Some(result),
            Either::Right(_) => None,
        }
    }

    fn timed_out(&self, limit: Duration) -> Error {
        let subject = self.origin.subject();
        Error::new(ErrorKind::TimedOut, format!("fetching {subject} took longer than {limit:?}"))
    }
}

/// Whether the service did not answer, so that asking again at once is no burden to it.
fn never_arrived(error: &Error) -> bool {
    let unanswered = matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::TimedOut);
    unanswered && error.status().is_none() && error.retry_after().is_none()
}
