//! Handles of other identities, kept between their requests: few, and not for long.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use lakebase_core::{Result, Runtime, Secret};

/// The most handles that are kept; the one that was not used for longest goes.
const MAX: usize = 1_000;
/// How long an unused handle is kept.
const IDLE: Duration = Duration::from_secs(10 * 60);

/// Handles by token. What is found by a fingerprint is compared with the token itself.
#[derive(Debug)]
pub(crate) struct Handles<T> {
    kept: Mutex<Kept<T>>,
    fingerprints: RandomState,
}

#[derive(Debug)]
struct Kept<T> {
    entries: HashMap<u64, Entry<T>>,
    /// Whether a task looks for idle ones.
    swept: bool,
}

#[derive(Debug)]
struct Entry<T> {
    token: Secret,
    handle: T,
    used: Duration,
}

impl<T> Default for Handles<T> {
    fn default() -> Self {
        let kept = Kept { entries: HashMap::new(), swept: false };
        Self { kept: Mutex::new(kept), fingerprints: RandomState::new() }
    }
}

impl<T: Clone + Send + 'static> Handles<T> {
    /// The handle of `token`: the one that is kept, else what `make` makes.
    pub(crate) fn get(
        self: &Arc<Self>,
        token: &Secret,
        runtime: &Runtime,
        make: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let now = runtime.clock.monotonic();
        let fingerprint = self.fingerprints.hash_one(token.expose());
        let mut kept = self.lock();
        kept.end_idle(now);
        if let Some(entry) = kept.entries.get_mut(&fingerprint)
            && entry.token.same_as(token)
        {
            entry.used = now;
            return Ok(entry.handle.clone());
        }
        let handle = make()?;
        if kept.entries.len() >= MAX
            && let Some(oldest) = kept.entries.iter().min_by_key(|(_, entry)| entry.used)
        {
            let oldest = *oldest.0;
            kept.entries.remove(&oldest);
        }
        let entry = Entry { token: token.clone(), handle: handle.clone(), used: now };
        kept.entries.insert(fingerprint, entry);
        let sweep = !std::mem::replace(&mut kept.swept, true);
        drop(kept);
        if sweep {
            self.sweep(runtime);
        }
        Ok(handle)
    }

    /// Spawns a task that ends idle handles; without a spawner they end when the next handle is asked for.
    fn sweep(self: &Arc<Self>, runtime: &Runtime) {
        let sweeper = Sweeper(Arc::downgrade(self));
        let Some(spawn) = &runtime.spawn else { return };
        let (clock, timer) = (Arc::clone(&runtime.clock), Arc::clone(&runtime.timer));
        spawn.spawn(Box::pin(async move {
            loop {
                timer.sleep(IDLE).await;
                let Some(handles) = sweeper.0.upgrade() else { return };
                let mut kept = handles.lock();
                kept.end_idle(clock.monotonic());
                if kept.entries.is_empty() {
                    kept.swept = false;
                    return;
                }
            }
        }));
    }

    fn lock(&self) -> MutexGuard<'_, Kept<T>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Kept<T> {
    fn end_idle(&mut self, now: Duration) {
        self.entries.retain(|_, entry| now.saturating_sub(entry.used) < IDLE);
    }
}

/// Records that the sweeping task has ended, however it ended.
struct Sweeper<T>(Weak<Handles<T>>);

impl<T> Drop for Sweeper<T> {
    fn drop(&mut self) {
        if let Some(handles) = self.0.upgrade() {
            handles.kept.lock().unwrap_or_else(PoisonError::into_inner).swept = false;
        }
    }
}

#[cfg(test)]
#[path = "handles_tests.rs"]
mod tests;
