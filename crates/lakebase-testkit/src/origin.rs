//! A service that follows a script.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use lakebase_core::refresh::{Demand, Origin};
use lakebase_core::{
    CredentialRequest, CredentialSource, DatabaseCredential, Error, ErrorKind, Result, Secret,
    Timer,
};

use crate::{FakeTime, lock};

/// How a [`ScriptedOrigin`] answers one call.
#[derive(Clone, Debug)]
pub struct Reply {
    /// How long it takes.
    pub delay: Duration,
    /// What it brings.
    pub answer: Answer,
}

/// What an answer brings.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A new token that lives this long by the service's clock, with or without the service's time.
    Token {
        /// From the moment of the answer.
        life: Duration,
        /// Whether the answer says what time it is there.
        dated: bool,
    },
    /// The last token again.
    Same,
    /// This error; a clone for every call, so that callers can compare.
    Failure(Error),
    /// Nothing, ever.
    Silence,
    /// A panic, as a bug in a user's callback would.
    Panic,
}

impl Reply {
    /// A token at once.
    #[must_use]
    pub fn token(life: Duration) -> Self {
        Self { delay: Duration::ZERO, answer: Answer::Token { life, dated: true } }
    }

    /// A failure at once.
    #[must_use]
    pub fn failure(error: Error) -> Self {
        Self { delay: Duration::ZERO, answer: Answer::Failure(error) }
    }

    /// Nothing, ever.
    #[must_use]
    pub fn silence() -> Self {
        Self { delay: Duration::ZERO, answer: Answer::Silence }
    }

    /// The same reply after `delay`.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }
}

/// Answers call after call with the replies of a script; the last one repeats.
///
/// Its tokens are numbered: the first is `token 1`. Clones share everything.
#[derive(Clone, Debug)]
pub struct ScriptedOrigin {
    time: FakeTime,
    script: Arc<Mutex<Script>>,
    busy: Arc<AtomicUsize>,
}

#[derive(Debug, Default)]
struct Script {
    replies: Vec<Reply>,
    next: usize,
    demands: Vec<Demand>,
    last: Option<DatabaseCredential>,
    tokens: usize,
    most_busy: usize,
}

impl ScriptedOrigin {
    /// Answers with `replies`, in that order.
    #[must_use]
    pub fn new(time: &FakeTime, replies: Vec<Reply>) -> Self {
        let script = Script { replies, ..Script::default() };
        Self { time: time.clone(), script: Arc::new(Mutex::new(script)), busy: Arc::default() }
    }

    /// Forgets the rest of the script and goes on with `replies`.
    pub fn follow(&self, replies: Vec<Reply>) {
        self.with(|script| (script.replies, script.next) = (replies, 0));
    }

    /// How often it was called.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.with(|script| script.demands.len())
    }

    /// How often it was called with [`Demand::force`].
    #[must_use]
    pub fn forced(&self) -> usize {
        self.with(|script| script.demands.iter().filter(|demand| demand.force).count())
    }

    /// The largest number of calls that were under way at the same time.
    #[must_use]
    pub fn most_at_once(&self) -> usize {
        self.with(|script| script.most_busy)
    }

    fn with<R>(&self, work: impl FnOnce(&mut Script) -> R) -> R {
        work(&mut lock(&self.script))
    }

    async fn answer(&self, demand: Demand) -> Result<DatabaseCredential> {
        let _busy = Busy::new(&self.busy);
        let reply = self.with(|script| {
            script.demands.push(demand);
            script.most_busy = script.most_busy.max(self.busy.load(Ordering::SeqCst));
            let last = script.replies.len().saturating_sub(1);
            let reply = script.replies.get(script.next.min(last)).cloned();
            script.next += 1;
            reply
        });
        let Some(reply) = reply else {
            return Err(Error::new(ErrorKind::Unsupported, "the script is empty"));
        };
        if !reply.delay.is_zero() {
            self.time.sleep(reply.delay).await;
        }
        match reply.answer {
            Answer::Token { life, dated } => Ok(self.with(|script| {
                script.tokens += 1;
                let now = self.time.real();
                let credential = DatabaseCredential {
                    token: Secret::new(format!("token {}", script.tokens)),
                    expires_at: now.saturating_add(life),
                    served_at: dated.then_some(now),
                };
                script.last = Some(credential.clone());
                credential
            })),
            Answer::Same => self
                .with(|script| script.last.clone())
                .map(|last| DatabaseCredential { served_at: Some(self.time.real()), ..last })
                .ok_or_else(|| Error::new(ErrorKind::Unsupported, "there is no last token")),
            Answer::Failure(error) => Err(error),
            Answer::Silence => std::future::pending().await,
            Answer::Panic => panic!("scripted"),
        }
    }
}

#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
impl Origin<DatabaseCredential> for ScriptedOrigin {
    async fn fetch(&self, demand: Demand) -> Result<DatabaseCredential> {
        self.answer(demand).await
    }

    fn subject(&self) -> String {
        "a scripted token".to_owned()
    }
}

#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
impl CredentialSource for ScriptedOrigin {
    async fn fetch(&self, request: &CredentialRequest) -> Result<DatabaseCredential> {
        self.answer(Demand { force: request.force, ..Demand::default() }).await
    }
}

/// Counts a call for as long as it is under way, also if it is dropped.
struct Busy<'a>(&'a AtomicUsize);

impl<'a> Busy<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
