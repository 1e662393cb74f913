//! Successful replies.
//!
//! Errors are [`ErrorKind::Protocol`](lakebase_core::ErrorKind::Protocol) and name the field, never its value.

use std::str::FromStr;
use std::sync::Arc;

use lakebase_core::{
    BranchName, DatabaseCredential, Endpoint, EndpointHosts, EndpointName, EndpointState,
    EndpointType, Error, ProjectName, Result, Secret, Timestamp,
};
use serde_json::Value;

use super::json::{duration, integer, missing, parse, protocol, required, take, text};
use crate::AccessToken;

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The items of this page, in the service's order.
    pub items: Vec<T>,
    /// The token of the next page; `None` on the last page.
    pub next_page_token: Option<String>,
}

/// Reads the reply to `list_projects`. A list that is absent is empty.
///
/// # Errors
///
/// `Protocol`: not JSON, or a project without a usable name.
pub(crate) fn project_page(body: &[u8]) -> Result<Page<ProjectName>> {
    page(body, "projects", |value| name("a project", value, "projects/…"))
}

/// Reads the reply to `list_branches`. A list that is absent is empty.
///
/// # Errors
///
/// `Protocol`: not JSON, or a branch without a usable name.
pub(crate) fn branch_page(body: &[u8]) -> Result<Page<BranchName>> {
    page(body, "branches", |value| name("a branch", value, "projects/…/branches/…"))
}

/// Reads the reply to `list_endpoints`. A list that is absent is empty.
///
/// # Errors
///
/// `Protocol`: not JSON, or an endpoint without a usable name.
pub fn endpoint_page(body: &[u8]) -> Result<Page<Endpoint>> {
    page(body, "endpoints", one_endpoint)
}

fn page<T>(body: &[u8], plural: &str, one: impl Fn(&Value) -> Result<T>) -> Result<Page<T>> {
    let what = format!("the list of {plural}");
    let page = parse(&what, body)?;
    let items = match page.get(plural) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(items)) => items.iter().map(one).collect::<Result<_>>()?,
        Some(_) => return Err(protocol(format!("{what}: `{plural}` is not a list"))),
    };
    Ok(Page { items, next_page_token: text(&page, "next_page_token").map(Into::into) })
}

fn name<T: FromStr>(what: &str, value: &Value, shape: &str) -> Result<T> {
    let name = required(what, value, "name")?;
    name.parse().map_err(|_| protocol(format!("{what} has a `name` that is not {shape}")))
}

/// Reads the reply to `get_endpoint`.
///
/// # Errors
///
/// `Protocol`: not JSON, or no usable name.
pub fn endpoint(body: &[u8]) -> Result<Endpoint> {
    one_endpoint(&parse("the endpoint", body)?)
}

fn one_endpoint(value: &Value) -> Result<Endpoint> {
    let name: EndpointName = name("an endpoint", value, "projects/…/branches/…/endpoints/…")?;
    let null = Value::Null;
    let part = |field| value.get(field).unwrap_or(&null);
    let (status, spec) = (part("status"), part("spec"));
    // The effective value comes before the requested one.
    let either = |field: &str| {
        let set = |part: &&Value| part.get(field).is_some_and(|value| !value.is_null());
        [status, spec].into_iter().find(set).and_then(|part| part.get(field))
    };
    let hosts = status.get("hosts").unwrap_or(&null);
    let host = |field: &str| host_name(name.as_str(), hosts, "status.hosts.", field);
    let hosts = EndpointHosts {
        host: host("host")?,
        read_only_host: host("read_only_host")?,
        read_write_pooled_host: host("read_write_pooled_host")?,
        read_only_pooled_host: host("read_only_pooled_host")?,
    };
    let endpoint_type = either("endpoint_type").and_then(Value::as_str).unwrap_or_default();
    Ok(Endpoint {
        endpoint_type: match endpoint_type.trim_start_matches("ENDPOINT_TYPE_") {
            "READ_WRITE" => EndpointType::ReadWrite,
            "READ_ONLY" => EndpointType::ReadOnly,
            other => EndpointType::Unknown(enum_text(other)),
        },
        state: match text(status, "current_state").unwrap_or_default() {
            "INIT" => EndpointState::Init,
            "ACTIVE" => EndpointState::Active,
            "IDLE" => EndpointState::Idle,
            "DEGRADED" => EndpointState::Degraded,
            other => EndpointState::Unknown(enum_text(other)),
        },
        disabled: either("disabled").and_then(Value::as_bool).unwrap_or(false),
        suspend_timeout: either("suspend_timeout_duration").and_then(duration),
        hosts,
        name: name.into(),
    })
}

/// The host name in `field` of `value`, which is at `path`, if any.
pub(super) fn host_name(
    what: &str,
    value: &Value,
    path: &str,
    field: &str,
) -> Result<Option<Arc<str>>> {
    match text(value, field) {
        None => Ok(None),
        Some(host) if is_host_name(host) => Ok(Some(host.into())),
        Some(_) => Err(protocol(format!("{what}: `{path}{field}` is not a host name"))),
    }
}

fn is_host_name(text: &str) -> bool {
    text.len() <= 255 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
}

/// An enum value that this version does not know, cleaned for messages.
pub(super) fn enum_text(value: &str) -> Arc<str> {
    if value.is_empty() { "unknown".into() } else { super::clean(value).into() }
}

