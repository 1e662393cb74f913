//! Projects, branches, endpoints and database credentials (`/api/2.0/postgres`).

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::credential::{body_of, check_claims, mint, required};
use super::page::page;
use super::reply::{Context, Reply};
use crate::request::Request;
use crate::state::{State, compute_name};
use crate::time::{parse_rfc3339, rfc3339};
use crate::token::TokenUse;
use crate::world::{Compute, Endpoint, EndpointKind, World};

pub(super) const PREFIX: &str = "/api/2.0/postgres/";
/// Shortest and longest lifetime that may be asked for.
const TTL: std::ops::RangeInclusive<u64> = 300..=3_600;

pub(super) fn get(state: &State, request: &Request) -> Result<Reply, Reply> {
    let name = request.path.strip_prefix(PREFIX).unwrap_or_default();
    find(&state.world, name)?;
    let found = if let Some(endpoint) = state.world.endpoint(name) {
        endpoint_json(state, endpoint)
    } else if name.contains("/branches/") {
        branch_json(&state.world, name)
    } else {
        project_json(&state.world, name)
    };
    Ok(Reply::ok(found))
}

pub(super) fn list(state: &State, request: &Request) -> Result<Reply, Reply> {
    let path = request.path.strip_prefix(PREFIX).unwrap_or_default();
    let (parent, plural) = path.rsplit_once('/').unwrap_or(("", path));
    if !parent.is_empty() {
        find(&state.world, parent)?;
    }
    let world = &state.world;
    let depth = if parent.is_empty() { 0 } else { parent.split('/').count() };
    let under = |name: &&String| {
        name.starts_with(parent) && name.as_bytes().get(parent.len()) == Some(&b'/')
    };
    let items: Vec<Value> = match (depth, plural) {
        (0, "projects") => world.projects.iter().map(|name| project_json(world, name)).collect(),
        (2, "branches") => {
            world.branches.iter().filter(under).map(|name| branch_json(world, name)).collect()
        }
        (4, "endpoints") => {
            let of_branch = world.endpoints.iter().filter(|endpoint| endpoint.branch() == parent);
            of_branch.map(|endpoint| endpoint_json(state, endpoint)).collect()
        }
        _ => {
            let text = format!("No API found for '{path}'");
            return Err(Reply::error(404, "ENDPOINT_NOT_FOUND", text));
        }
    };
    page(state, request, plural, &items)
}

/// Refuses a name with 404 for its first part that does not exist, and with 400 if it is malformed.
fn find(world: &World, name: &str) -> Result<(), Reply> {
    let parts: Vec<&str> = name.split('/').collect();
    let (project, branch) = match parts[..] {
        ["projects", project] => (project, None),
        ["projects", project, "branches", branch] => (project, Some(branch)),
        ["projects", project, "branches", branch, "endpoints", _] => (project, Some(branch)),
        _ => return Err(Reply::invalid(format!("Invalid resource name: '{name}'"))),
    };
    let project = format!("projects/{project}");
    if !world.projects.contains(&project) {
        return Err(Reply::not_found("project"));
    }
    let Some(branch) = branch else { return Ok(()) };
    if !world.branches.contains(&format!("{project}/branches/{branch}")) {
        return Err(Reply::not_found("branch"));
    }
    match parts.len() == 6 && world.endpoint(name).is_none() {
        true => Err(Reply::not_found("endpoint")),
        false => Ok(()),
    }
}

fn project_json(world: &World, name: &str) -> Value {
    let id = name.rsplit('/').next().unwrap_or_default();
    json!({
        "name": name, "project_id": id, "uid": format!("prj-{id}"),
        "create_time": rfc3339(world.created), "update_time": rfc3339(world.created),
        "status": {
            "display_name": id, "pg_version": 17, "owner": "emulator",
            "default_branch": format!("{name}/branches/production"),
            "enable_pg_native_login": true, "history_retention_duration": "604800s",
        },
    })
}

fn branch_json(world: &World, name: &str) -> Value {
    let (parent, id) = name.split_once("/branches/").unwrap_or((name, ""));
    json!({
        "name": name, "parent": parent, "branch_id": id, "uid": format!("br-{id}"),
        "create_time": rfc3339(world.created), "update_time": rfc3339(world.created),
        "status": {
            "branch_id": id, "current_state": "READY", "default": id == "production",
            "is_protected": false, "logical_size_bytes": 31_457_280,
        },
    })
}

