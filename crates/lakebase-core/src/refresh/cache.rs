//! Holds the newest value of an [`Origin`] and refreshes it.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::lock::Mutex;

use crate::{MaybeSend, MaybeSync, Result, Runtime, Timestamp};

/// Something that stops being valid.
pub trait Expires: fmt::Debug + MaybeSend + MaybeSync + 'static {
    /// How long it lives from the moment it was asked for, given this machine's wall clock then.
    fn lifetime(&self, wall: Timestamp) -> Duration;

    /// Whether `other` is the same value again, so that nothing was gained by fetching it.
    fn same_as(&self, other: &Self) -> bool;
}

/// How urgently a value is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// The last value was refused by its user: go past every cache below.
    pub force: bool,
}

/// Where a [`Cache`] gets its values from. Asks every time: no cache, no retry.
#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
pub trait Origin<T>: fmt::Debug + MaybeSend + MaybeSync {
    /// Fetches a new value.
    async fn fetch(&self, demand: Demand) -> Result<T>;
}

/// Names one value of a cache; later values have larger ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation(pub(crate) u64);

/// A value as the cache handed it out.
#[derive(Debug)]
pub struct Held<T>(Arc<(T, Generation, Duration, Timestamp, Duration)>);

impl<T> Held<T> {
    /// Which value this is, for [`Cache::invalidate`].
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.0.1
    }
}

impl<T> Clone for Held<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for Held<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.0
    }
}

/// Holds the newest value of an origin.
#[derive(Debug)]
pub struct Cache<T> {
    inner: Arc<Inner<T>>,
}

#[derive(Debug)]
struct Inner<T> {
    origin: Arc<dyn Origin<T>>,
    runtime: Runtime,
    slot: Mutex<(u64, Option<Held<T>>)>,
}

impl<T> Clone for Cache<T> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<T: Expires> Cache<T> {
    /// An empty cache.
    #[must_use]
    pub fn new(origin: Arc<dyn Origin<T>>, runtime: &Runtime) -> Self {
        let inner = Inner { origin, runtime: runtime.clone(), slot: Mutex::new((0, None)) };
        Self { inner: Arc::new(inner) }
    }

    /// The value, fetched if there is none that lives.
    ///
    /// # Errors
    ///
    /// The origin's.
    pub async fn get(&self) -> Result<Held<T>> {
        let mut slot = self.inner.slot.lock().await;
        let clock = &self.inner.runtime.clock;
        if let Some(held) = &slot.1 {
            let (_, _, mono, wall, life) = &*held.0;
            let age =
                clock.wall().saturating_since(*wall).max(clock.monotonic().saturating_sub(*mono));
            if age < *life {
                return Ok(held.clone());
            }
        }
        let (mono, wall) = (clock.monotonic(), clock.wall());
        let value = self.inner.origin.fetch(Demand::default()).await?;
        let life = value.lifetime(wall);
        slot.0 += 1;
        let held = Held(Arc::new((value, Generation(slot.0), mono, wall, life)));
        slot.1 = Some(held.clone());
        Ok(held)
    }

    /// Forgets the value of `generation`, if it is still the current one.
    pub fn invalidate(&self, generation: Generation) {
        if let Some(mut slot) = self.inner.slot.try_lock()
            && slot.1.as_ref().is_some_and(|held| held.generation() == generation)
        {
            slot.1 = None;
        }
    }
}
