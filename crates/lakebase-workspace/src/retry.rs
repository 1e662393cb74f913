//! Whether and when a failed call is retried.

use std::time::Duration;

use lakebase_core::{Error, Jitter, Runtime};

/// How often, and for how long, the methods of [`WorkspaceClient`](crate::WorkspaceClient) retry.
///
/// Status 429, 502, 503 and 504, refusals for too many requests, time-outs and failed connections are retried. Status 500
/// and others are not. Pauses grow from 1 s to 10 s with full jitter, and are at least the service's `Retry-After`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The most attempts, including the first. Default: no limit.
    pub attempts: u32,
    /// The time after which no attempt starts. Default: 300 s, as in Databricks' SDKs.
    pub deadline: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: u32::MAX, deadline: Duration::from_secs(300) }
    }
}

impl Retry {
    /// One attempt.
    pub const NONE: Self = Self { attempts: 1, deadline: Duration::ZERO };
}

/// The attempts of one call.
#[derive(Debug)]
pub(crate) struct Attempts<'a> {
    runtime: &'a Runtime,
    policy: Retry,
    started: Duration,
    made: u32,
}

impl<'a> Attempts<'a> {
    pub(crate) fn new(runtime: &'a Runtime, policy: Retry) -> Self {
        Self { runtime, policy, started: runtime.clock.monotonic(), made: 0 }
    }

    /// Waits until the next attempt is due. Returns the error if there is none.
    pub(crate) async fn after(&mut self, error: Error) -> Result<(), Error> {
        self.made = self.made.saturating_add(1);
        let spent = self.runtime.clock.monotonic().saturating_sub(self.started);
        let left = self.policy.deadline.saturating_sub(spent);
        if !is_retried(&error) || self.made >= self.policy.attempts {
            return Err(error);
        }
        let wait = Self::jitter(backoff(self.made)).max(error.retry_after().unwrap_or_default());
        if wait >= left {
            let made = self.made;
            return Err(error.context(format!("gave up after {made} attempts in {spent:.0?}")));
        }
        self.runtime.timer.sleep(wait).await;
        Ok(())
    }

    fn jitter(most: Duration) -> Duration {
        most.mul_f64(Jitter::new().fraction())
    }
}

/// The longest pause before attempt `made + 1`.
fn backoff(made: u32) -> Duration {
    Duration::from_secs(1 << (made.saturating_sub(1)).min(4)).min(Duration::from_secs(10))
}

fn is_retried(error: &Error) -> bool {
    error.is_transient() && !matches!(error.status(), Some(500 | 501 | 505..))
}

#[cfg(test)]
mod tests {
    use lakebase_core::ErrorKind;

    use super::*;

    #[test]
    fn only_what_usually_passes_is_tried_again() {
        let retried = |kind, status| is_retried(&Error::new(kind, "x").with_status(status));
        for status in [502, 503, 504, 408] {
            assert!(retried(ErrorKind::Unavailable, status), "{status}");
        }
        assert!(retried(ErrorKind::Throttled, 429));
        assert!(retried(ErrorKind::Throttled, 403));
        assert!(!retried(ErrorKind::Unavailable, 500));
        assert!(!retried(ErrorKind::Unavailable, 507));
        assert!(!retried(ErrorKind::NotFound, 404));
        assert!(is_retried(&Error::new(ErrorKind::TimedOut, "x")));
        assert!(is_retried(&Error::new(ErrorKind::Unavailable, "x")));
        assert!(!is_retried(&Error::new(ErrorKind::Tls, "x")));
    }

    #[test]
    fn waits_grow_to_ten_seconds() {
        let waits: Vec<u64> = [1, 2, 3, 4, 5, 6, u32::MAX].map(|n| backoff(n).as_secs()).into();
        assert_eq!(waits, [1, 2, 4, 8, 10, 10, 10]);
    }
}
