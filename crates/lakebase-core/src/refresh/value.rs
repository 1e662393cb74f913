//! What a cache holds, where it comes from, and how callers ask for it.

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
    /// How long it lives from the moment it was asked for, given this machine's wall clock then.
    ///
    /// Zero means that it is dead already, which counts as a failed fetch. More than 24 hours count as 24.
    fn lifetime(&self, wall: Timestamp) -> Duration;

    /// Whether `other` is the same value again, so that nothing was gained by fetching it.
    fn same_as(&self, other: &Self) -> bool;
}

/// What a caller needs, or what a cache needs from its origin.
///
/// An [`Origin`] that itself uses a cache (a credential is minted with a workspace token) passes its demand
/// on to [`Cache::get_for`](super::Cache::get_for).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// The last value was refused by its user: go past every cache below.
    pub force: bool,
    /// How much life the value must have left. One with less is fetched again, and handed out with less
    /// only if a fresh fetch brought nothing better. Default: none.
    pub at_least: Duration,
}

impl Demand {
    /// What the flight of a cache with the default [`Policy`] needs from a cache below it: a value that
    /// outlives the flight.
    #[must_use]
    pub fn nested(force: bool) -> Self {
        Self { force, at_least: Policy::default().flight_limit() }
    }
}

/// Where a [`Cache`](super::Cache) gets its values from. Asks every time: no cache, no retry.
///
/// # Contract
///
/// - **Cancellation:** dropping the future abandons the request and leaves `self` usable.
/// - **Time-outs** are the cache's business.
#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
pub trait Origin<T>: fmt::Debug + MaybeSend + MaybeSync {
    /// Fetches a new value.
    ///
    /// # Errors
    ///
    /// Kinds that are [transient](Error::is_transient) are tried again soon, others with a larger spacing,
    /// and [`Error::retry_after`] is the least spacing in any case.
    async fn fetch(&self, demand: Demand) -> Result<T>;

    /// What is fetched, for error messages: `a database credential for projects/p/…`.
    fn subject(&self) -> String {
        "the value".to_owned()
    }

    /// The kind of value in one word, for metrics and events.
    fn kind(&self) -> &'static str {
        "value"
    }
}

/// Names one value of a cache; later values have larger ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub(crate) u64);

/// A value as the cache handed it out. Clones share it; it stays readable after the cache moved on.
///
/// Fresh ones are handed out without counting a reference, so that threads which read at the same time do not write to
/// the same place. A thread can hold eight at a time that way (see [`arc_swap`]); further ones are counted.
#[derive(Debug)]
pub struct Held<T>(pub(super) Guard<Option<Arc<Entry<T>>>>);

/// A value with what is needed to tell its phase without asking anybody.
#[derive(Debug)]
pub(super) struct Entry<T> {
    pub(super) value: T,
    pub(super) generation: Generation,
    /// When the attempt that brought it started.
    pub(super) started: Moment,
    /// Until when, by both clocks, the value is handed out without further thought.
    pub(super) fresh_until: Moment,
    /// How long after `started` it is dead.
    pub(super) lifetime: Duration,
    /// Whether it was reported to be outdated, so that it is not handed out without further thought.
    pub(super) stale: AtomicBool,
}

impl<T> Entry<T> {
    /// Whether it is handed out at `now` without further thought.
    pub(super) fn is_fresh(&self, now: Moment) -> bool {
        now.is_before(self.fresh_until) && !self.stale.load(Ordering::Relaxed)
    }

    /// The life left at `now`; zero means dead.
    pub(super) fn left(&self, now: Moment) -> Duration {
        self.lifetime.saturating_sub(now.since(self.started))
    }
}

impl<T> Held<T> {
    pub(super) fn entry(&self) -> &Entry<T> {
        let Some(entry) = &*self.0 else { unreachable!("checked by all constructors") };
        entry
    }

    /// Which value this is, for [`Cache::invalidate`](super::Cache::invalidate).
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.entry().generation
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

/// How a cache is doing; what a readiness probe needs, without asking the service or the database.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Status {
    /// There is no living value and nothing is known to be wrong: the next caller fetches one.
    Empty,
    /// There is a living value, and the last fetch succeeded.
    Fresh {
        /// When the value dies, by this machine's wall clock.
        good_until: Timestamp,
    },
    /// There is a living value, but fetching the next one fails. Callers do not notice yet.
    Degraded {
        /// When the first fetch since the last success failed, by this machine's wall clock.
        since: Timestamp,
        /// Why the last fetch failed.
        last_error: Error,
        /// When the value dies, by this machine's wall clock.
        good_until: Timestamp,
    },
    /// There is no living value and fetching one fails. Callers get `last_error`.
    Dead {
        /// When the first fetch since the last success failed, by this machine's wall clock.
        since: Timestamp,
        /// Why the last fetch failed.
        last_error: Error,
    },
}

impl Status {
    /// Whether callers are served: everything but [`Dead`](Self::Dead).
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !matches!(self, Self::Dead { .. })
    }
}