/// Status only and no spec, as the service answers; one field and one kind are not in any SDK.
fn endpoint_json(state: &State, endpoint: &Endpoint) -> Value {
    let mut hosts = json!({ "host": endpoint.host() });
    if endpoint.kind == EndpointKind::ReadOnly {
        hosts["read_only_host"] = endpoint.host().into();
        hosts["read_only_pooled_host"] = endpoint.pooled_host().into();
    } else {
        hosts["read_write_pooled_host"] = endpoint.pooled_host().into();
        if let Some(host) = endpoint.read_only_host() {
            hosts["read_only_host"] = host.into();
            hosts["read_only_pooled_host"] = endpoint.read_only_pooled_host().into();
        }
    }
    let suspend_after = state.config.suspension.after.unwrap_or(Duration::from_secs(86_400));
    let mut status = json!({
        "endpoint_id": endpoint.id(),
        "endpoint_type": endpoint.kind.wire(),
        "current_state": compute_name(endpoint.compute),
        "disabled": endpoint.disabled,
        "autoscaling_limit_min_cu": 0.5, "autoscaling_limit_max_cu": 2.0,
        "suspend_timeout_duration": format!("{}s", suspend_after.as_secs()),
        "last_active_time": rfc3339(endpoint.last_active),
        "hosts": hosts,
        "compute_generation": {"name": "not in any SDK", "revision": "9007199254740993"},
    });
    if endpoint.readable_secondaries {
        status["group"] = json!({"min": 2, "max": 2, "enable_readable_secondaries": true});
    }
    if let Compute::Waking(_) | Compute::Init = endpoint.compute {
        status["pending_state"] = "ACTIVE".into();
    }
    if endpoint.kind == EndpointKind::Unknown {
        status["current_state"] = "HIBERNATING".into();
    }
    json!({
        "name": endpoint.name, "parent": endpoint.branch(), "uid": endpoint.uid,
        "create_time": rfc3339(state.world.created), "update_time": rfc3339(state.world.created),
        "status": status,
    })
}

/// `POST /api/2.0/postgres/credentials`.
pub(super) fn credentials(
    state: &mut State,
    context: &Context,
    identity: &str,
    request: &Request,
) -> Result<Reply, Reply> {
    let body = body_of(request)?;
    let endpoint = body.get("endpoint").and_then(Value::as_str).unwrap_or_default();
    if endpoint.is_empty() {
        return Err(required("endpoint"));
    }
    if endpoint.split('/').count() != 6 {
        return Err(Reply::invalid(format!("Invalid resource name: '{endpoint}'")));
    }
    find(&state.world, endpoint)?;
    check_claims(body.get("claims")).map_err(Reply::invalid)?;
    let asked = asked_lifetime(&body, context).map_err(Reply::invalid)?;
    let lifetime = asked.unwrap_or(state.config.database_token_lifetime);
    let (token, expires) = mint(state, context, identity, TokenUse::Database, lifetime);
    Ok(Reply::ok(json!({ "token": token, "expire_time": rfc3339(context.skewed(expires)) })))
}

fn asked_lifetime(body: &Value, context: &Context) -> Result<Option<Duration>, String> {
    let text = |name: &str| match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(format!("Field '{name}' must be a string")),
    };
    let seconds = match (text("ttl")?, text("expire_time")?) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => {
            return Err("Only one of 'ttl' and 'expire_time' may be set".to_owned());
        }
        (Some(ttl), None) => ttl
            .strip_suffix('s')
            .and_then(|seconds| seconds.parse().ok())
            .ok_or_else(|| "Field 'ttl' must be a duration such as \"300s\"".to_owned())?,
        (None, Some(time)) => {
            let time =
                parse_rfc3339(time).ok_or("Field 'expire_time' must be an RFC 3339 timestamp")?;
            seconds_ahead(time, context.skewed(context.now))
        }
    };
    if !TTL.contains(&seconds) {
        return Err(format!(
            "The lifetime must be between {} and {} seconds",
            TTL.start(),
            TTL.end()
        ));
    }
    Ok(Some(Duration::from_secs(seconds)))
}

/// Rounded up, so that a client that cut its own wish to whole seconds is not refused for it.
fn seconds_ahead(time: SystemTime, now: SystemTime) -> u64 {
    let ahead = time.duration_since(now).unwrap_or_default();
    ahead.as_secs() + u64::from(ahead.subsec_nanos() > 0)
}
