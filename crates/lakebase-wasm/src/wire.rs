//! Requests and replies as plain data, and what replies mean.
//!
//! Paths, fields and error bodies as in the public REST reference of the `postgres` service and Databricks' SDK
//! for Python 0.162. `lakebase_workspace::wire` does the same with more detail on types that are too large for
//! an edge function.

use std::fmt;
use std::time::Duration;

use lakebase_core::{BoxFuture, Error, ErrorKind, MaybeSend, MaybeSync, Result, Secret, Timestamp};

use crate::Host;
use crate::json::Value;

/// A wait that a reply demands is honoured up to this long.
const MAX_RETRY_AFTER: u64 = 3600;

/// One request; replies are always JSON.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Absolute.
    pub url: String,
    /// The whole `Authorization` header.
    pub authorization: Secret,
    /// `X-Databricks-Workspace-Id`.
    pub workspace_id: Option<std::sync::Arc<str>>,
    /// The type of the body.
    pub content_type: &'static str,
    /// The body; empty for none.
    pub body: String,
}

/// One reply, with the headers that are used.
#[derive(Clone, Default)]
pub struct Reply {
    /// The status; that of a redirect if the platform hides it.
    pub status: u16,
    /// `Date`.
    pub date: Option<String>,
    /// `Retry-After`.
    pub retry_after: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Sends requests: one request, one reply, no retries, **no redirects followed**, no time-out; dropping the future
/// aborts the request. Errors are [`ErrorKind::Unavailable`], name the host, and quote no header and no body.
pub trait Fetch: fmt::Debug + MaybeSend + MaybeSync {
    /// Sends `request` and reads the whole reply, of up to 4 MiB.
    fn fetch(&self, request: Request) -> BoxFuture<'static, Result<Reply>>;
}

/// HTTP Basic for OAuth: id and secret are form-encoded first, as RFC 6749 §2.3.1 demands.
pub(crate) fn basic(client_id: &str, client_secret: &Secret) -> Secret {
    let mut pair = String::new();
    percent_encode(&mut pair, client_id);
    pair.push(':');
    percent_encode(&mut pair, client_secret.expose());
    let mut header = String::from("Basic ");
    base64(&mut header, pair.as_bytes());
    Secret::new(header)
}

fn base64(out: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for chunk in bytes.chunks(3) {
        let bits =
            (0..3).fold(0, |bits, i| (bits << 8) | usize::from(chunk.get(i).copied().unwrap_or(0)));
        for place in 0..4 {
            let digit = DIGITS.get((bits >> (18 - 6 * place)) & 63).copied().unwrap_or(b'=');
            out.push(char::from(if place > chunk.len() { b'=' } else { digit }));
        }
    }
}

/// Appends `text` with everything but the unreserved characters of RFC 3986 encoded.
pub(crate) fn percent_encode(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let digit =
                |four: u8| char::from(if four < 10 { b'0' + four } else { b'A' + four - 10 });
            out.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

/// The JSON object that a successful reply holds, else the error that the reply is.
pub(crate) fn read(host: &Host, reply: &Reply, wall: Timestamp, secrets: &[&str]) -> Result<Value> {
    let body = std::str::from_utf8(&reply.body).unwrap_or_default();
    let value = Value::parse(body);
    if (200..300).contains(&reply.status) {
        return match value {
            Some(value @ Value::Object(_)) => Ok(value),
            _ => Err(protocol(
                host,
                "answered with something else than a JSON object; is it a workspace?",
            )),
        };
    }
    let status = reply.status;
    if (300..400).contains(&status) {
        let text = "answered with a redirect, which is not followed; is it a workspace?";
        return Err(protocol(host, text).with_status(status));
    }
    let said = value.as_ref();
    let field = |names: &[&str]| names.iter().find_map(|name| said?.text(name));
    let code =
        field(&["error_code", "errorCode", "scimType", "error"]).filter(|code| is_code(code));
    let message = field(&["message", "error_description", "errorSummary", "detail"]);
    let mut line = format!("{host} answered {status}");
    if let Some(code) = code {
        line.push(' ');
        line.push_str(&clean(code, secrets));
    }
    if let Some(message) = message {
        line.push_str(": ");
        line.push_str(&clean(message, secrets));
    }
    let mut error = Error::new(kind(status, code), line).with_status(status);
    if let Some(delay) = retry_after(reply, wall) {
        error = error.with_retry_after(delay);
    }
    Err(error)
}

pub(crate) fn protocol(host: &Host, problem: &str) -> Error {
    Error::new(ErrorKind::Protocol, [host.as_str(), " ", problem].concat())
}

fn is_code(code: &str) -> bool {
    code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
}

fn kind(status: u16, code: Option<&str>) -> ErrorKind {
    match (status, code.unwrap_or_default()) {
        (401, _) | (400.., "invalid_client" | "unauthorized_client" | "invalid_grant") => {
            ErrorKind::Unauthenticated
        }
        (429, _) | (400.., "REQUEST_LIMIT_EXCEEDED" | "RESOURCE_EXHAUSTED") => ErrorKind::Throttled,
        (404, _) | (400.., "RESOURCE_DOES_NOT_EXIST") => ErrorKind::NotFound,
        (403, _) | (400.., "access_denied") => ErrorKind::PermissionDenied,
        (408 | 425 | 499 | 500 | 502.., _) | (400.., "TEMPORARILY_UNAVAILABLE" | "ABORTED") => {
            ErrorKind::Unavailable
        }
        (400.., _) => ErrorKind::InvalidRequest,
        _ => ErrorKind::Protocol,
    }
}

/// The service's message on one line: cut, and without anything that looks like a secret.
fn clean(text: &str, secrets: &[&str]) -> String {
    let secret = |word: &str| {
        secrets.iter().any(|secret| secret.len() >= 4 && holds(word, secret))
            || ["eyJ", "dapi", "dose", "dkea"].iter().any(|prefix| holds(word, prefix))
            || (word.len() > 80 && !word.contains('/'))
    };
    if secrets.iter().any(|secret| secret.contains(char::is_whitespace) && holds(text, secret)) {
        return "[redacted]".to_owned();
    }
    let mut line = String::new();
    for word in
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty())
    {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(if secret(word) { "[redacted]" } else { word });
    }
    match line.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}

/// `contains`, without the large general search.
fn holds(text: &str, part: &str) -> bool {
    text.as_bytes().windows(part.len().max(1)).any(|window| window == part.as_bytes())
}

/// Seconds, or a date relative to the reply's `Date` (else to `wall`).
fn retry_after(reply: &Reply, wall: Timestamp) -> Option<Duration> {
    let text = reply.retry_after.as_deref()?.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        let seconds = text.parse().unwrap_or(MAX_RETRY_AFTER).min(MAX_RETRY_AFTER);
        return Some(Duration::from_secs(seconds));
    }
    let delay = Timestamp::from_http_date(text)?.saturating_since(served_at(reply).unwrap_or(wall));
    Some(delay.min(Duration::from_secs(MAX_RETRY_AFTER)))
}

/// The service's clock when it answered.
pub(crate) fn served_at(reply: &Reply) -> Option<Timestamp> {
    Timestamp::from_http_date(reply.date.as_deref()?)
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
