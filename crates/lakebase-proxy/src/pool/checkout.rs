//! How a client checks a session out of the pool, and what becomes of the session afterwards.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Waker};
use std::time::Duration;

use lakebase_core::Error;
use lakebase_session::liveness::LIMIT as LIVENESS;
use lakebase_session::startup::Startup;
use lakebase_session::{ReusableSession, Session, StartupFactory};
use tokio::time::timeout;

use super::keep::part;
use super::named::NamedFactory;
use super::queue::{Idle, Ticket, Turn};
use super::{Key, Pool, Wanted};
use crate::observe;

/// How long what a client did not want to hear any more may take to come, and how long it may be.
const SETTLE: Duration = Duration::from_secs(1);
const SETTLE_BYTES: usize = 256 * 1024;

type Boxed = Box<ReusableSession>;

/// Why a client gets no session.
#[derive(Debug)]
pub(crate) enum Denied {
    /// Its turn did not come in time.
    Crowded,
    /// The login failed.
    Login(Error),
}

/// The result of a checkout.
pub(crate) enum CheckedOut {
    /// A session that goes back to the pool.
    Pooled(Checkout),
    /// One that cannot, with the permit that it needs.
    Alone(Box<Session>, Permit),
}

/// A session that a client has.
pub(crate) struct Checkout {
    pub(crate) session: Boxed,
    /// Whether another client had it before.
    pub(crate) reused: bool,
    key: Key,
    name: Option<Vec<u8>>,
    expires: Duration,
    permit: Permit,
}

/// The right to have one session of a pool, returned when dropped.
pub(crate) struct Permit(Option<Arc<Pool>>);

impl Permit {
    fn new(pool: &Arc<Pool>) -> Self {
        Self(Some(Arc::clone(pool)))
    }

    /// It goes with the session.
    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(pool) = &self.0 {
            pool.lock().queue.free();
        }
    }
}

/// A client in the queue, which leaves it when dropped.
struct Waiter<'a> {
    pool: &'a Arc<Pool>,
    ticket: Ticket<Key, Boxed>,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.pool.lock().queue.leave(self.ticket.number);
        self.ticket.turn.close();
        // The turn came, and the client was gone.
        match self.ticket.turn.try_recv() {
            Ok(Turn::Reuse(idle)) => self.pool.give_back(idle),
            Ok(Turn::Open | Turn::Replace(_)) => self.pool.lock().queue.free(),
            Err(_) => {}
        }
    }
}

impl Pool {
    /// A session for a client, in turn.
    ///
    /// **Cancellation:** leaves the queue, and returns a permit that came already.
    pub(crate) async fn check_out(self: &Arc<Self>, wanted: Wanted) -> Result<CheckedOut, Denied> {
        let Wanted { key, application_name: name, startup } = wanted;
        let turn = self.turn(&key, name.as_deref()).await?;
        let permit = Permit::new(self);
        let mut turn = match turn {
            Turn::Reuse(idle) => Some(idle),
            Turn::Open => None,
            Turn::Replace(old) => {
                Box::pin(part(old)).await;
                None
            }
        };
        while let Some(idle) = turn {
            let Idle { mut session, since, expires, .. } = idle;
            if self.is_alive(&mut session, name.as_deref(), since).await {
                self.counters.reused.fetch_add(1, Ordering::Relaxed);
                return Ok(CheckedOut::Pooled(Checkout {
                    session,
                    reused: true,
                    key,
                    name,
                    expires,
                    permit,
                }));
            }
            self.counters.ended.fetch_add(1, Ordering::Relaxed);
            observe::pooled_ended();
            drop(session);
            turn = self.lock().queue.exchange(&key);
        }
        // In a box of its own, as it is seldom needed.
        Box::pin(self.open(key, name, startup, permit)).await
    }

