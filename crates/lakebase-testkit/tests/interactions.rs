//! What the credential cache asks of its source, and a cache of the cache below it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lakebase_core::refresh::{Cache, Demand, Origin, Policy};
use lakebase_core::{
    CredentialCache, CredentialRequest, DatabaseCredential, Error, ErrorKind, Result, Secret,
};
use lakebase_testkit::mocks::MockCredentialSource;
use lakebase_testkit::{
    EPOCH, FakeSpawn, FakeTime, Reply, ScriptedOrigin, TrackedSpawn, fake_executor, fake_runtime,
};
use mockall::Sequence;

const HOUR: Duration = Duration::from_secs(3600);

fn request() -> CredentialRequest {
    CredentialRequest::new("projects/p/branches/b/endpoints/e".parse().unwrap())
}

fn credential(token: &str) -> DatabaseCredential {
    let expires_at = EPOCH.saturating_add(HOUR);
    DatabaseCredential { token: Secret::new(token), expires_at, served_at: Some(EPOCH) }
}

#[test]
fn a_refused_credential_is_asked_for_again_with_force() {
    let (_, spawn, runtime) = fake_executor();
    let mut order = Sequence::new();
    let mut source = MockCredentialSource::new();
    for (token, force) in [("first", false), ("second", true)] {
        source
            .expect_fetch()
            .withf(move |asked| *asked == CredentialRequest { force, ..request() })
            .times(1)
            .in_sequence(&mut order)
            .returning(move |_| Ok(credential(token)));
    }
    let cache = CredentialCache::new(Arc::new(source), request(), &runtime);
    let first = spawn.run(cache.get()).unwrap();
    assert_eq!(first.token.expose(), "first");
    assert_eq!(spawn.run(cache.get()).unwrap().generation(), first.generation());
    cache.invalidate(first.generation());
    assert_eq!(spawn.run(cache.get()).unwrap().token.expose(), "second");
}

#[test]
fn the_error_of_a_silent_source_names_the_endpoint() {
    let time = FakeTime::new();
    let spawn = FakeSpawn::new(&time);
    let source = ScriptedOrigin::new(&time, vec![Reply::silence()]);
    let cache = CredentialCache::new(Arc::new(source), request(), &fake_runtime(&time, None));
    let error = spawn.run(cache.get()).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("projects/p/branches/b/endpoints/e"), "{text}");
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}

#[test]
fn the_source_s_own_error_reaches_the_caller_untouched() {
    let time = FakeTime::new();
    let error = Error::new(ErrorKind::NotFound, "there is no such endpoint").with_status(404);
    let mut source = MockCredentialSource::new();
    let copy = error.clone();
    source.expect_fetch().times(1).returning(move |_| Err(copy.clone()));
    let cache = CredentialCache::new(Arc::new(source), request(), &fake_runtime(&time, None));
    let got = FakeSpawn::new(&time).run(cache.get()).unwrap_err();
    assert!(got.is_same(&error));
}

/// Mints a child with a token of the cache below, as a workspace does.
#[derive(Debug)]
struct Child {
    parent: Cache<DatabaseCredential>,
    mint: ScriptedOrigin,
    /// How much life the parents had left.
    lives: Arc<std::sync::Mutex<Vec<Duration>>>,
    time: FakeTime,
}

#[async_trait]
impl Origin<DatabaseCredential> for Child {
    async fn fetch(&self, demand: Demand) -> Result<DatabaseCredential> {
        let parent = self.parent.get_for(demand).await?;
        let left = parent.expires_at.saturating_since(self.time.real());
        self.lives.lock().unwrap().push(left);
        Origin::fetch(&self.mint, Demand::default()).await
    }
}

#[test]
fn a_child_is_never_minted_from_a_parent_that_may_die_in_flight_and_force_passes_down() {
    let time = FakeTime::new();
    let spawn = FakeSpawn::new(&time);
    let tracked = TrackedSpawn::new(Arc::new(spawn.clone()));
    let runtime = fake_runtime(&time, Some(Arc::new(tracked)));
    let below = ScriptedOrigin::new(&time, vec![Reply::token(HOUR)]);
    let policy = Policy::default().scatter(false);
    let parent = Cache::with_policy(Arc::new(below.clone()), &runtime, policy);
    // The parent is older than the child, so that it would end inside the child's window.
    spawn.run(parent.get()).unwrap();
    let lives = Arc::default();
    let mint = ScriptedOrigin::new(&time, vec![Reply::token(Duration::from_secs(100))]);
    let child = Child { parent, mint, lives: Arc::clone(&lives), time: time.clone() };
    let child = Cache::with_policy(Arc::new(child), &runtime, policy);
    for _ in 0..8000 {
        let held = spawn.run(child.get()).unwrap();
        assert!(time.real() < held.expires_at);
        spawn.pass(Duration::from_secs(1));
    }
    let lives: Vec<Duration> = lives.lock().unwrap().clone();
    assert!(lives.len() > 70, "{} children", lives.len());
    assert!(lives.iter().all(|left| *left >= Duration::from_secs(30)), "{lives:?}");
    assert_eq!(below.calls(), 3);

    child.invalidate(child.peek().unwrap().generation());
    spawn.run(child.get()).unwrap();
    assert_eq!((below.calls(), below.forced()), (4, 1));
}
