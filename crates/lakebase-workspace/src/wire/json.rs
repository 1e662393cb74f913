//! Reads values from untyped JSON, with errors that name the field.
//!
//! Untyped JSON accepts new fields and enum values, and needs no derived deserialisers.

use std::time::Duration;

use lakebase_core::{Error, ErrorKind, Result};
use serde_json::Value;

/// The reply as JSON.
pub(super) fn parse(what: &str, body: &[u8]) -> Result<Value> {
    let start = body.trim_ascii_start();
    let problem = if start.is_empty() {
        "is empty"
    } else if start.starts_with(b"<") {
        "is HTML instead of JSON; is the address that of a Databricks workspace?"
    } else {
        // Syntax errors of untyped JSON have a position and do not quote the text.
        match serde_json::from_slice::<Value>(body) {
            Ok(value @ Value::Object(_)) => return Ok(value),
            Ok(_) => "is not a JSON object",
            Err(error) => {
                let problem = if error.is_eof() { "ends too early" } else { "is not JSON" };
                return Err(protocol(format!("{what} {problem}")).with_source(error));
            }
        }
    };
    Err(protocol(format!("{what} {problem}")))
}

pub(super) fn protocol(message: String) -> Error {
    Error::new(ErrorKind::Protocol, message)
}

/// An optional text; an empty one is `None`.
pub(super) fn text<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    value.get(field)?.as_str().filter(|text| !text.is_empty())
}

/// A required text.
pub(super) fn required<'a>(what: &str, value: &'a Value, field: &str) -> Result<&'a str> {
    text(value, field).ok_or_else(|| missing(what, field))
}

/// Moves a required text out of the value, so that no copy of a secret remains.
pub(super) fn take(what: &str, value: &mut Value, field: &str) -> Result<String> {
    match value.get_mut(field).map(Value::take) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text),
        _ => Err(missing(what, field)),
    }
}

pub(super) fn missing(what: &str, field: &str) -> Error {
    protocol(format!("{what} has no `{field}`"))
}

/// A whole number, as a number or as text. Fractions are truncated.
pub(super) fn integer(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64().or_else(|| {
            let whole = Duration::try_from_secs_f64(number.as_f64()?).ok()?;
            Some(whole.as_secs())
        }),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A duration in protobuf's JSON form: seconds with an optional fraction, and `s`.
pub(super) fn duration(value: &Value) -> Option<Duration> {
    let seconds = value.as_str()?.strip_suffix('s')?;
    if !seconds.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    Duration::try_from_secs_f64(seconds.parse().ok()?).ok()
}
