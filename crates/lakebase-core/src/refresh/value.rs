//! The values of a cache: where they come from, what callers get, and the cache's status.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::Guard;
use async_trait::async_trait;

use super::{Moment, Policy};
use crate::{Error, MaybeSend, MaybeSync, Result, Timestamp};

/// Something that stops being valid.
pub trait Expires: fmt::Debug + MaybeSend + MaybeSync + 'static {
    /// How long it is valid, counted from the start of the fetch, when this machine's wall clock showed `wall`.
    ///
    /// Zero means that it has expired, which counts as a failed fetch. More than 24 hours count as 24.
    fn lifetime(&self, wall: Timestamp) -> Duration;

    /// Whether `other` is the same value, so that fetching it brought nothing.
    fn same_as(&self, other: &Self) -> bool;
}

/// The requirements of a caller on a value, or of a cache on its origin.
///
/// An [`Origin`] that uses a cache itself (a credential is minted with a workspace token) passes its demand on to
/// [`Cache::get_for`](super::Cache::get_for).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Go past every cache below, because a server refused the last value.
    pub force: bool,
    /// How long the value must still be valid. A value with less is fetched again, and returned only if the fetch
    /// brought nothing better. Default: zero.
    pub at_least: Duration,
}

impl Demand {
    /// The demand of a flight on the cache below it, with the default [`Policy`]: a value that outlives the flight.
    #[must_use]
    pub fn nested(force: bool) -> Self {
        Self { force, at_least: Policy::default().flight_limit }
    }
}

/// Where a [`Cache`](super::Cache) gets its values from.
///
/// # Contract
///
/// - Every call asks the service: an origin neither caches nor retries.
/// - The cache limits the time; an origin needs no time-out.
/// - **Cancellation:** dropping the future abandons the request and leaves `self` usable.
#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
pub trait Origin<T>: fmt::Debug + MaybeSend + MaybeSync {
    /// Fetches a new value.
    ///
    /// # Errors
    ///
    /// [Transient](Error::is_transient) errors are retried soon, others after longer pauses. [`Error::retry_after`] is the
    /// least pause.
    async fn fetch(&self, demand: Demand) -> Result<T>;

    /// Names the value in error messages: `a database credential for projects/p/…`.
    fn subject(&self) -> String {
        "the value".to_owned()
    }

    /// The kind of value in one word, for metrics and events.
    fn kind(&self) -> &'static str {
        "value"
    }
}

/// Identifies one value of a cache. Later values have larger generations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub(crate) u64);

/// A value from a cache. Clones share it, and it stays readable after the cache has a newer one.
///
/// Getting a fresh value counts no reference, so threads that read at the same time do not write to the same memory. A
/// thread can hold eight such values (see [`arc_swap`]); further ones are counted.
#[derive(Debug)]
pub struct Held<T>(pub(super) Guard<Option<Arc<Entry<T>>>>);

/// A value with the times that tell whether it is fresh or valid.
#[derive(Debug)]
pub(super) struct Entry<T> {
    pub(super) value: T,
    pub(super) generation: Generation,
    /// When the attempt that brought it started.
    pub(super) started: Moment,
    /// Until when, by both clocks, the value is handed out without a lock.
    pub(super) fresh_until: Moment,
    /// How long after `started` it expires.
    pub(super) lifetime: Duration,
    /// Whether it was reported to be outdated, so that callers wait for the next one.
    pub(super) stale: AtomicBool,
}

impl<T> Entry<T> {
    /// Whether it is handed out at `now` without a lock.
    pub(super) fn is_fresh(&self, now: Moment) -> bool {
        now.is_before(self.fresh_until) && !self.stale.load(Ordering::Relaxed)
    }

    /// Whether it is valid for `at_least` longer. Zero, which most callers ask for, needs no calculation.
    pub(super) fn is_valid_for(&self, at_least: Duration, now: Moment) -> bool {
        at_least.is_zero() || self.left(now) >= at_least
    }

    /// How long it is still valid at `now`; zero means that it has expired.
    pub(super) fn left(&self, now: Moment) -> Duration {
        self.lifetime.saturating_sub(now.since(self.started))
    }
}

impl<T> Held<T> {
    pub(super) fn entry(&self) -> &Entry<T> {
        let Some(entry) = &*self.0 else { unreachable!("every constructor fills it") };
        entry
    }

    /// Identifies the value, for [`Cache::invalidate`](super::Cache::invalidate).
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.entry().generation
    }

    /// When the attempt that brought it started, by the monotonic clock of the cache's runtime.
    #[must_use]
    pub fn requested_at(&self) -> Duration {
        self.entry().started.monotonic
    }
}

impl<T> From<Arc<Entry<T>>> for Held<T> {
    fn from(entry: Arc<Entry<T>>) -> Self {
        Self(Guard::from_inner(Some(entry)))
    }
}

impl<T> Clone for Held<T> {
    fn clone(&self) -> Self {
        Self(Guard::from_inner(self.0.clone()))
    }
}

impl<T> Deref for Held<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.entry().value
    }
}

/// The state of a cache, for readiness probes: it needs neither the service nor the database.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Status {
    /// There is no valid value, and the last fetch did not fail: the next caller fetches one.
    Empty,
    /// There is a valid value, and the last fetch succeeded.
    Fresh {
        /// When the value expires, by this machine's wall clock.
        good_until: Timestamp,
    },
    /// There is a valid value, but fetching the next one fails. Callers still get the value.
    Degraded {
        /// When the first fetch since the last success failed, by this machine's wall clock.
        since: Timestamp,
        /// Why the last fetch failed.
        last_error: Error,
        /// When the value expires, by this machine's wall clock.
        good_until: Timestamp,
    },
    /// There is no valid value, and fetching one fails. Callers get `last_error`.
    Dead {
        /// When the first fetch since the last success failed, by this machine's wall clock.
        since: Timestamp,
        /// Why the last fetch failed.
        last_error: Error,
    },
}

impl Status {
    /// Whether callers get a value: true for all but [`Dead`](Self::Dead).
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !matches!(self, Self::Dead { .. })
    }
}
