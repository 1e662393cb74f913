//! Tries logins until one succeeds, a failure is permanent, or the budget is spent.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::future;

use super::failure::{Cause, Failure};
use super::policy::{Attempts, Next};
use super::{ConnectPolicy, Connector, Login};
use crate::observe::{self, Span};
use crate::{ConnectFailure, ConnectionFactory, Result};

impl Connector {
    /// Opens one connection with `factory`, and retries within the policy's budget.
    ///
    /// **Cancellation:** dropping the future closes the socket of the current attempt. A token request continues, for
    /// other callers.
    ///
    /// # Errors
    ///
    /// - [`LoginRefused`](crate::ErrorKind::LoginRefused) if the server refused a fresh token, too.
    /// - [`TimedOut`](crate::ErrorKind::TimedOut) if the budget was spent.
    /// - Otherwise the kind of the cause.
    ///
    /// The source is the driver's or the service's error of the last attempt. If the last attempt timed out, the error
    /// of an earlier one follows.
    pub async fn connect<F: ConnectionFactory>(&self, factory: &F) -> Result<F::Connection> {
        self.connect_within(self.0.config.policy.budget, factory).await
    }

    /// As [`connect`](Self::connect), within `budget` instead of the policy's.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub async fn connect_within<F: ConnectionFactory>(
        &self,
        budget: Duration,
        factory: &F,
    ) -> Result<F::Connection> {
        let clock = &self.0.runtime.clock;
        let policy = ConnectPolicy { budget, ..self.0.config.policy };
        let mut attempts = Attempts::new(policy, clock.monotonic());
        let (mut wake_up, mut earlier) = (None, None);
        loop {
            let span = Span::login(attempts.failed_attempts() + 1, wake_up.as_ref());
            let attempt = self.attempt(attempts.remaining(clock.monotonic()), factory);
            let failure = match observe::within(span, attempt).await {
                Ok(connection) => {
                    observe::logged_in(attempts.failed_attempts());
                    return Ok(connection);
                }
                Err(failure) => failure,
            };
            let class = failure.class();
            if class == ConnectFailure::Waking {
                wake_up.get_or_insert_with(Span::wake_up);
            }
            let now = clock.monotonic();
            match attempts.failed(now, class, failure.credential(), failure.retry_after()) {
                Next::GiveUp => {
                    if failure.host_may_be_wrong() {
                        self.revalidate_host(failure.login.as_ref());
                    }
                    let target = self.describe_target(failure.login.as_ref());
                    let count = attempts.failed_attempts();
                    let error = failure.into_error(&target, class, count, budget, earlier);
                    observe::login_failed(&error);
                    return Err(error);
                }
                Next::ReplaceCredential => {
                    observe::login_retried(class, Duration::ZERO);
                    if let Some(login) = &failure.login {
                        self.invalidate_credential(login);
                    }
                }
                Next::Retry { after } => {
                    observe::login_retried(class, after);
                    if failure.host_may_be_wrong() {
                        self.0.addresses.mark_stale();
                    }
                    if !failure.is_timeout() {
                        earlier = Some(failure);
                    }
                    self.0.runtime.timer.sleep(after).await;
                }
            }
        }
    }

    /// One attempt, which ends within `limit`.
    async fn attempt<F: ConnectionFactory>(
        &self,
        limit: Duration,
        factory: &F,
    ) -> Result<F::Connection, Failure> {
        let login = match self.within(limit, self.login()).await {
            Some(Ok(login)) => login,
            Some(Err(error)) => {
                return Err(Failure { login: None, cause: Cause::Preparation(error) });
            }
            None => return Err(Failure { login: None, cause: Cause::TimedOut(limit) }),
        };
        let limit = limit.min(self.0.config.policy.attempt_timeout);
        let cause = match self.within(limit, factory.connect(&login.params)).await {
            Some(Ok(connection)) => return Ok(connection),
            Some(Err(error)) => Cause::Driver(factory.classify(&error), Box::new(error)),
            None => Cause::TimedOut(limit),
        };
        Err(Failure { login: Some(login), cause })
    }

    /// Runs `work` for at most `limit`; `None` if it takes longer. Starts no timer if `work` is ready at once.
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

    /// The database or target of `login`, for messages.
    fn describe_target(&self, login: Option<&Login>) -> String {
        match (login, &self.0.config.target) {
            (Some(login), _) => login.params.describe(),
            (None, Some(target)) => target.to_string(),
            (None, None) => self.0.config.host.as_deref().unwrap_or("the server").to_owned(),
        }
    }
}
