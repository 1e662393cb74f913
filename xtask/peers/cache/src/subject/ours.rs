//! The cache of `lakebase-core` on tokio.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lakebase_core::refresh::{Cache, Demand, Origin};
use lakebase_core::{
    Clock, DatabaseCredential, Error, ErrorKind, Result, Runtime, Secret, Timestamp,
};

use super::{Subject, look};
use crate::service::{LIFE, Service};

#[derive(Clone)]
pub(crate) struct Ours(Cache<DatabaseCredential>);

impl Subject for Ours {
    async fn new(service: &Service) -> Self {
        let mut runtime = lakebase_runtime::tokio();
        if is_paused() {
            runtime = Runtime { clock: Arc::new(PausedClock::now(&*runtime.clock)), ..runtime };
        }
        let origin = ServiceOrigin { service: service.clone(), clock: Arc::clone(&runtime.clock) };
        Self(Cache::new(Arc::new(origin), &runtime))
    }

    async fn token(&self) -> bool {
        self.0.get().await.inspect(|held| look(&held.token)).is_ok()
    }
}

#[derive(Debug)]
struct ServiceOrigin {
    service: Service,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl Origin<DatabaseCredential> for ServiceOrigin {
    async fn fetch(&self, _: Demand) -> Result<DatabaseCredential> {
        let Some(token) = self.service.mint().await else {
            return Err(Error::new(ErrorKind::Unavailable, "asking the service").with_status(503));
        };
        let now = self.clock.wall();
        Ok(DatabaseCredential {
            token: Secret::new(token.to_owned()),
            expires_at: now.saturating_add(LIFE),
            served_at: Some(now),
        })
    }
}

/// Both clocks, as tokio's paused time moves them.
#[derive(Debug)]
struct PausedClock {
    start: tokio::time::Instant,
    wall: Timestamp,
}

impl PausedClock {
    fn now(clock: &dyn Clock) -> Self {
        Self { start: tokio::time::Instant::now(), wall: clock.wall() }
    }
}

impl Clock for PausedClock {
    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }

    fn wall(&self) -> Timestamp {
        self.wall.saturating_add(self.start.elapsed())
    }
}

/// Tokio pauses time only on runtimes of one thread, and only `callers` uses these.
fn is_paused() -> bool {
    let flavor = tokio::runtime::Handle::current().runtime_flavor();
    flavor == tokio::runtime::RuntimeFlavor::CurrentThread
}
