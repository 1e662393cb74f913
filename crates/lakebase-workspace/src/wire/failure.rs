//! Error replies, in every form of the service, its proxies and OAuth issuers.

use std::fmt::Display;
use std::time::Duration;

use bytes::Bytes;
use http::header::{DATE, LOCATION, RETRY_AFTER};
use http::{HeaderMap, Response};
use lakebase_core::{Error, ErrorKind, Secret, Timestamp};
use serde_json::Value;

use super::redact::clean_with;

/// A longer `Retry-After` counts as this.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// The service's clock when it answered, from the reply's `Date`.
#[must_use]
pub(crate) fn served_at(headers: &HeaderMap) -> Option<Timestamp> {
    Timestamp::from_http_date(headers.get(DATE)?.to_str().ok()?)
}

/// How long the service asks callers to wait: `Retry-After` in seconds, or a date relative to the reply's `Date`
/// (otherwise to `wall`, this machine's clock). At most an hour.
fn retry_after(headers: &HeaderMap, wall: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let delay = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().map_or(MAX_RETRY_AFTER, Duration::from_secs)
    } else {
        Timestamp::from_http_date(text)?.saturating_since(served_at(headers).unwrap_or(wall))
    };
    Some(delay.min(MAX_RETRY_AFTER))
}

/// The error of a reply without success.
///
/// `host` sent the reply. `wall` is this machine's clock, for a `Retry-After` date in a reply without `Date`. `secrets` are
/// those of the request, which a reply might echo. The message has the status, and the error code and message of the
/// body; it quotes nothing else of the body.
#[must_use]
pub fn failure(
    host: &dyn Display,
    reply: &Response<Bytes>,
    wall: Timestamp,
    secrets: &[Secret],
) -> Error {
    let status = reply.status();
    if status.is_redirection() {
        return redirect(host, reply).with_status(status.as_u16());
    }
    let body = ErrorBody::read(reply.body());
    let mut line = format!("{host} answered {}", status.as_u16());
    match body.code.map(|code| clean_with(&code, secrets)).filter(|code| !code.is_empty()) {
        Some(code) => line.push_str(&format!(" {code}")),
        None => {
            let reason = status.canonical_reason();
            line.push_str(&reason.map_or(String::new(), |reason| format!(" {reason}")));
        }
    }
    match body.message.map(|text| clean_with(&text, secrets)).filter(|text| !text.is_empty()) {
        Some(message) => line.push_str(&format!(": {message}")),
        None => line.push_str(body.instead),
    }
    let mut error = Error::new(kind(status.as_u16(), body.refined), line);
    if let Some(delay) = retry_after(reply.headers(), wall) {
        error = error.with_retry_after(delay);
    }
    error.with_status(status.as_u16())
}

fn redirect(host: &dyn Display, reply: &Response<Bytes>) -> Error {
    let location = reply.headers().get(LOCATION).and_then(|location| location.to_str().ok());
    if location.is_some_and(|location| location.contains("error=private-link-validation-error")) {
        return Error::new(
            ErrorKind::PermissionDenied,
            format!(
                "{host} accepts connections through its private link only; connect from its network"
            ),
        );
    }
    Error::new(
        ErrorKind::Protocol,
        format!(
            "{host} answered {} with a redirect, which is not followed; is the address that of a Databricks workspace?",
            reply.status().as_u16()
        ),
    )
}

/// The content of an error body.
#[derive(Debug, Default)]
struct ErrorBody {
    code: Option<String>,
    message: Option<String>,
    /// The text if there is no message.
    instead: &'static str,
    refined: Option<ErrorKind>,
}

impl ErrorBody {
    fn read(body: &[u8]) -> Self {
        let body = body.trim_ascii();
        let mut parts = match serde_json::from_slice(body) {
            _ if body.is_empty() => Self { instead: " (empty body)", ..Self::default() },
            Ok(value @ Value::Object(_)) => Self::json(&value),
            _ if body.starts_with(b"<") => Self { instead: " (HTML body)", ..Self::default() },
            Ok(_) | Err(_) => Self::plain(body),
        };
        parts.refined = parts.code.as_deref().and_then(refine);
        parts
    }

    /// `{error_code, message}`, `{error, error_description}`, `{errorCode, errorSummary}`, `{error}`,
    /// SCIM's `{detail, status, scimType}` and Google's `{error: {status, message}}`.
    fn json(value: &Value) -> Self {
        if let Some(inner @ Value::Object(_)) = value.get("error") {
            let text = |field| inner.get(field)?.as_str().map(str::to_owned);
            let code = text("status").filter(|code| is_code(code));
            return Self { code, message: text("message"), ..Self::default() };
        }
        let get = |names: &[&str]| {
            names.iter().find_map(|name| match value.get(name)? {
                Value::String(text) if !text.is_empty() => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            })
        };
        let mut code = get(&["error_code", "errorCode", "scimType"]);
        let mut message = get(&["message", "error_description", "errorSummary", "detail"]);
        if let Some(error) = get(&["error"]) {
            // OAuth writes a code there, old services of Databricks a sentence.
            if error.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b)) {
                code = code.or(Some(error));
            } else {
                message = message.or(Some(error));
            }
        }
        let code = code.filter(|code| is_code(code));
        Self { code, message, instead: " (no message)", refined: None }
    }

    /// `CODE: message`. Other text is not quoted.
    fn plain(body: &[u8]) -> Self {
        let text = std::str::from_utf8(body).unwrap_or_default();
        let parts = text.split_once(": ").filter(|(code, _)| {
            is_code(code)
                && code.bytes().all(|b| b.is_ascii_uppercase() || b"_0123456789".contains(&b))
        });
        match parts {
            Some((code, message)) => Self {
                code: Some(code.to_owned()),
                message: Some(message.to_owned()),
                ..Self::default()
            },
            None => Self { instead: " (unreadable body)", ..Self::default() },
        }
    }
}

fn is_code(code: &str) -> bool {
    (1..=64).contains(&code.len())
        && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

/// The kind of a code that is more specific than the status.
fn refine(code: &str) -> Option<ErrorKind> {
    Some(match code {
        "REQUEST_LIMIT_EXCEEDED" | "RESOURCE_EXHAUSTED" => ErrorKind::Throttled,
        "RESOURCE_DOES_NOT_EXIST" => ErrorKind::NotFound,
        "TEMPORARILY_UNAVAILABLE" | "ABORTED" | "temporarily_unavailable" => ErrorKind::Unavailable,
        "invalid_client" | "unauthorized_client" | "invalid_grant" => ErrorKind::Unauthenticated,
        "access_denied" => ErrorKind::PermissionDenied,
        _ => return None,
    })
}

fn kind(status: u16, refined: Option<ErrorKind>) -> ErrorKind {
    match (status, refined) {
        (401, _) => ErrorKind::Unauthenticated,
        (429, _) => ErrorKind::Throttled,
        (_, Some(refined)) => refined,
        (403, _) => ErrorKind::PermissionDenied,
        (404, _) => ErrorKind::NotFound,
        (408 | 425 | 499, _) => ErrorKind::Unavailable,
        (501, _) => ErrorKind::InvalidRequest,
        (500.., _) => ErrorKind::Unavailable,
        (400.., _) => ErrorKind::InvalidRequest,
        _ => ErrorKind::Protocol,
    }
}

#[cfg(test)]
#[path = "failure_tests.rs"]
mod tests;
