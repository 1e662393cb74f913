//! The shape of a scenario file.

use std::time::Duration;

use lakebase_core::{Error, ErrorKind};
use serde::Deserialize;

use crate::{Answer, Reply};

/// One case.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it shows, as a sentence.
    pub name: String,
    /// Where it holds, if not everywhere.
    #[serde(default)]
    pub only: Option<Only>,
    /// Whether the runtime has a spawner, or at the edge `waitUntil`; else the callers that wait do the work.
    #[serde(default = "yes")]
    pub spawner: bool,
    /// Whether the background task is started.
    #[serde(default)]
    pub keep_fresh: bool,
    /// How the service answers, call after call; the last answer repeats.
    pub origin: Vec<Line>,
    /// What happens, in this order.
    pub steps: Vec<Step>,
}

/// The one platform on which a case holds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Only {
    /// Where.
    pub platform: Platform,
    /// Why not elsewhere, as a sentence.
    pub because: String,
}

/// What cases are played on.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Platform {
    /// [`lakebase_core::refresh::Cache`], on any executor.
    Native,
    /// The cache of `lakebase-wasm`, whose requests share data only.
    Edge,
}

/// One answer of the service.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// How long it takes.
    #[serde(default)]
    pub after_ms: u64,
    /// What it brings.
    pub answer: Outcome,
}

/// What an answer brings.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// A new token that lives for so many seconds.
    Token(u64),
    /// The same, without the service's time.
    Undated(u64),
    /// The last token again.
    Same,
    /// Nothing, ever.
    Silence,
    /// An error.
    Error {
        /// [`ErrorKind::as_str`].
        kind: String,
        /// The HTTP status, if the service answered.
        #[serde(default)]
        status: Option<u16>,
        /// What the service asked for.
        #[serde(default)]
        retry_after_s: Option<u64>,
    },
}

/// One thing that happens, or is checked.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// Callers ask at the same time, under a common name.
    Callers {
        /// For [`Expect`](Self::Expect).
        id: String,
        /// How many.
        #[serde(default = "one")]
        count: usize,
        /// When they give up.
        #[serde(default)]
        patience_ms: Option<u64>,
        /// How much life they need.
        #[serde(default)]
        at_least_s: u64,
    },
    /// What the callers of that name got so far.
    Expect {
        /// Whose.
        id: String,
        /// How many got a token.
        #[serde(default)]
        ok: usize,
        /// How many gave up.
        #[serde(default)]
        gave_up: usize,
        /// The one token that all of them got.
        #[serde(default)]
        token: Option<String>,
        /// How many got an error; all the very same one.
        #[serde(default)]
        errors: usize,
        /// Of which kind.
        #[serde(default)]
        kind: Option<String>,
    },
    /// One caller per second, so many of whom get a token and the others an error at once.
    EachSecond {
        /// For how long.
        for_s: usize,
        /// How many of the callers get a token.
        ok: usize,
    },
    /// Time passes.
    AdvanceMs(u64),
    /// Time passes.
    AdvanceS(u64),
    /// Time passes while the machine is suspended.
    SuspendS(u64),
    /// The local wall clock is set.
    StepWallS(i64),
    /// A login with this token is refused.
    Refuse(String),
    /// The service answers like this from now on.
    Origin(Vec<Line>),
    /// How often the service was called so far.
    Mints(usize),
    /// A bound on that.
    MintsAtMost(usize),
    /// How many of the calls were forced.
    Forced(usize),
    /// What `status()` says: `empty`, `fresh`, `degraded` or `dead`.
    Status(String),
    /// For how many seconds `status()` says that the value is good.
    GoodForS(u64),
}

/// Why a scenario file or a case failed.
pub type ScenarioError = String;

fn yes() -> bool {
    true
}

fn one() -> usize {
    1
}

/// The cases of `scenarios/refresh.json`, also those that hold on one [`Platform`] only.
///
/// # Errors
///
/// If the file does not have the shape of this module.
pub fn all_refresh_cases() -> Result<Vec<Case>, ScenarioError> {
    serde_json::from_str(include_str!("../../scenarios/refresh.json"))
        .map_err(|error| format!("scenarios/refresh.json: {error}"))
}

/// Those that hold on `platform`.
///
/// # Errors
///
/// If the file does not have the shape of this module.
pub fn refresh_cases(platform: Platform) -> Result<Vec<Case>, ScenarioError> {
    let mut cases = all_refresh_cases()?;
    cases.retain(|case| case.holds_on(platform));
    Ok(cases)
}

impl Case {
    /// Whether it is to be played on `platform`.
    #[must_use]
    pub fn holds_on(&self, platform: Platform) -> bool {
        self.only.as_ref().is_none_or(|only| only.platform == platform)
    }
}

impl Line {
    /// The same for a [`ScriptedOrigin`](crate::ScriptedOrigin).
    ///
    /// # Errors
    ///
    /// If it names a kind of error that no service causes.
    pub fn reply(&self) -> Result<Reply, ScenarioError> {
        let answer = match &self.answer {
            Outcome::Token(life) => Answer::Token { life: Duration::from_secs(*life), dated: true },
            Outcome::Undated(life) => {
                Answer::Token { life: Duration::from_secs(*life), dated: false }
            }
            Outcome::Same => Answer::Same,
            Outcome::Silence => Answer::Silence,
            Outcome::Error { kind, status, retry_after_s } => {
                let mut error = Error::new(error_kind(kind)?, format!("scripted: {kind}"));
                if let Some(status) = status {
                    error = error.with_status(*status);
                }
                if let Some(secs) = retry_after_s {
                    error = error.with_retry_after(Duration::from_secs(*secs));
                }
                Answer::Failure(error)
            }
        };
        Ok(Reply { delay: Duration::from_millis(self.after_ms), answer })
    }
}

fn error_kind(name: &str) -> Result<ErrorKind, ScenarioError> {
    [
        ErrorKind::InvalidRequest,
        ErrorKind::NotFound,
        ErrorKind::PermissionDenied,
        ErrorKind::Protocol,
        ErrorKind::Throttled,
        ErrorKind::TimedOut,
        ErrorKind::Unauthenticated,
        ErrorKind::Unavailable,
    ]
    .into_iter()
    .find(|kind| kind.as_str() == name)
    .ok_or_else(|| format!("{name:?} is no kind of error that a service causes"))
}
