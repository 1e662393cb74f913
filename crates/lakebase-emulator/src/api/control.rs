//! The emulator's own interface below `/_emulator/`: watch it and make things go wrong.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::reply::Reply;
use crate::fault::Fault;
use crate::request::Request;
use crate::state::{Action, State};
use crate::token::TokenFor;
use crate::world::{EndpointKind, Role};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockOrder {
    advance_seconds: Option<f64>,
    acceleration: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenOrder {
    #[serde(rename = "for")]
    what: TokenFor,
    #[serde(default)]
    audience: String,
    lifetime_seconds: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SuspendOrder {
    endpoint: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WorldOrder {
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    drop_roles: Vec<String>,
    #[serde(default)]
    endpoints: Vec<EndpointOrder>,
    #[serde(default)]
    instances: Vec<InstanceOrder>,
    decoys: Option<DecoyOrder>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EndpointOrder {
    name: String,
    kind: EndpointKind,
    #[serde(default)]
    readable_secondaries: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InstanceOrder {
    name: String,
    #[serde(default)]
    readable_secondaries: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DecoyOrder {
    projects: usize,
    branches: usize,
}

pub(super) fn handle(state: &mut State, real: Duration, request: &Request, path: &str) -> Reply {
    match carry_out(state, real, request, path) {
        Ok(Some(answer)) => Reply::ok(answer),
        Ok(None) => Reply::error(404, "ENDPOINT_NOT_FOUND", "No such path below /_emulator/"),
        Err(message) => Reply::invalid(message),
    }
}

/// The answer; `None` for an unknown path.
fn carry_out(
    state: &mut State,
    real: Duration,
    request: &Request,
    path: &str,
) -> Result<Option<Value>, String> {
    match (request.method.as_str(), path) {
        ("GET", "state") => return Ok(Some(state.report(real))),
        ("POST", "faults") => inject(state, &request.body)?,
        ("DELETE", "faults") => state.faults.clear(),
        ("DELETE", "requests") => state.log.clear(),
        ("POST", "revoke") => state.revoke_tokens(),
        ("POST", "tokens") => {
            let token = issue(state, real, &parse(&request.body)?);
            return Ok(Some(json!({"token": token})));
        }
        ("POST", "clock") => clock(state, real, &parse(&request.body)?)?,
        ("POST", "suspend") => {
            let SuspendOrder { endpoint } = parse(&request.body)?;
            if !state.suspend(&endpoint) {
                return Err(format!("no endpoint '{endpoint}'"));
            }
        }
        ("POST", "world") => world(state, parse(&request.body)?)?,
        _ => return Ok(None),
    }
    Ok(Some(json!({})))
}

fn issue(state: &mut State, real: Duration, order: &TokenOrder) -> String {
    let lifetime = Duration::from_secs(order.lifetime_seconds);
    state.issue(order.what, &order.audience, state.clock.now(real), lifetime)
}

fn parse<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|e| e.to_string())
}

/// One fault or a list of them.
fn inject(state: &mut State, body: &[u8]) -> Result<(), String> {
    let faults: Vec<Fault> = match parse(body)? {
        Value::Array(faults) => faults.into_iter().map(serde_json::from_value).collect(),
        fault => serde_json::from_value(fault).map(|fault| vec![fault]),
    }
    .map_err(|e: serde_json::Error| e.to_string())?;
    faults.into_iter().for_each(|fault| state.faults.inject(fault));
    Ok(())
}

fn clock(state: &mut State, real: Duration, order: &ClockOrder) -> Result<(), String> {
    if let Some(seconds) = order.advance_seconds {
        let by =
            Duration::try_from_secs_f64(seconds).map_err(|e| format!("advance_seconds: {e}"))?;
        state.clock.advance(by.min(Duration::from_secs(3_155_760_000)));
    }
    if let Some(acceleration) = order.acceleration {
        let accepted = 0.0..=crate::clock::MAX_ACCELERATION;
        if !accepted.contains(&acceleration) {
            return Err(format!("acceleration must be from 0 to {}", accepted.end()));
        }
        state.clock.set_acceleration(real, acceleration);
    }
    state.sweep(real);
    Ok(())
}

fn world(state: &mut State, order: WorldOrder) -> Result<(), String> {
    for endpoint in order.endpoints {
        state.world.add_endpoint(&endpoint.name, endpoint.kind)?;
        if let Some(added) = state.world.endpoint_mut(&endpoint.name) {
            added.readable_secondaries = endpoint.readable_secondaries;
        }
    }
    for instance in order.instances {
        state.world.add_instance(&instance.name, instance.readable_secondaries)?;
    }
    if let Some(DecoyOrder { projects, branches }) = order.decoys {
        state.world.add_decoys(projects, branches)?;
    }
    for role in order.roles {
        create_role(state, &role);
    }
    for role in order.drop_roles {
        state.world.roles.remove(&role);
    }
    Ok(())
}

/// Makes `role` a role that logs in with tokens of the identity of that name.
pub(crate) fn create_role(state: &mut State, role: &str) {
    if state.world.roles.insert(role.to_owned(), Role::OAuth).is_none() {
        state.act(Action::Sql(crate::postgres::create_role_sql(role)));
    }
}
