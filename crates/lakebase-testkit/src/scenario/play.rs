//! Plays a case.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::{Either, select};
use lakebase_core::refresh::{Cache, Demand, Generation, KeepFresh, Policy, Status};
use lakebase_core::{Clock, DatabaseCredential, Error, Spawn, Timer};

use super::data::{Case, Line, ScenarioError, Step};
use crate::idle::TrackedSpawn;
use crate::{FakeTime, Reply, ScriptedOrigin, fake_runtime};

/// Plays `case` with tasks that `spawn` runs. Await it on the same runtime; no real time needs to pass.
///
/// # Errors
///
/// Says which step of the case did not go as the file says.
pub async fn play(case: &Case, spawn: Arc<dyn Spawn>) -> Result<(), ScenarioError> {
    let mut stage = Stage::new(case, spawn)?;
    for (place, step) in case.steps.iter().enumerate() {
        stage.perform(step).await.map_err(|error| {
            format!("case {:?}, step {} ({step:?}): {error}", case.name, place + 1)
        })?;
    }
    let most = stage.origin.most_at_once();
    if most > 1 {
        return Err(format!("case {:?}: {most} calls of the service at once", case.name));
    }
    Ok(())
}

/// What a caller got.
enum Got {
    Token { text: String, generation: Generation, accepted: bool },
    Error(Error),
    GaveUp,
}

struct Stage {
    time: FakeTime,
    spawn: TrackedSpawn,
    origin: ScriptedOrigin,
    cache: Cache<DatabaseCredential>,
    got: Arc<Mutex<Vec<(String, Got)>>>,
    generations: BTreeMap<String, Generation>,
    _keep_fresh: Option<KeepFresh<DatabaseCredential>>,
}

fn replies(lines: &[Line]) -> Result<Vec<Reply>, ScenarioError> {
    lines.iter().map(Line::reply).collect()
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, is: T, should: T) -> Result<(), ScenarioError> {
    if is == should { Ok(()) } else { Err(format!("{what}: is {is:?}, should be {should:?}")) }
}

impl Stage {
    fn new(case: &Case, spawn: Arc<dyn Spawn>) -> Result<Self, ScenarioError> {
        let time = FakeTime::new();
        let spawn = TrackedSpawn::new(spawn);
        let origin = ScriptedOrigin::new(&time, replies(&case.origin)?);
        let shared: Arc<dyn Spawn> = Arc::new(spawn.clone());
        let runtime = fake_runtime(&time, case.spawner.then_some(shared));
        let policy = Policy::builder().seed(7).build().map_err(|error| error.report())?;
        let cache = Cache::with_policy(Arc::new(origin.clone()), &runtime, policy);
        let keep_fresh = case.keep_fresh.then(|| cache.keep_fresh());
        let (got, generations) = Default::default();
        Ok(Self { time, spawn, origin, cache, got, generations, _keep_fresh: keep_fresh })
    }

    async fn perform(&mut self, step: &Step) -> Result<(), ScenarioError> {
        match step {
            Step::Callers { id, count, patience_ms, at_least_s } => {
                let at_least = Duration::from_secs(*at_least_s);
                let patience = patience_ms.map(Duration::from_millis);
                for _ in 0..*count {
                    self.call(id, Demand { at_least, ..Demand::default() }, patience);
                }
                self.spawn.calm().await;
            }
            Step::Expect { id, ok, gave_up, token, errors, kind } => {
                return self.expect(id, (*ok, *gave_up, *errors), token.as_ref(), kind.as_ref());
            }
            Step::EachSecond { for_s, ok } => {
                self.take("each second");
                for _ in 0..*for_s {
                    self.call("each second", Demand::default(), None);
                    self.advance(Duration::from_secs(1)).await;
                }
                let got = self.take("each second");
                same("callers that were answered", got.len(), *for_s)?;
                let tokens = got.iter().filter(|got| matches!(got, Got::Token { .. })).count();
                same("callers that got a token", tokens, *ok)?;
                return self.check(&got);
            }
            Step::AdvanceMs(millis) => self.advance(Duration::from_millis(*millis)).await,
            Step::AdvanceS(secs) => self.advance(Duration::from_secs(*secs)).await,
            Step::SuspendS(secs) => self.time.suspend(Duration::from_secs(*secs)),
            Step::StepWallS(secs) => self.time.step_wall(secs * 1000),
            Step::Refuse(token) => {
                let generation = self.generations.get(token).ok_or("nobody got this token yet")?;
                self.cache.invalidate(*generation);
                self.spawn.calm().await;
            }
            Step::Origin(lines) => self.origin.follow(replies(lines)?),
            Step::Mints(count) => return same("calls", self.origin.calls(), *count),
            Step::MintsAtMost(most) => {
                let calls = self.origin.calls();
                return if calls <= *most { Ok(()) } else { Err(format!("{calls} calls")) };
            }
            Step::Forced(count) => return same("forced calls", self.origin.forced(), *count),
            Step::Status(name) => {
                let is = match self.cache.status() {
                    Status::Empty => "empty",
                    Status::Fresh { .. } => "fresh",
                    Status::Degraded { .. } => "degraded",
                    Status::Dead { .. } => "dead",
                    _ => "new",
                };
                return same("status", is, name);
            }
            Step::GoodForS(secs) => {
                let (Status::Fresh { good_until } | Status::Degraded { good_until, .. }) =
                    self.cache.status()
                else {
                    return Err("there is no living value".to_owned());
                };
                let left = good_until.saturating_since(self.time.wall());
                return same("seconds", left.as_secs(), *secs);
            }
        }
        Ok(())
    }

