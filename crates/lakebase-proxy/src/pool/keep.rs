//! Watches idle sessions and closes them in time.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::{abortable, join_all};
use lakebase_session::ReusableSession;
use tokio::time::timeout;

use super::queue::Swept;
use super::{Idle, Inner, Key, Pool, PoolOptions};
use crate::observe;

/// Time limit for the `Terminate` of a session.
const TERMINATE_LIMIT: Duration = Duration::from_secs(1);
/// How long a reset may take at least; many temporary tables take their time. The keeper may come later, after
/// [`PoolOptions::idle_timeout`].
const RESET: Duration = Duration::from_secs(10);

impl Pool {
    /// Listens to idle sessions and closes them in time, until dropped. Asks the server for nothing.
    pub(crate) async fn keep(&self) {
        loop {
            let due = {
                let mut inner = self.lock();
                inner.alarm = inner.due(&self.options);
                inner.alarm
            };
            let pause = due.map(|due| due.saturating_sub(self.now()));
            let timer = &self.connector.runtime().timer;
            let mut alarm = pin!(async {
                match pause {
                    Some(pause) => timer.sleep(pause).await,
                    None => std::future::pending().await,
                }
            });
            // Ended ones are gone after this, and the others wake this task.
            let closed = poll_fn(|context| {
                let woken = alarm.as_mut().poll(context).is_ready();
                let swept = {
                    let mut inner = self.lock();
                    inner.keeper.clone_from(context.waker());
                    let swept = inner.sweep(self.now(), &self.options, context);
                    // Counted under the lock, so that statistics never lack a session that is gone.
                    self.counters.ended.fetch_add(swept.ended, Ordering::Relaxed);
                    swept
                };
                (0..swept.ended).for_each(|_| observe::pooled_ended());
                match swept.closed {
                    none if none.is_empty() && !woken && self.lock().alarm == due => Poll::Pending,
                    closed => Poll::Ready(closed),
                }
            })
            .await;
            join_all(closed.into_iter().map(part)).await;
        }
    }

    /// Closes all idle sessions; none is used again from now on.
    pub(crate) async fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        let idle = self.lock().queue.idle_before(Duration::MAX);
        join_all(idle.into_iter().map(part)).await;
    }

    /// Lets the next in line have a session that is as good as new, or keeps it.
    pub(super) fn give_back(&self, mut idle: Idle<Key, Box<ReusableSession>>) {
        let mut inner = self.lock();
        // From now on its end wakes the keeper.
        let keeper = inner.keeper.clone();
        if idle.session.poll_ended(&mut Context::from_waker(&keeper)).is_ready() {
            self.counters.ended.fetch_add(1, Ordering::Relaxed);
            return inner.queue.free();
        }
        inner.queue.give_back(idle);
        inner.rouse();
    }

    /// The result of a reset; `None` if it takes too long, which the keeper says. It looks after idle sessions anyway, and a timer for
    /// each reset would cost system calls.
    pub(super) async fn bounded<T>(&self, reset: impl Future<Output = T>) -> Option<T> {
        let (reset, handle) = abortable(reset);
        let number = {
            let mut inner = self.lock();
            let number = inner.next_reset;
            inner.next_reset += 1;
            let until = self.now().saturating_add(RESET);
            inner.resets.insert(number, (until, handle));
            inner.rouse();
            number
        };
        let _ended = OnDrop(|| drop(self.lock().resets.remove(&number)));
        reset.await.ok()
    }
}

impl Inner {
    /// When there is something to do for the keeper.
    fn due(&self, options: &PoolOptions) -> Option<Duration> {
        let resets = self.resets.values().map(|(until, _)| *until);
        self.queue.due(options.idle_timeout, options.min).into_iter().chain(resets).min()
    }

    /// Makes the keeper look when there is something to do, if it would sleep for good.
    fn rouse(&mut self) {
        if self.alarm.is_none() {
            self.alarm = Some(Duration::ZERO);
            self.keeper.wake_by_ref();
        }
    }

    fn sweep(
        &mut self,
        now: Duration,
        options: &PoolOptions,
        context: &mut Context<'_>,
    ) -> Swept<Box<ReusableSession>> {
        for (until, reset) in self.resets.values() {
            if *until <= now {
                reset.abort();
            }
        }
        self.queue.sweep(now, options.idle_timeout, options.min, |session| {
            session.poll_ended(context).is_ready()
        })
    }
}

/// Closes a session so that the server does not take it for a broken connection.
pub(super) async fn part(session: Box<ReusableSession>) {
    // It is closed also if `Terminate` cannot be sent.
    let _ = timeout(TERMINATE_LIMIT, session.close()).await;
}

/// Runs `F` on drop, also when a task is cancelled.
struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
