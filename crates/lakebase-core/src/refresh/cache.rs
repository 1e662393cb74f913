//! The handle that callers have.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use super::inner::Inner;
use super::{Demand, Expires, Generation, Held, KeepFresh, Origin, Policy, Status, Watch};
use crate::{Result, Runtime};

/// Holds the newest value of an [`Origin`] and fetches the next one before it dies.
///
/// Cheap to clone; clones share everything. Nothing runs in the background unless
/// [`keep_fresh`](Self::keep_fresh) is called: every [`get`](Self::get) looks whether a fetch is due. At most
/// one fetch is under way at any time, and it does not end when its callers go away; it is carried out by
/// a task where the runtime has a spawner, else by whoever waits for it.
#[derive(Debug)]
pub struct Cache<T> {
    pub(super) inner: Arc<Inner<T>>,
}

impl<T> Clone for Cache<T> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
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
        Self { inner: Arc::new(Inner::new(origin, runtime, policy)) }
    }

    /// The value. While it is fresh this takes no lock, waits for nothing and allocates nothing.
    ///
    /// Later a fetch starts in the background, and only in its last minute, or once it is dead, is a fetch
    /// waited for, by every caller the same: for at most 10 s while the old value lives, which is returned
    /// then, else until the fetch is over, which takes at most 30 s. A dead value is never returned.
    ///
    /// Without a spawner there is no background: while the value is old but alive, one caller carries out
    /// the fetch, for as long, and the others get the old value at once.
    ///
    /// **Cancellation:** dropping the future leaves the fetch running.
    ///
    /// # Errors
    ///
    /// The origin's, the very same for every caller of one fetch, and at once to callers until the next
    /// fetch is due; [`TimedOut`](crate::ErrorKind::TimedOut) if a fetch was not over in time.
    pub async fn get(&self) -> Result<Held<T>> {
        self.get_for(Demand::default()).await
    }

    /// The value, with more to ask of it than [`get`](Self::get) does.
    ///
    /// [`Demand::force`] is [`invalidate`](Self::invalidate) of the current value first.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub async fn get_for(&self, demand: Demand) -> Result<Held<T>> {
        let now = self.inner.clock.coarse();
        let guard = self.inner.board.slot.load();
        match &*guard {
            Some(entry) if demand.force => self.invalidate(entry.generation),
            Some(entry) if entry.is_fresh(now) && entry.left(now) >= demand.at_least => {
                return Ok(Held(guard));
            }
            _ => {}
        }
        drop(guard);
        self.inner.wait_for(demand.at_least).await
    }

    /// The value if it lives, without waiting and without starting a fetch. No lock, no allocation.
    #[must_use]
    pub fn peek(&self) -> Option<Held<T>> {
        self.inner.board.living(self.inner.now())
    }

    /// Reports that the value of `generation` was refused: if it is still the current one it is dropped,
    /// and the next fetch is forced past the caches below.
    ///
    /// This works twice in a row, then once per 30 s (see [`Policy`]); until then the value stays. By that
    /// time two fresh ones were refused as well, so the value is not the reason.
    pub fn invalidate(&self, generation: Generation) {
        self.inner.invalidate(generation);
    }

    /// Reports that the value of `generation` may be outdated: if it is still the current one, callers wait for
    /// the next one to be fetched, and get the old one if that fails, for as long as it lives.
    ///
    /// For values that are facts and not secrets, where an old one beats none while the origin is down: what
    /// RFC 5861 calls stale-if-error. Rationed together with [`invalidate`](Self::invalidate): twice in a row, then
    /// once per 30 s; until then nothing happens.
    pub fn revalidate(&self, generation: Generation) {
        self.inner.revalidate(generation);
    }

    /// How it is doing.
    #[must_use]
    pub fn status(&self) -> Status {
        self.inner.status()
    }

    /// Completes once there is a living value newer than `seen`; at once if there is.
    ///
    /// This starts no fetch: use it beside [`keep_fresh`](Self::keep_fresh), or beside callers of
    /// [`get`](Self::get). To wait without keeping the cache alive, [`watch`](Self::watch) it.
    pub async fn changed(&self, seen: Option<Generation>) -> Held<T> {
        let board = &self.inner.board;
        let listener = board.bell.listener();
        poll_fn(|context| {
            listener.register(context.waker());
            board.newer_than(seen, self.inner.now()).map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    /// A view that does not keep the cache alive.
    #[must_use]
    pub fn watch(&self) -> Watch<T> {
        let clock = Arc::clone(&self.inner.clock);
        Watch { board: Arc::clone(&self.inner.board), clock }
    }

    /// Fetches the next value in the background, also when nobody asks, until the result is dropped.
    ///
    /// Needs a spawner in the runtime, else this does nothing. There is one task however often this is
    /// called, and it ends when the last result is dropped, or the last clone of the cache, which neither
    /// keeps alive. It looks at the clocks at least every 30 s. If its runtime ends before the cache does, a
    /// later [`get`](Self::get) starts it anew.
    pub fn keep_fresh(&self) -> KeepFresh<T> {
        KeepFresh::new(&self.inner)
    }
}