    /// Opens a session.
    async fn open(
        &self,
        key: Key,
        name: Option<Vec<u8>>,
        startup: Startup,
        permit: Permit,
    ) -> Result<CheckedOut, Denied> {
        let startup = StartupFactory::new(Arc::clone(&self.upstream), startup);
        let factory = NamedFactory { startup, name };
        let opened = self.connector.connect(&factory).await.map_err(Denied::Login)?;
        self.counters.opened.fetch_add(1, Ordering::Relaxed);
        let expires = self.expiry();
        Ok(match opened {
            Ok(session) => {
                let name = factory.name;
                CheckedOut::Pooled(Checkout { session, reused: false, key, name, expires, permit })
            }
            Err(session) => CheckedOut::Alone(session, permit),
        })
    }

    fn unsettled(&self) {
        self.counters.unsettled.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits in the queue.
    async fn turn(
        self: &Arc<Self>,
        key: &Key,
        name: Option<&[u8]>,
    ) -> Result<Turn<Key, Boxed>, Denied> {
        let entered = self.lock().queue.enter(key, name);
        let ticket = match entered {
            Ok(turn) => {
                self.counters.waited(Duration::ZERO);
                return Ok(turn);
            }
            Err(ticket) => ticket,
        };
        let mut waiter = Waiter { pool: self, ticket };
        let begun = self.now();
        match timeout(self.options.wait, &mut waiter.ticket.turn).await {
            Ok(Ok(turn)) => {
                self.counters.waited(self.now().saturating_sub(begun));
                Ok(turn)
            }
            _ => {
                self.counters.timed_out.fetch_add(1, Ordering::Relaxed);
                Err(Denied::Crowded)
            }
        }
    }

    /// Whether an idle session can serve a client of this name, which costs a round trip at most.
    async fn is_alive(&self, session: &mut Boxed, name: Option<&[u8]>, since: Duration) -> bool {
        // Reads what the server has sent meanwhile.
        if session.poll_ended(&mut Context::from_waker(Waker::noop())).is_ready() {
            return false;
        }
        let long = self.now().saturating_sub(since) > self.options.check_after_idle;
        if !long && session.is_named(name) {
            return true;
        }
        match timeout(LIVENESS, session.rename(name)).await {
            Ok(answered) => answered.is_ok(),
            Err(_) => {
                // Others that were silent for as long probably share its fate.
                let moment = self.now().saturating_sub(LIVENESS);
                let mut inner = self.lock();
                let dead = inner.queue.idle_before(moment);
                self.counters.ended.fetch_add(dead.len() as u64, Ordering::Relaxed);
                drop(inner);
                false
            }
        }
    }
}

impl Checkout {
    /// Closes a session whose client ended while something was open.
    pub(crate) fn leave_unsettled(self) {
        if let Some(pool) = &self.permit.0 {
            pool.unsettled();
        }
    }

    /// Gives the session to the next client after a reset, or closes it. `cancelled`: a cancel request was sent, which may arrive at any
    /// time.
    ///
    /// **Cancellation:** closes the session.
    pub(crate) async fn give_back(self, cancelled: bool) {
        let Self { mut session, key, name, expires, permit, .. } = self;
        let Some(pool) = permit.0.clone() else { return };
        let settled = session.is_settled()
            || matches!(timeout(SETTLE, session.settle(SETTLE_BYTES)).await, Ok(Ok(())));
        if !settled || cancelled {
            return pool.unsettled();
        }
        if pool.is_draining() || expires <= pool.now() {
            return Box::pin(part(session)).await;
        }
        let next = match pool.lock().queue.next_name(&key) {
            Some(name) => name.map(<[u8]>::to_vec),
            // Probably another one of the same program.
            None => name,
        };
        match pool.bounded(session.reset(next.as_deref())).await {
            Some(Ok(())) if !pool.is_draining() => {
                permit.keep();
                pool.give_back(Idle { key, session, since: pool.now(), expires });
            }
            Some(Ok(())) => Box::pin(part(session)).await,
            failed => {
                pool.counters.resets_failed.fetch_add(1, Ordering::Relaxed);
                observe::reset_failed(failed.and_then(Result::err).as_ref());
            }
        }
    }
}
