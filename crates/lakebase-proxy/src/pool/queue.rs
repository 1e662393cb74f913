//! Sessions in use, clients that wait for one, and idle sessions; without I/O and without a clock.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::oneshot;

/// All sessions of a pool, of which `K` tells whom each can serve.
///
/// Clients wait only while every permit is taken and no session is idle.
#[derive(Debug)]
pub(super) struct Queue<K, S> {
    size: usize,
    /// Places taken: by sessions in use, idle, and on their way.
    taken: usize,
    /// Those that were used last come last.
    idle: Vec<Idle<K, S>>,
    waiting: VecDeque<Waiting<K, S>>,
    next: u64,
}

/// An idle session.
#[derive(Debug)]
pub(super) struct Idle<K, S> {
    pub(super) key: K,
    pub(super) session: S,
    /// Since when.
    pub(super) since: Duration,
    /// When it becomes too old.
    pub(super) expires: Duration,
}

#[derive(Debug)]
struct Waiting<K, S> {
    number: u64,
    key: K,
    name: Option<Vec<u8>>,
    turn: oneshot::Sender<Turn<K, S>>,
}

/// The next step of a client that has a permit.
#[derive(Debug)]
pub(super) enum Turn<K, S> {
    /// Take this session.
    Reuse(Idle<K, S>),
    /// Open one.
    Open,
    /// Close this session, which has another key, and open one.
    Replace(S),
}

/// A place in the queue.
#[derive(Debug)]
pub(super) struct Ticket<K, S> {
    pub(super) number: u64,
    pub(super) turn: oneshot::Receiver<Turn<K, S>>,
}

impl<K: PartialEq + Clone, S> Queue<K, S> {
    pub(super) fn new(size: usize) -> Self {
        Self { size, taken: 0, idle: Vec::new(), waiting: VecDeque::new(), next: 0 }
    }

    /// A permit at once, or a place in the queue.
    pub(super) fn enter(
        &mut self,
        key: &K,
        name: Option<&[u8]>,
    ) -> Result<Turn<K, S>, Ticket<K, S>> {
        if let Some(idle) = self.take_idle(key) {
            return Ok(Turn::Reuse(idle));
        }
        if self.taken < self.size {
            self.taken += 1;
            return Ok(Turn::Open);
        }
        // Its permit becomes the other's.
        if !self.idle.is_empty() {
            return Ok(Turn::Replace(self.idle.remove(0).session));
        }
        let (sender, turn) = oneshot::channel();
        let number = self.next;
        self.next += 1;
        let name = name.map(<[u8]>::to_vec);
        self.waiting.push_back(Waiting { number, key: key.clone(), name, turn: sender });
        Err(Ticket { number, turn })
    }

    /// Another idle session for a client that has a permit and found the first session dead.
    pub(super) fn exchange(&mut self, key: &K) -> Option<Idle<K, S>> {
        let idle = self.take_idle(key)?;
        // Two permits for one session.
        self.free();
        Some(idle)
    }

    /// The one that was used last.
    fn take_idle(&mut self, key: &K) -> Option<Idle<K, S>> {
        let at = self.idle.iter().rposition(|idle| idle.key == *key)?;
        Some(self.idle.remove(at))
    }

    /// The `application_name` that the next one in the line wants, if it could have a session of `key`; the outer `None` if not.
    pub(super) fn next_name(&self, key: &K) -> Option<Option<&[u8]>> {
        let first = self.waiting.front().filter(|first| first.key == *key)?;
        Some(first.name.as_deref())
    }

    /// Takes back a session that can be used again: for the first client in the line, else idle.
    pub(super) fn give_back(&mut self, idle: Idle<K, S>) {
        let mut idle = idle;
        while let Some(first) = self.waiting.pop_front() {
            let fits = first.key == idle.key;
            let Idle { key, session, since, expires } = idle;
            let turn = match fits {
                true => Turn::Reuse(Idle { key: key.clone(), session, since, expires }),
                false => Turn::Replace(session),
            };
            let session = match first.turn.send(turn) {
                Ok(()) => return,
                // Gone.
                Err(Turn::Reuse(Idle { session, .. }) | Turn::Replace(session)) => session,
                Err(Turn::Open) => return,
            };
            idle = Idle { key, session, since, expires };
        }
        self.idle.push(idle);
    }

    /// A permit is free: the first in the queue opens a session.
    pub(super) fn free(&mut self) {
        while let Some(first) = self.waiting.pop_front() {
            if first.turn.send(Turn::Open).is_ok() {
                return;
            }
        }
        self.taken -= 1;
    }

    /// Leaves the line.
    pub(super) fn leave(&mut self, number: u64) {
        self.waiting.retain(|waiting| waiting.number != number);
    }

    /// Takes out what must not stay: what `ended` says has ended, what is too old, and what was idle for `idle_timeout` unless it is
    /// among the last `min`.
    pub(super) fn sweep(
        &mut self,
        now: Duration,
        idle_timeout: Duration,
        min: usize,
        mut ended: impl FnMut(&mut S) -> bool,
    ) -> Swept<S> {
        let mut swept = Swept { ended: 0, closed: Vec::new() };
        let mut at = 0;
        while let Some(idle) = self.idle.get_mut(at) {
            let too_long = self.taken > min && idle.since.saturating_add(idle_timeout) <= now;
            if ended(&mut idle.session) {
                swept.ended += 1;
                drop(self.idle.remove(at));
            } else if too_long || idle.expires <= now {
                swept.closed.push(self.idle.remove(at).session);
            } else {
                at += 1;
                continue;
            }
            self.free();
        }
        swept
    }

    /// When the next [`sweep`](Self::sweep) is due.
    pub(super) fn due(&self, idle_timeout: Duration, min: usize) -> Option<Duration> {
        let due = |idle: &Idle<K, S>| match self.taken > min {
            true => idle.expires.min(idle.since.saturating_add(idle_timeout)),
            false => idle.expires,
        };
        self.idle.iter().map(due).min()
    }

    /// Takes out all that was idle since before `moment`.
    pub(super) fn idle_before(&mut self, moment: Duration) -> Vec<S> {
        let (old, young): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.idle).into_iter().partition(|idle| idle.since < moment);
        self.idle = young;
        old.iter().for_each(|_| self.free());
        old.into_iter().map(|idle| idle.session).collect()
    }

    pub(super) fn counts(&self) -> Counts {
        Counts { taken: self.taken, idle: self.idle.len(), waiting: self.waiting.len() }
    }
}

/// The sessions that a [`sweep`](Queue::sweep) took out.
#[derive(Debug)]
pub(super) struct Swept<S> {
    /// How many had ended by themselves.
    pub(super) ended: u64,
    /// Those that are to be closed.
    pub(super) closed: Vec<S>,
}

/// How many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) taken: usize,
    pub(super) idle: usize,
    pub(super) waiting: usize,
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
