//! The checks of a request and the token, which both kinds of database credentials share.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::reply::{Context, Reply};
use crate::request::Request;
use crate::state::State;
use crate::time::later;
use crate::token::TokenUse;

/// The body of a request.
pub(super) fn body_of(request: &Request) -> Result<Value, Reply> {
    serde_json::from_slice(&request.body)
        .map_err(|_| Reply::error(400, "MALFORMED_REQUEST", "Could not parse request object"))
}

pub(super) fn required(field: &str) -> Reply {
    Reply::invalid(format!("Field '{field}' is required, expected non-default value (not \"\")!"))
}

/// Checks the field `claims`.
pub(super) fn check_claims(claims: Option<&Value>) -> Result<(), &'static str> {
    let claims = match claims {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Array(claims)) => claims,
        Some(_) => return Err("Field 'claims' must be a list"),
    };
    for claim in claims {
        if claim.get("permission_set").and_then(Value::as_str) != Some("READ_ONLY") {
            return Err("Field 'claims.permission_set' must be READ_ONLY");
        }
        let resources = claim.get("resources").and_then(Value::as_array);
        let named = |resource: &Value| resource.get("table_name").and_then(Value::as_str).is_some();
        if !resources.is_some_and(|resources| resources.iter().all(named)) {
            return Err("Field 'claims.resources' must be a list of tables by 'table_name'");
        }
    }
    Ok(())
}

/// A token of `identity` that lives for `lifetime`, and its expiry; or what the faults make of it.
pub(super) fn mint(
    state: &mut State,
    context: &Context,
    identity: &str,
    use_: TokenUse,
    lifetime: Duration,
) -> (String, SystemTime) {
    let last = state.last_tokens.get(&(identity.to_owned(), use_)).cloned();
    if let Some(last) = last.filter(|_| context.same_token) {
        return last;
    }
    if context.expired {
        let past = context.now - Duration::from_secs(3_600);
        return (state.mint(identity, use_, past, past), past);
    }
    let expires = later(context.now, context.lifetime.unwrap_or(lifetime));
    (state.mint(identity, use_, context.now, expires), expires)
}
