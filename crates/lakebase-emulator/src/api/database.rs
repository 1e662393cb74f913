//! Provisioned instances and their credentials (`/api/2.0/database`).
//!
//! Paths and fields follow databricks-sdk-py, `service/database.py`. No public source names the texts of its errors; they are
//! those of `/api/2.0/postgres` for the same mistakes.

use serde_json::{Value, json};

use super::credential::{body_of, check_claims, mint, required};
use super::page::page;
use super::reply::{Context, Reply};
use crate::request::{Request, form_value};
use crate::state::State;
use crate::time::rfc3339;
use crate::token::TokenUse;
use crate::world::{Compute, Endpoint, INSTANCES};

pub(super) const LIST: &str = "/api/2.0/database/instances";
pub(super) const FIND: &str = "/api/2.0/database/instances:findByUid";
pub(super) const CREDENTIALS: &str = "/api/2.0/database/credentials";

/// Id of the instance that `path` names.
pub(super) fn named(path: &str) -> Option<&str> {
    let id = path.strip_prefix(LIST)?.strip_prefix('/')?;
    (!id.is_empty() && !id.contains('/')).then_some(id)
}

/// `GET /api/2.0/database/instances`.
pub(super) fn list(state: &State, request: &Request) -> Result<Reply, Reply> {
    let items: Vec<Value> = state.world.instances().map(|it| instance_json(state, it)).collect();
    page(state, request, "database_instances", &items)
}

/// One instance, by its name in the path or by the field `uid` of the query.
pub(super) fn get(state: &State, request: &Request) -> Result<Reply, Reply> {
    let found = if let Some(id) = named(&request.path) {
        state.world.endpoint(&format!("{INSTANCES}{id}"))
    } else {
        let uid = form_value(&request.query, "uid").unwrap_or_default();
        if uid.is_empty() {
            return Err(required("uid"));
        }
        state.world.instances().find(|instance| instance.uid == uid)
    };
    let found = found.ok_or_else(|| Reply::not_found("database instance"))?;
    Ok(Reply::ok(instance_json(state, found)))
}

fn instance_json(state: &State, instance: &Endpoint) -> Value {
    let node_count = if instance.readable_secondaries { 3 } else { 1 };
    let current = match instance.compute {
        _ if instance.disabled => "STOPPED",
        Compute::Init => "STARTING",
        // Sleep is not a state of this API.
        Compute::Active | Compute::Suspended | Compute::Waking(_) => "AVAILABLE",
    };
    let mut json = json!({
        "name": instance.id(), "uid": instance.uid, "state": current,
        "creator": state.credentials.user, "creation_time": rfc3339(state.world.created),
        "pg_version": "PG_VERSION_17",
        "capacity": "CU_1", "effective_capacity": "CU_1",
        "stopped": instance.disabled, "effective_stopped": instance.disabled,
        "node_count": node_count, "effective_node_count": node_count,
        "enable_readable_secondaries": instance.readable_secondaries,
        "effective_enable_readable_secondaries": instance.readable_secondaries,
        "effective_enable_pg_native_login": true,
        "retention_window_in_days": 7, "effective_retention_window_in_days": 7,
        "read_write_dns": instance.host(),
        "compute_generation": "not in any SDK",
    });
    if let Some(host) = instance.read_only_host() {
        json["read_only_dns"] = host.into();
    }
    json
}

/// `POST /api/2.0/database/credentials`. A `request_id` that was seen already gets the token it got, while that lives.
pub(super) fn credentials(
    state: &mut State,
    context: &Context,
    identity: &str,
    request: &Request,
) -> Result<Reply, Reply> {
    let body = body_of(request)?;
    let names = names(&body).map_err(Reply::invalid)?;
    check_claims(body.get("claims")).map_err(Reply::invalid)?;
    let claims = body.get("claims").and_then(Value::as_array);
    if names.is_empty() && claims.is_none_or(Vec::is_empty) {
        return Err(required("instance_names"));
    }
    if names.iter().any(|name| state.world.endpoint(name).is_none()) {
        return Err(Reply::not_found("database instance"));
    }
    let id = match body.get("request_id") {
        None | Some(Value::Null) => None,
        Some(Value::String(id)) => Some(format!("{identity} {id} {names:?}")),
        Some(_) => return Err(Reply::invalid("Field 'request_id' must be a string")),
    };
    let known = id.as_ref().and_then(|id| state.answered.get(id)).cloned();
    let known = known.filter(|(_, expires)| *expires > context.now && !context.expired);
    let (token, expires) = known.unwrap_or_else(|| {
        let lifetime = state.config.database_token_lifetime;
        let (token, expires) = mint(state, context, identity, TokenUse::Instance, lifetime);
        state.limit_to_instances(&token, names);
        (token, expires)
    });
    if let Some(id) = id {
        state.remember_answer(id, (token.clone(), expires), context.now);
    }
    Ok(Reply::ok(json!({ "token": token, "expiration_time": rfc3339(context.skewed(expires)) })))
}

/// Full names of the instances that `body` asks for.
fn names(body: &Value) -> Result<Vec<String>, &'static str> {
    let wrong = "Field 'instance_names' must be a list of names";
    let names = match body.get("instance_names") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(names) => names.as_array().ok_or(wrong)?,
    };
    let full = |name: &Value| Some(format!("{INSTANCES}{}", name.as_str()?));
    names.iter().map(full).collect::<Option<_>>().ok_or(wrong)
}