    /// Starts one caller.
    fn call(&self, id: &str, demand: Demand, patience: Option<Duration>) {
        let (cache, time, got) = (self.cache.clone(), self.time.clone(), Arc::clone(&self.got));
        let id = id.to_owned();
        self.spawn.spawn(Box::pin(async move {
            let answer = Box::pin(cache.get_for(demand));
            let result = match patience {
                Some(patience) => match select(answer, time.sleep(patience)).await {
                    Either::Left((result, _)) => Some(result),
                    Either::Right(_) => None,
                },
                None => Some(answer.await),
            };
            let outcome = match result {
                Some(Ok(held)) => Got::Token {
                    text: held.token.expose().to_owned(),
                    generation: held.generation(),
                    accepted: time.real() < held.expires_at,
                },
                Some(Err(error)) => Got::Error(error),
                None => Got::GaveUp,
            };
            got.lock().unwrap_or_else(PoisonError::into_inner).push((id, outcome));
        }));
    }

    /// Lets time pass, stopping at every sleeper on the way until all tasks wait again.
    async fn advance(&self, duration: Duration) {
        let mut left = duration;
        loop {
            self.spawn.calm().await;
            match self.time.next().filter(|step| *step <= left) {
                Some(step) => {
                    self.time.advance(step);
                    left -= step;
                }
                None => break,
            }
        }
        self.time.advance(left);
        self.spawn.calm().await;
    }

    /// What the callers of that name got.
    fn take(&mut self, id: &str) -> Vec<Got> {
        let mut all = self.got.lock().unwrap_or_else(PoisonError::into_inner);
        let (taken, rest) = std::mem::take(&mut *all).into_iter().partition(|(of, _)| of == id);
        *all = rest;
        drop(all);
        let taken: Vec<(String, Got)> = taken;
        for (_, got) in &taken {
            if let Got::Token { text, generation, .. } = got {
                self.generations.insert(text.clone(), *generation);
            }
        }
        taken.into_iter().map(|(_, got)| got).collect()
    }

    /// What must hold for every caller.
    fn check(&self, got: &[Got]) -> Result<(), ScenarioError> {
        let dead = got.iter().filter(|got| matches!(got, Got::Token { accepted: false, .. }));
        same("dead tokens handed out", dead.count(), 0)
    }

    fn expect(
        &mut self,
        id: &str,
        counts: (usize, usize, usize),
        token: Option<&String>,
        kind: Option<&String>,
    ) -> Result<(), ScenarioError> {
        let got = self.take(id);
        self.check(&got)?;
        let mut tokens = Vec::new();
        let mut errors = Vec::new();
        for got in &got {
            match got {
                Got::Token { text, .. } => tokens.push(text),
                Got::Error(error) => errors.push(error),
                Got::GaveUp => {}
            }
        }
        let gave_up = got.len() - tokens.len() - errors.len();
        let is = (tokens.len(), gave_up, errors.len());
        same("callers with a token, that gave up, with an error", is, counts)?;
        if let Some(token) = token {
            same("tokens", tokens.iter().find(|text| **text != token), None)?;
        }
        if let Some(first) = errors.first() {
            same("errors that differ", errors.iter().filter(|it| !it.is_same(first)).count(), 0)?;
            if let Some(kind) = kind {
                same("kind of error", first.kind().as_str(), kind)?;
            }
        }
        Ok(())
    }
}