/// Reads the reply to `generate_credential`. An expiry in the past is returned.
///
/// The expiry is called `expire_time`, and `expiration_time` for Provisioned instances.
///
/// # Errors
///
/// `Protocol`: not JSON, no `token`, no expiry, or one that is not a timestamp.
pub fn credential(body: &[u8], served_at: Option<Timestamp>) -> Result<DatabaseCredential> {
    const WHAT: &str = "the database credential";
    let mut value = parse(WHAT, body)?;
    let token = Secret::new(take(WHAT, &mut value, "token")?);
    let field = match text(&value, "expiration_time") {
        Some(_) => "expiration_time",
        None => "expire_time",
    };
    let expires_at = moment(WHAT, &value, field)?;
    Ok(DatabaseCredential { token, expires_at, served_at })
}

fn moment(what: &str, value: &Value, field: &str) -> Result<Timestamp> {
    let text = required(what, value, field)?;
    text.parse().map_err(|error: Error| {
        protocol(format!("{what} has a `{field}` that cannot be read")).with_source(error)
    })
}

/// Reads a reply of an OAuth token end point to a request at `asked_at`, by this machine's wall clock.
///
/// # Errors
///
/// `Protocol`: not JSON, no `access_token`, no `expires_in`, or a `token_type` other than `Bearer`.
pub fn oauth_token(
    body: &[u8],
    asked_at: Timestamp,
    served_at: Option<Timestamp>,
) -> Result<AccessToken> {
    const WHAT: &str = "the OAuth token";
    let mut value = parse(WHAT, body)?;
    let token = bearer(WHAT, &mut value)?;
    let lifetime = value.get("expires_in").and_then(integer);
    let lifetime = lifetime.ok_or_else(|| missing(WHAT, "expires_in"))?;
    let lifetime = std::time::Duration::from_secs(lifetime);
    let expires_at = Some(served_at.unwrap_or(asked_at).saturating_add(lifetime));
    Ok(AccessToken { expires_at, served_at, ..AccessToken::new(token) })
}

pub(super) fn bearer(what: &str, value: &mut Value) -> Result<Secret> {
    let token = Secret::new(take(what, value, "access_token")?);
    match text(value, "token_type") {
        Some(kind) if !kind.eq_ignore_ascii_case("bearer") => {
            Err(protocol(format!("{what} has a `token_type` other than Bearer")))
        }
        _ => Ok(token),
    }
}

/// Reads the output of `databricks auth token`.
///
/// # Errors
///
/// `Protocol`: not JSON, no `access_token`, no `expiry`, or one that is not a timestamp.
pub fn cli_token(stdout: &Secret) -> Result<AccessToken> {
    const WHAT: &str = "the output of `databricks auth token`";
    let mut value = parse(WHAT, stdout.expose().as_bytes())?;
    let token = bearer(WHAT, &mut value)?;
    let expires_at = Some(moment(WHAT, &value, "expiry")?);
    Ok(AccessToken { expires_at, ..AccessToken::new(token) })
}

/// Reads the reply to `current_user`: the identity's name in Postgres.
///
/// # Errors
///
/// `Protocol`: not JSON, or no `userName`.
pub fn user_name(body: &[u8]) -> Result<Arc<str>> {
    const WHAT: &str = "the current user";
    let value = parse(WHAT, body)?;
    required(WHAT, &value, "userName").map(Into::into)
}

/// Reads the reply to `databricks_config`: the OAuth issuer.
///
/// # Errors
///
/// `Protocol`: not JSON, no `oidc_endpoint`, or one that needs an account id that is not known.
pub fn oidc_endpoint(body: &[u8], account_id: Option<&str>) -> Result<String> {
    const WHAT: &str = "the workspace's discovery document";
    const PLACE: &str = "{account_id}";
    let value = parse(WHAT, body)?;
    let issuer = required(WHAT, &value, "oidc_endpoint")?;
    if !issuer.contains(PLACE) {
        return Ok(issuer.to_owned());
    }
    let account_id = account_id.or_else(|| text(&value, "account_id"));
    let account_id = account_id.filter(|id| crate::host::is_id(id));
    account_id.map(|id| issuer.replace(PLACE, id)).ok_or_else(|| {
        protocol(format!("{WHAT} needs an account id; set account_id (DATABRICKS_ACCOUNT_ID)"))
    })
}

/// Reads the reply to `databricks_config`: the audience of id tokens for token
/// exchange. It is the first in the document, otherwise the account's id if the document names no workspace.
#[must_use]
pub fn oidc_audience(body: &[u8], account_id: Option<&str>) -> Option<String> {
    let value = parse("the workspace's discovery document", body).ok()?;
    let named = value.get("token_federation_default_oidc_audiences");
    let first = named.and_then(|list| list.get(0)?.as_str()).filter(|text| !text.is_empty());
    let account = || match text(&value, "workspace_id") {
        Some(_) => None,
        None => account_id.or_else(|| text(&value, "account_id")),
    };
    first.or_else(account).map(Into::into)
}

/// Reads the reply to `oauth_metadata`: the token end point.
///
/// # Errors
///
/// `Protocol`: not JSON, no `token_endpoint`, or one that is not a URL.
pub fn token_endpoint(body: &[u8]) -> Result<http::Uri> {
    const WHAT: &str = "the OAuth metadata";
    let value = parse(WHAT, body)?;
    let uri = required(WHAT, &value, "token_endpoint")?.parse();
    uri.map_err(|_| protocol(format!("{WHAT} has a `token_endpoint` that is not a URL")))
}

#[cfg(test)]
#[path = "reply_tests.rs"]
mod tests;
