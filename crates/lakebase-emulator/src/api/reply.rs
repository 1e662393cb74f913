//! The context of an operation, its answer, and the delivery of the answer.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::fault::Body;
use crate::random;
use crate::state::State;
use crate::time::{epoch_seconds, later, rfc3339};
use crate::token::TokenFor;

/// An answer and how it is to be delivered.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    /// Real time to wait before anything is sent.
    pub(crate) delay: Duration,
    pub(crate) ending: Ending,
    /// Entry in the request log, where there is one.
    pub(crate) sequence: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// All of it arrives.
    Complete,
    /// The connection ends in the middle of the body.
    Cut,
    /// The connection ends before the first byte.
    Drop,
}

/// The answer of an operation before faults and headers are applied.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) json: Value,
    /// Where it redirects to.
    pub(crate) location: Option<String>,
}

impl Reply {
    pub(crate) fn empty(status: u16) -> Self {
        Self { status, json: Value::Null, location: None }
    }

    pub(crate) fn ok(json: Value) -> Self {
        Self { json, ..Self::empty(200) }
    }

    /// An error in the API's own form.
    pub(crate) fn error(status: u16, code: &str, message: impl Into<String>) -> Self {
        let json = json!({"error_code": code, "message": message.into(), "details": []});
        Self { json, ..Self::empty(status) }
    }

    pub(crate) fn not_found(what: &str) -> Self {
        let trace = random::hex::<8>();
        Self::error(404, "NOT_FOUND", format!("{what} id not found [TraceId: {trace}]"))
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::error(400, "INVALID_PARAMETER_VALUE", message)
    }
}

/// Time and deviations for one request.
pub(crate) struct Context {
    /// By the emulated clock.
    pub(crate) now: SystemTime,
    /// How far the service's own clock is off.
    pub(crate) skew: i64,
    pub(crate) lifetime: Option<Duration>,
    pub(crate) expired: bool,
    pub(crate) same_token: bool,
}

impl Context {
    /// `time` as the service's skewed clock would name it.
    pub(crate) fn skewed(&self, time: SystemTime) -> SystemTime {
        let by = Duration::from_secs(self.skew.unsigned_abs());
        if self.skew < 0 { time.checked_sub(by).unwrap_or(UNIX_EPOCH) } else { later(time, by) }
    }
}

/// When a token service issues a token, and the token's lifetime.
#[derive(Clone, Copy)]
pub(super) struct Issuance {
    pub(super) now: SystemTime,
    pub(super) lifetime: Duration,
}

impl Issuance {
    pub(super) fn issue(self, state: &mut State, what: TokenFor, audience: &str) -> String {
        state.issue(what, audience, self.now, self.lifetime)
    }

    pub(super) fn expires_on(self) -> u64 {
        epoch_seconds(later(self.now, self.lifetime))
    }

    pub(super) fn expire_time(self) -> String {
        rfc3339(later(self.now, self.lifetime))
    }
}

/// An error in the form of OAuth (RFC 6749 §5.2).
pub(super) fn refuse(status: u16, error: &str, description: &str) -> Reply {
    let json = json!({"error": error, "error_description": description});
    Reply { json, ..Reply::empty(status) }
}

pub(super) fn finish(status: u16, body: Vec<u8>) -> Response {
    Response {
        status,
        headers: vec![("content-type", "application/json".to_owned())],
        body,
        delay: Duration::ZERO,
        ending: Ending::Complete,
        sequence: None,
    }
}

/// A body in one of the forms in which errors and answers are delivered.
pub(super) fn render(text: String, form: Body) -> (Vec<u8>, &'static str, Ending) {
    match form {
        Body::Json => (text.into_bytes(), "application/json", Ending::Complete),
        Body::Html => {
            let page = "<!doctype html><html><head><title>Error</title></head><body>Simulated</body></html>";
            (page.as_bytes().to_vec(), "text/html; charset=utf-8", Ending::Complete)
        }
        Body::Truncated => {
            let half = text.as_bytes().get(..text.len() / 2).unwrap_or_default();
            (half.to_vec(), "application/json", Ending::Complete)
        }
        Body::Cut => (text.into_bytes(), "application/json", Ending::Cut),
        Body::Empty => (Vec::new(), "application/json", Ending::Complete),
        Body::Text => {
            let json: Value = serde_json::from_str(&text).unwrap_or_default();
            let field = |name: &str| json.get(name).and_then(Value::as_str).unwrap_or("UNKNOWN");
            let line = format!("{}: {}", field("error_code"), field("message"));
            (line.into_bytes(), "text/plain", Ending::Complete)
        }
    }
}
