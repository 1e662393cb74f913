//! A cache, its service and its time.

use std::sync::Arc;
use std::time::Duration;

use lakebase_core::refresh::{Cache, Held, Policy};
use lakebase_core::{DatabaseCredential, Error, ErrorKind, Spawn};
use lakebase_testkit::{FakeSpawn, FakeTime, Reply, ScriptedOrigin, fake_runtime};

pub(crate) const HOUR: Duration = secs(3600);

pub(crate) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(crate) const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) struct World {
    pub(crate) time: FakeTime,
    pub(crate) spawn: FakeSpawn,
    pub(crate) origin: ScriptedOrigin,
    pub(crate) cache: Cache<DatabaseCredential>,
}

impl World {
    /// A world whose runtime has a spawner.
    pub(crate) fn new(replies: Vec<Reply>) -> Self {
        Self::build(replies, true)
    }

    /// A world in which the callers that wait do the work.
    pub(crate) fn without_spawner(replies: Vec<Reply>) -> Self {
        Self::build(replies, false)
    }

    fn build(replies: Vec<Reply>, spawner: bool) -> Self {
        let time = FakeTime::new();
        let spawn = FakeSpawn::new(&time);
        let origin = ScriptedOrigin::new(&time, replies);
        let shared: Arc<dyn Spawn> = Arc::new(spawn.clone());
        let runtime = fake_runtime(&time, spawner.then_some(shared));
        let policy = Policy::default().seed(7).scatter(false);
        let cache = Cache::with_policy(Arc::new(origin.clone()), &runtime, policy);
        Self { time, spawn, origin, cache }
    }

    /// What one caller gets.
    pub(crate) fn get(&self) -> Result<String, Error> {
        self.spawn.run(self.cache.get()).map(|held| text(&held))
    }

    /// What one caller gets without any time passing.
    pub(crate) fn get_at_once(&self) -> Result<String, Error> {
        let before = self.now();
        let result = self.get();
        assert_eq!(self.now(), before, "this caller should not have waited");
        result
    }

    pub(crate) fn now(&self) -> Duration {
        lakebase_core::Clock::monotonic(&self.time)
    }

    /// Lets time pass while tasks run.
    pub(crate) fn pass(&self, duration: Duration) {
        self.spawn.pass(duration);
    }
}

pub(crate) fn text(held: &Held<DatabaseCredential>) -> String {
    held.token.expose().to_owned()
}

/// What a service says that is down behind its load balancer.
pub(crate) fn down() -> Reply {
    Reply::failure(Error::new(ErrorKind::Unavailable, "the service is down").with_status(503))
}

/// What the network says when there is no service.
pub(crate) fn unreachable() -> Reply {
    Reply::failure(Error::new(ErrorKind::Unavailable, "connection refused"))
}

pub(crate) fn forbidden() -> Reply {
    Reply::failure(Error::new(ErrorKind::PermissionDenied, "not yours").with_status(403))
}
