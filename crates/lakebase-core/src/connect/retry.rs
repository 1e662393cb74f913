//! Logs in within a budget: one login after the other, until one works or the failure is final.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::future;

use super::failure::{Cause, Failure};
use super::{Attempts, ConnectFailure, ConnectPolicy, ConnectionFactory, Connector, Login, Next};
use crate::Result;
use crate::observe::{self, Span};

impl Connector {
    /// Opens one connection with `factory`, with all retries that make sense within one budget.
    ///
    /// **Cancellation:** dropping the future closes the socket in hand; a token request under way goes on
    /// for other callers.
    ///
    /// # Errors
    ///
    /// The last failure, with the driver's or the service's error as its cause (if the budget ended before the
    /// last attempt was answered, that of an earlier one):
    /// [`LoginRefused`](crate::ErrorKind::LoginRefused) also with a fresh token, [`TimedOut`](crate::ErrorKind::TimedOut) when the budget ran
    /// out, the kind of the cause otherwise.
    pub async fn connect<F: ConnectionFactory>(&self, factory: &F) -> Result<F::Connection> {
        self.connect_within(self.0.config.policy.budget, factory).await
    }

    /// [`connect`](Self::connect) with another budget than the policy's.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub async fn connect_within<F: ConnectionFactory>(
        &self,
        budget: Duration,
        factory: &F,
    ) -> Result<F::Connection> {
        let attempt_timeout = self.0.config.policy.attempt_timeout;
        self.retry(budget, |left| async move {
            let login = self.login_within(left).await?;
            let limit = left.min(attempt_timeout);
            let cause = match self.within(limit, factory.connect(&login.params)).await {
                Some(Ok(connection)) => return Ok(connection),
                Some(Err(error)) => Cause::Driver(factory.classify(&error), Box::new(error)),
                None => Cause::Silence(limit),
            };
            Err(Failure { login: Some(login), cause })
        })
        .await
    }

    /// [`login`](Self::login), given up after `limit`, as the first half of an attempt.
    async fn login_within(&self, limit: Duration) -> Result<Login, Failure> {
        let cause = match self.within(limit, self.login()).await {
            Some(Ok(login)) => return Ok(login),
            Some(Err(error)) => Cause::Preparation(error),
            None => Cause::Silence(limit),
        };
        Err(Failure { login: None, cause })
    }

    /// The loop behind [`connect`](Self::connect), for anything that logs in.
    ///
    /// `attempt` gets what is left of `budget` and must end within it.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub async fn retry<T, A>(
        &self,
        budget: Duration,
        mut attempt: impl FnMut(Duration) -> A,
    ) -> Result<T>
    where
        A: Future<Output = Result<T, Failure>>,
    {
        let clock = &self.0.runtime.clock;
        let policy = ConnectPolicy { budget, ..self.0.config.policy };
        let mut attempts = Attempts::new(policy, clock.monotonic());
        let (mut wake_up, mut earlier) = (None, None);
        loop {
            let span = Span::login(attempts.failed_attempts() + 1, wake_up.as_ref());
            let work = attempt(attempts.remaining(clock.monotonic()));
            let failure = match observe::within(span, work).await {
                Ok(value) => {
                    observe::logged_in(attempts.failed_attempts());
                    return Ok(value);
                }
                Err(failure) => failure,
            };
            let class = failure.class();
            if class == ConnectFailure::Waking {
                wake_up.get_or_insert_with(Span::wake_up);
            }
            match attempts.failed(clock.monotonic(), class, failure.retry_after()) {
                Next::GiveUp => {
                    if failure.doubts_place() {
                        self.doubt_place(failure.login.as_ref());
                    }
                    let place = self.place(failure.login.as_ref());
                    let count = attempts.failed_attempts();
                    let error = failure.into_error(&place, class, count, budget, earlier);
                    observe::login_failed(&error);
                    return Err(error);
                }
                Next::Remint => {
                    observe::login_retried(class, Duration::ZERO);
                    if let Some(login) = &failure.login {
                        self.refused(login);
                    }
                }
                Next::Retry { after } => {
                    observe::login_retried(class, after);
                    if failure.doubts_place() {
                        self.0.hosts.doubt();
                    }
                    if failure.is_telling() {
                        earlier = Some(failure);
                    }
                    self.0.runtime.timer.sleep(after).await;
                }
            }
        }
    }

    /// `work`, given up after `limit`. What is done at once needs no timer.
    pub async fn within<T>(&self, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        let mut timer = None;
        future::poll_fn(|context| {
            if let Poll::Ready(value) = work.as_mut().poll(context) {
                return Poll::Ready(Some(value));
            }
            let timer = timer.get_or_insert_with(|| self.0.runtime.timer.sleep(limit));
            timer.as_mut().poll(context).map(|()| None)
        })
        .await
    }

    /// Where a login went, or would have gone, for messages.
    fn place(&self, login: Option<&Login>) -> String {
        match (login, &self.0.config.target) {
            (Some(login), _) => login.params.describe(),
            (None, Some(target)) => target.to_string(),
            (None, None) => self.0.config.host.as_deref().unwrap_or("the server").to_owned(),
        }
    }
}
