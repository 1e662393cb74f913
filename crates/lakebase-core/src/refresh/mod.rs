//! Fetches values that expire ahead of need, and hands them out.
//!
//! A [`Cache`] is what callers use. Its [`Machine`] decides when to fetch, without I/O; [`Policy`] holds the numbers.
//!
//! | phase | when | callers get |
//! |---|---|---|
//! | empty | there is no value | the outcome of the one fetch, or the last error until the next fetch is due |
//! | fresh | most of its life | the value: no wait, no lock, no allocation |
//! | advisory | the last sixth; for a value that was not fetched ahead of need, from a [random moment](Policy::scatter) on | the value at once, while the next one is fetched in the background |
//! | mandatory | the last minute | the outcome of the fetch; if it fails, the old value |
//! | expired | after its life | never the old value; otherwise as when empty |
//!
//! Age is the larger of the monotonic and the wall clock's difference since the fetch *started*; both are read as one
//! [`Moment`].

mod background;
mod flight;
mod machine;
#[cfg(test)]
mod model;
mod policy;
mod shared;
#[cfg(test)]
mod tests;
mod value;

use std::sync::Arc;

pub use crate::moment::Moment;
pub use background::KeepFresh;
pub use machine::{Action, Event, FlightId, Machine, Phase};
pub use policy::{Policy, Refusals};
pub use value::{Demand, Expires, Generation, Held, Origin, Status};

use crate::{Result, Runtime};
use shared::Shared;

/// Holds the newest value of an [`Origin`] and fetches the next one before it expires.
///
/// Cheap to clone; clones share everything. Each [`get`](Self::get) checks whether a fetch is due. Nothing runs in the
/// background unless [`keep_fresh`](Self::keep_fresh) is called. There is at most one fetch at any time, and it
/// continues when its callers are dropped. A task carries it out if the runtime has a spawner; otherwise its waiters do.
#[derive(Debug)]
pub struct Cache<T>(Arc<Shared<T>>);

impl<T> Clone for Cache<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Expires> Cache<T> {
    /// An empty cache with the default [`Policy`].
    #[must_use]
    pub fn new(origin: Arc<dyn Origin<T>>, runtime: &Runtime) -> Self {
        Self::with_policy(origin, runtime, Policy::default())
    }

    /// An empty cache.
    #[must_use]
    pub fn with_policy(origin: Arc<dyn Origin<T>>, runtime: &Runtime, policy: Policy) -> Self {
        Self(Arc::new(Shared::new(origin, runtime, policy)))
    }

    /// The value. While it is fresh this takes no lock, does not wait and allocates nothing.
    ///
    /// In the advisory window a fetch starts in the background. In the mandatory window, and without a valid value,
    /// every caller waits for the fetch. In the mandatory window a caller waits for at most 10 s and then gets the old
    /// value. Without a valid value it waits until the fetch ends, which takes at most 30 s. An expired value is never
    /// returned.
    ///
    /// Without a spawner there is no background. In the advisory window one caller then carries out the fetch and waits
    /// as in the mandatory window, and the others get the old value at once.
    ///
    /// **Cancellation:** dropping the future leaves the fetch running.
    ///
    /// # Errors
    ///
    /// The origin's error, the same for every caller of one fetch, and for every caller until the next fetch is due.
    /// [`TimedOut`](crate::ErrorKind::TimedOut) if a fetch did not end in time.
    pub async fn get(&self) -> Result<Held<T>> {
        self.get_for(Demand::default()).await
    }

    /// The value, with further requirements.
    ///
    /// [`Demand::force`] first [invalidates](Self::invalidate) the current value.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub async fn get_for(&self, demand: Demand) -> Result<Held<T>> {
        let now = self.0.clock.coarse();
        let guard = self.0.slot.load();
        match &*guard {
            Some(entry) if demand.force => self.invalidate(entry.generation),
            Some(entry) if entry.is_fresh(now) && entry.is_valid_for(demand.at_least, now) => {
                return Ok(Held(guard));
            }
            _ => {}
        }
        drop(guard);
        self.0.get_slowly(demand.at_least).await
    }

    /// The value if it is valid. Does not wait, starts no fetch, takes no lock and allocates nothing.
    #[must_use]
    pub fn peek(&self) -> Option<Held<T>> {
        self.0.valid(self.0.now())
    }

    /// Reports that the value of `generation` was refused. If it is the current one it is dropped, and the next fetch is
    /// forced past the caches below.
    ///
    /// This works twice in a row, then once per 30 s (see [`Policy`]); otherwise the value stays. By then two fresh
    /// values were refused as well, so the value is not the reason.
    pub fn invalidate(&self, generation: Generation) {
        self.0.invalidate(generation);
    }

    /// Reports that the value of `generation` may be outdated. If it is the current one, callers wait for the next
    /// fetch, and get the old value if that fails, until it expires.
    ///
    /// For values for which an outdated one is better than none while the origin is down: what RFC 5861 calls
    /// stale-if-error. Limited together with [`invalidate`](Self::invalidate): twice in a row, then once per 30 s;
    /// otherwise it does nothing.
    pub(crate) fn revalidate(&self, generation: Generation) {
        self.0.revalidate(generation);
    }

    /// The state of the value and of its last fetch. Starts no fetch.
    #[must_use]
    pub fn status(&self) -> Status {
        self.0.status()
    }

    /// Waits for a valid value newer than `seen`; returns at once if there is one.
    ///
    /// Starts no fetch: use it beside [`keep_fresh`](Self::keep_fresh), or beside callers of [`get`](Self::get).
    pub async fn changed(&self, seen: Option<Generation>) -> Held<T> {
        let newer = |held: &Held<T>| seen.is_none_or(|seen| held.generation() > seen);
        self.0.background.changed.wait_until(|| self.peek().filter(newer)).await
    }

    /// Fetches the next value in the background, even without callers, until the result is dropped.
    ///
    /// Does nothing if the runtime has no spawner. All results share one task. The task ends when the last result or the
    /// last clone of the cache is dropped; neither keeps the other alive. It checks the clocks at least every 30 s. If
    /// its runtime ends before the cache does, a later [`get`](Self::get) starts it again.
    pub fn keep_fresh(&self) -> KeepFresh {
        let handle = KeepFresh::new(&self.0.background);
        self.0.start_background();
        handle
    }
}
