//! What happens to idle sessions.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use lakebase_session::ReusableSession;
use tokio::time::timeout;

use super::{Idle, Inner, Key, Pool};
use crate::observe;

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);

impl Pool {
    /// Listens to idle sessions and closes them in time, until dropped. Asks the server for nothing.
    pub(crate) async fn keep(&self) {
        loop {
            let due = self.lock().set_alarm(&self.options);
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
                    inner.sweep(self.now(), &self.options, context)
                };
                self.counters.ended.fetch_add(swept.ended, Ordering::Relaxed);
                (0..swept.ended).for_each(|_| observe::pooled_ended());
                match swept.closed {
                    none if none.is_empty() && !woken && self.lock().alarm == due => Poll::Pending,
                    closed => Poll::Ready(closed),
                }
            })
            .await;
            for session in closed {
                part(session).await;
            }
        }
    }

    /// Closes all idle sessions; none is used again from now on.
    pub(crate) async fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        let idle = self.lock().queue.idle_before(Duration::MAX);
        for session in idle {
            part(session).await;
        }
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
        if inner.alarm.is_none() {
            inner.alarm = Some(Duration::ZERO);
            inner.keeper.wake_by_ref();
        }
    }
}

impl Inner {
    fn set_alarm(&mut self, options: &super::PoolOptions) -> Option<Duration> {
        self.alarm = self.queue.due(options.idle_timeout, options.min);
        self.alarm
    }

    fn sweep(
        &mut self,
        now: Duration,
        options: &super::PoolOptions,
        context: &mut Context<'_>,
    ) -> super::queue::Swept<Box<ReusableSession>> {
        self.queue.sweep(now, options.idle_timeout, options.min, |session| {
            session.poll_ended(context).is_ready()
        })
    }
}

/// Closes a session so that the server does not take it for a broken connection.
pub(super) async fn part(session: Box<ReusableSession>) {
    // It is closed also if the goodbye cannot be sent.
    let _ = timeout(GOODBYE, session.close()).await;
}
