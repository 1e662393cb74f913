//! Knows when every task of a test waits, on any executor.
//!
//! Fake time may only move when nothing else can go on. An executor of one's own knows when that is; tokio
//! does not tell. So every task is wrapped, and counts as busy from each wake-up to the end of the poll
//! that follows it.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use crate::lock;
use futures::task::AtomicWaker;
use lakebase_core::{BoxFuture, Spawn};

/// Spawns through another spawner and knows whether any of the tasks is busy. Clones share the count.
#[derive(Clone)]
pub struct TrackedSpawn {
    spawn: Arc<dyn Spawn>,
    count: Arc<Count>,
}

#[derive(Default)]
struct Count {
    busy: AtomicUsize,
    waiting: AtomicWaker,
}

impl TrackedSpawn {
    /// Tracks tasks that `spawn` runs.
    #[must_use]
    pub fn new(spawn: Arc<dyn Spawn>) -> Self {
        Self { spawn, count: Arc::default() }
    }

    /// Completes once no task is busy. One waiter at a time.
    pub async fn calm(&self) {
        poll_fn(|context| {
            self.count.waiting.register(context.waker());
            match self.count.busy.load(Ordering::SeqCst) {
                0 => Poll::Ready(()),
                _ => Poll::Pending,
            }
        })
        .await;
    }
}

impl Spawn for TrackedSpawn {
    fn spawn(&self, future: BoxFuture<'static, ()>) {
        self.count.busy.fetch_add(1, Ordering::SeqCst);
        let state = Mutex::new((State::Woken, None));
        let node = Arc::new(Node { state, count: Arc::clone(&self.count) });
        self.spawn.spawn(Box::pin(Tracked { node, future }));
    }
}

impl fmt::Debug for TrackedSpawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrackedSpawn").field("spawn", &self.spawn).finish_non_exhaustive()
    }
}

#[derive(PartialEq)]
enum State {
    Quiet,
    Woken,
    Gone,
}

struct Node {
    state: Mutex<(State, Option<Waker>)>,
    count: Arc<Count>,
}

impl Node {
    fn with<R>(&self, work: impl FnOnce(&mut (State, Option<Waker>)) -> R) -> R {
        work(&mut lock(&self.state))
    }

    fn rest(&self) {
        if self.count.busy.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.count.waiting.wake();
        }
    }
}

impl Wake for Node {
    fn wake(self: Arc<Self>) {
        let waker = self.with(|(state, waker)| {
            if *state == State::Quiet {
                *state = State::Woken;
                self.count.busy.fetch_add(1, Ordering::SeqCst);
            }
            waker.clone()
        });
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

struct Tracked {
    node: Arc<Node>,
    future: BoxFuture<'static, ()>,
}

impl Future for Tracked {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let woken = self.node.with(|(state, waker)| {
            *waker = Some(context.waker().clone());
            std::mem::replace(state, State::Quiet) == State::Woken
        });
        let waker = Waker::from(Arc::clone(&self.node));
        let poll = self.future.as_mut().poll(&mut Context::from_waker(&waker));
        if woken {
            self.node.rest();
        }
        poll
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        let woken = self.node.with(|(state, waker)| {
            *waker = None;
            std::mem::replace(state, State::Gone) == State::Woken
        });
        if woken {
            self.node.rest();
        }
    }
}
