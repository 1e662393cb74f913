//! Plays a case on any subject.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use lakebase_core::refresh::{Demand, Status};
use lakebase_core::{Clock, Spawn, Timestamp};

use super::data::{Case, Line, ScenarioError, Step};
use super::subject::{Got, Subject};
use crate::idle::TrackedSpawn;
use crate::{FakeTime, Reply, lock};

/// Plays `case` on `subject`, whose clocks and timers are `time` and whose tasks, like the callers', `spawn` runs.
///
/// # Errors
///
/// Says which step of the case did not go as the file says.
pub async fn play_on<S: Subject>(
    subject: &S,
    case: &Case,
    time: &FakeTime,
    spawn: &TrackedSpawn,
) -> Result<(), ScenarioError> {
    let stage = Stage { subject, time, spawn, got: Arc::default() };
    for (place, step) in case.steps.iter().enumerate() {
        stage.perform(step).await.map_err(|error| {
            format!("case {:?}, step {} ({step:?}): {error}", case.name, place + 1)
        })?;
    }
    subject.overlap().map_err(|error| format!("case {:?}: {error}", case.name))
}

/// Who asked, what it got, and what time it was for the service.
type Received = (String, Got, Timestamp);

struct Stage<'a, S> {
    subject: &'a S,
    time: &'a FakeTime,
    spawn: &'a TrackedSpawn,
    got: Arc<Mutex<Vec<Received>>>,
}

pub(super) fn replies(lines: &[Line]) -> Result<Vec<Reply>, ScenarioError> {
    lines.iter().map(Line::reply).collect()
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, is: T, should: T) -> Result<(), ScenarioError> {
    if is == should { Ok(()) } else { Err(format!("{what}: is {is:?}, should be {should:?}")) }
}

impl<S: Subject> Stage<'_, S> {
    async fn perform(&self, step: &Step) -> Result<(), ScenarioError> {
        match step {
            Step::Callers { id, count, patience_ms, at_least_s } => {
                let at_least = Duration::from_secs(*at_least_s);
                let patience = patience_ms.map(Duration::from_millis);
                for _ in 0..*count {
                    self.call(id, Demand { at_least, ..Demand::default() }, patience)?;
                }
                self.spawn.calm().await;
            }
            Step::Expect { id, ok, gave_up, token, errors, kind } => {
                return self.expect(id, (*ok, *gave_up, *errors), token.as_ref(), kind.as_ref());
            }
            Step::EachSecond { for_s, ok } => {
                self.take("each second");
                for _ in 0..*for_s {
                    self.call("each second", Demand::default(), None)?;
                    self.advance(Duration::from_secs(1)).await;
                }
                let got = self.take("each second");
                same("callers that were answered", got.len(), *for_s)?;
                let tokens = got.iter().filter(|(got, _)| matches!(got, Got::Token { .. })).count();
                same("callers that got a token", tokens, *ok)?;
                return check(&got);
            }
            Step::AdvanceMs(millis) => self.advance(Duration::from_millis(*millis)).await,
            Step::AdvanceS(secs) => self.advance(Duration::from_secs(*secs)).await,
            Step::SuspendS(secs) => self.time.suspend(Duration::from_secs(*secs)),
            Step::StepWallS(secs) => self.time.step_wall(secs * 1000),
            Step::Refuse(token) => {
                self.subject.refuse(token)?;
                self.spawn.calm().await;
            }
            Step::Origin(lines) => self.subject.follow(replies(lines)?),
            Step::Mints(count) => return same("calls", self.subject.calls(), *count),
            Step::MintsAtMost(most) => {
                let calls = self.subject.calls();
                return if calls <= *most { Ok(()) } else { Err(format!("{calls} calls")) };
            }
            Step::Forced(count) => return same("forced calls", self.subject.forced(), *count),
            Step::Status(name) => {
                let is = match self.subject.status() {
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
                    self.subject.status()
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
    fn call(
        &self,
        id: &str,
        demand: Demand,
        patience: Option<Duration>,
    ) -> Result<(), ScenarioError> {
        let caller = self.subject.call(demand, patience)?;
        let (time, got, id) = (self.time.clone(), Arc::clone(&self.got), id.to_owned());
        self.spawn.spawn(Box::pin(async move {
            let outcome = caller.await;
            let mut got = lock(&got);
            got.push((id, outcome, time.real()));
        }));
        Ok(())
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

    /// What the callers of that name got, and when.
    fn take(&self, id: &str) -> Vec<(Got, Timestamp)> {
        let mut all = lock(&self.got);
        let (taken, rest) = std::mem::take(&mut *all).into_iter().partition(|(of, ..)| of == id);
        *all = rest;
        drop(all);
        let taken: Vec<Received> = taken;
        taken.into_iter().map(|(_, got, at)| (got, at)).collect()
    }

    fn expect(
        &self,
        id: &str,
        counts: (usize, usize, usize),
        token: Option<&String>,
        kind: Option<&String>,
    ) -> Result<(), ScenarioError> {
        let got = self.take(id);
        check(&got)?;
        let mut tokens = Vec::new();
        let mut errors = Vec::new();
        for (got, _) in &got {
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

/// What must hold for every caller.
fn check(got: &[(Got, Timestamp)]) -> Result<(), ScenarioError> {
    let dead = |(got, at): &&(Got, Timestamp)| matches!(got, Got::Token { accepted_until, .. } if at >= accepted_until);
    same("dead tokens handed out", got.iter().filter(dead).count(), 0)
}
