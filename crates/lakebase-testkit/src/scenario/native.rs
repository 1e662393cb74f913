//! Cases on [`Cache`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::{Either, select};
use lakebase_core::refresh::{Cache, Demand, Generation, KeepFresh, Policy, Status};
use lakebase_core::{BoxFuture, DatabaseCredential, Spawn, Timer};

use super::data::{Case, Platform, ScenarioError};
use super::play::{play_on, replies};
use super::subject::{Got, Subject};
use crate::idle::TrackedSpawn;
use crate::{FakeTime, Reply, ScriptedOrigin, fake_runtime, lock};

/// Plays `case` on [`Cache`] with tasks that `spawn` runs. Await it on the same runtime; no real time needs to pass.
///
/// # Errors
///
/// Says which step of the case did not go as the file says, or that the case holds elsewhere only.
pub async fn play(case: &Case, spawn: Arc<dyn Spawn>) -> Result<(), ScenarioError> {
    if !case.holds_on(Platform::Native) {
        return Err(format!("case {:?} does not hold here", case.name));
    }
    let (time, spawn) = (FakeTime::new(), TrackedSpawn::new(spawn));
    let subject = Native::new(case, &time, &spawn)?;
    play_on(&subject, case, &time, &spawn).await
}

struct Native {
    time: FakeTime,
    origin: ScriptedOrigin,
    cache: Cache<DatabaseCredential>,
    generations: Arc<Mutex<BTreeMap<String, Generation>>>,
    _keep_fresh: Option<KeepFresh>,
}

impl Native {
    fn new(case: &Case, time: &FakeTime, spawn: &TrackedSpawn) -> Result<Self, ScenarioError> {
        let origin = ScriptedOrigin::new(time, replies(&case.origin)?);
        let shared: Arc<dyn Spawn> = Arc::new(spawn.clone());
        let runtime = fake_runtime(time, case.spawner.then_some(shared));
        let policy = Policy::default().seed(7).scatter(false);
        let cache = Cache::with_policy(Arc::new(origin.clone()), &runtime, policy);
        let keep_fresh = case.keep_fresh.then(|| cache.keep_fresh());
        let (time, generations) = (time.clone(), Arc::default());
        Ok(Self { time, origin, cache, generations, _keep_fresh: keep_fresh })
    }
}

impl Subject for Native {
    fn call(
        &self,
        demand: Demand,
        patience: Option<Duration>,
    ) -> Result<BoxFuture<'static, Got>, ScenarioError> {
        let (cache, time) = (self.cache.clone(), self.time.clone());
        let generations = Arc::clone(&self.generations);
        Ok(Box::pin(async move {
            let answer = Box::pin(cache.get_for(demand));
            let result = match patience {
                Some(patience) => match select(answer, time.sleep(patience)).await {
                    Either::Left((result, _)) => result,
                    Either::Right(_) => return Got::GaveUp,
                },
                None => answer.await,
            };
            let held = match result {
                Ok(held) => held,
                Err(error) => return Got::Error(error),
            };
            let text = held.token.expose().to_owned();
            let mut known = lock(&generations);
            known.insert(text.clone(), held.generation());
            Got::Token { text, accepted_until: held.expires_at }
        }))
    }

    fn refuse(&self, token: &str) -> Result<(), ScenarioError> {
        let known = lock(&self.generations);
        let generation = known.get(token).copied();
        drop(known);
        self.cache.invalidate(generation.ok_or("nobody got this token yet")?);
        Ok(())
    }

    fn status(&self) -> Status {
        self.cache.status()
    }

    fn follow(&self, replies: Vec<Reply>) {
        self.origin.follow(replies);
    }

    fn calls(&self) -> usize {
        self.origin.calls()
    }

    fn forced(&self) -> usize {
        self.origin.forced()
    }

    fn overlap(&self) -> Result<(), ScenarioError> {
        match self.origin.most_at_once() {
            0 | 1 => Ok(()),
            most => Err(format!("{most} calls of the service at once")),
        }
    }
}
