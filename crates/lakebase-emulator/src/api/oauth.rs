//! OAuth client credentials, token exchange, and the documents that lead to them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::json;

use super::reply::{Context, Reply, refuse};
use crate::request::{Request, form_decode, form_value};
use crate::state::State;
use crate::time::later;
use crate::token::TokenUse;

/// `POST` to the token endpoint: client credentials by Basic header or in the form.
pub(super) fn token(state: &mut State, context: &Context, request: &Request) -> Reply {
    if request.path != state.config.token_path {
        return Reply::error(404, "ENDPOINT_NOT_FOUND", "The token endpoint is elsewhere");
    }
    if request.method != "POST" {
        return Reply::error(405, "METHOD_NOT_ALLOWED", "The token endpoint wants POST");
    }
    let form = String::from_utf8_lossy(&request.body);
    match form_value(&form, "grant_type").as_deref() {
        Some("client_credentials") => {}
        Some("urn:ietf:params:oauth:grant-type:token-exchange") => {
            return match exchanged(state, context, &form) {
                Ok(identity) => give(state, context, &identity, &form),
                Err(refusal) => refusal,
            };
        }
        Some(_) => {
            return refuse(400, "unsupported_grant_type", "This grant is not simulated");
        }
        None => return refuse(400, "invalid_request", "Missing required parameter: grant_type"),
    }
    let in_form = || Some((form_value(&form, "client_id")?, form_value(&form, "client_secret")?));
    let Some((id, secret)) = request.header("authorization").and_then(basic).or_else(in_form)
    else {
        return refuse(401, "invalid_client", "Missing client authentication");
    };
    let known = &state.credentials;
    if !same(&id, &known.client_id) || !same(&secret, &known.client_secret) {
        return refuse(401, "invalid_client", "Client authentication failed");
    }
    let identity = known.client_id.clone();
    give(state, context, &identity, &form)
}

/// RFC 8693: whom the id token stands for. The federation policies accept what the emulated issuers give out, for
/// the service principal by its id, and for the user without one.
fn exchanged(state: &State, context: &Context, form: &str) -> Result<String, Reply> {
    let field = |name| form_value(form, name).unwrap_or_default();
    if field("subject_token_type") != "urn:ietf:params:oauth:token-type:jwt" {
        return Err(refuse(400, "invalid_request", "The subject token type must be jwt"));
    }
    let known = &state.credentials;
    let identity = match form_value(form, "client_id") {
        Some(id) if id == known.client_id => id,
        Some(_) => return Err(refuse(401, "invalid_client", "No such service principal")),
        None => known.user.clone(),
    };
    match state.verify(&field("subject_token"), TokenUse::Exchange, context.now) {
        Some(_) => Ok(identity),
        None => Err(refuse(400, "invalid_grant", "The id token is expired or of no known issuer")),
    }
}

/// A token of the workspace for `identity`.
fn give(state: &mut State, context: &Context, identity: &str, form: &str) -> Reply {
    let scope = form_value(form, "scope").filter(|scope| !scope.is_empty());
    let lifetime = context.lifetime.unwrap_or(state.config.workspace_token_lifetime);
    let expires = later(context.now, lifetime);
    let last = state.last_tokens.get(&(identity.to_owned(), TokenUse::Workspace)).cloned();
    let (token, expires) = match last.filter(|_| context.same_token) {
        Some(last) => last,
        None => (state.mint(identity, TokenUse::Workspace, context.now, expires), expires),
    };
    let expires_in = expires.duration_since(context.now).unwrap_or_default().as_secs();
    Reply::ok(json!({
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": expires_in,
        "scope": scope.unwrap_or_else(|| "all-apis".to_owned()),
    }))
}

/// The well-known documents, below the workspace and below its `oidc` path.
pub(super) fn discovery(state: &State, request: &Request) -> Reply {
    let host = &state.host;
    match request.path.as_str() {
        "/.well-known/databricks-config" => Reply::ok(json!({
            "oidc_endpoint": format!("{host}/oidc"),
            "workspace_id": state.workspace_id,
            "account_id": "00000000-0000-4000-a000-000000000001",
            "cloud": "AWS",
            "host_type": "workspace",
        })),
        "/oidc/.well-known/oauth-authorization-server" => Reply::ok(json!({
            "issuer": format!("{host}/oidc"),
            "authorization_endpoint": format!("{host}/oidc/v1/authorize"),
            "token_endpoint": format!("{host}{}", state.config.token_path),
            "grant_types_supported": ["client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        })),
        _ => Reply::error(404, "ENDPOINT_NOT_FOUND", "No such well-known document"),
    }
}

fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

/// RFC 6749 wants both parts of a Basic header form-encoded; most clients send them as they are.
fn same(given: &str, known: &str) -> bool {
    given == known
        || form_decode(given) == known
        || percent_decode_str(given).decode_utf8().is_ok_and(|decoded| decoded == known)
}
