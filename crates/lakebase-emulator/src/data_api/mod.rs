//! The Data API: tables over HTTP as in `PostgREST`, out of the real Postgres.
//!
//! Below `/api/2.0/workspace/{workspace id}/rest/{database}/{schema}/{table}`, on the workspace's own address or with an endpoint's host name in
//! `Host`. The bearer is an OAuth token of the workspace; personal access tokens and database credentials are refused. Every request is one
//! transaction: it logs in as `authenticator`, a role without privileges, and takes the role that the token's subject names, which must have been
//! granted to `authenticator`; those of the workspace's identities are. Only exposed schemas are served, by default `public`.
//!
//! Done: `GET` and `HEAD` with `select` (columns, `*`, `alias:column`), the filters `eq neq gt gte lt lte like ilike in is`, each with `not.`,
//! `order`, `limit`, `offset`; `POST` of an object or of objects with the same keys; `PATCH`; `DELETE`; `Prefer: return=representation`.
//! Errors have the codes, the four fields and the statuses that `PostgREST` 14 documents.
//!
//! Not done, and answered as an error wherever it would change the result: `and`/`or`, other operators, embedding, casts, JSON paths,
//! aggregates, `columns`, upserts, `PUT`, functions (`rpc`), other media types. Ignored: `Range`, `Prefer: count=…` (the total is always `*`), CORS,
//! the limit of rows, `request.*` settings for policies (use `current_user`).
//!
//! Invariant: names are quoted, values are bound; only [`run`] does input and output.

mod error;
mod query;
mod run;
mod statement;
mod values;

use std::time::Duration;

pub(crate) use run::answer;

use crate::gateway::{self, Decision, Route};
use crate::request::Request;
use crate::state::State;
use crate::token::TokenUse;
use crate::world::{DATABASE, PRIMARY, Role};
use error::Failure;
use statement::{Action, Statement};

const PREFIX: &str = "/api/2.0/workspace/";
/// The role that every request logs in as.
pub(crate) const AUTHENTICATOR: &str = "authenticator";

/// Whether a path is one of this API's.
pub(crate) fn is_path(path: &str) -> bool {
    path.strip_prefix(PREFIX).is_some_and(|rest| rest.contains("/rest/"))
}

/// URL of the API for the one database, without a trailing slash.
pub(crate) fn url(host: &str, workspace_id: &str) -> String {
    format!("{host}{PREFIX}{workspace_id}/rest/{DATABASE}")
}

/// A statement to run, with its database and role.
struct Plan {
    route: Route,
    role: String,
    statement: Statement,
    action: Action,
    representation: bool,
    offset: u64,
}

/// Checks a request and says what it comes to.
fn plan(state: &mut State, real: Duration, request: &Request) -> Result<Plan, Failure> {
    let invalid = || Failure::new(404, "PGRST125", "Invalid path specified in request URL");
    let path = request.path.strip_prefix(PREFIX).unwrap_or_default();
    let parts: Vec<&str> = path.split('/').collect();
    let [workspace, "rest", database, schema, table] = parts[..] else { return Err(invalid()) };
    let [database, schema, table] =
        [database, schema, table].map(|part| query::decode(part).ok_or_else(invalid));
    let (database, schema, table) = (database?, schema?, table?);
    if workspace != state.workspace_id || database != DATABASE {
        return Err(invalid());
    }
    let role = authenticate(state, real, request)?;
    let exposed = &state.config.exposed_schemas;
    if !exposed.contains(&schema) {
        let hint = format!("Only the following schemas are exposed: {}", exposed.join(", "));
        return Err(Failure::new(406, "PGRST106", format!("Invalid schema: {schema}")).hint(hint));
    }
    let accepts = |accept: &str| {
        ["*/*", "application/*", "application/json"].iter().any(|known| {
            accept.split([',', ';']).any(|media| media.trim().eq_ignore_ascii_case(known))
        })
    };
    if let Some(accept) = request.header("accept").filter(|accept| !accepts(accept)) {
        let message = format!("None of these media types are available: {accept}");
        return Err(Failure::new(406, "PGRST107", message));
    }
    let action = Action::of(&request.method)?;
    let prefer = request.header("prefer").unwrap_or_default();
    let representation = prefer.split([',', ';']).any(|p| p.trim() == "return=representation");
    if prefer.contains("resolution=") {
        return Err(Failure::not_simulated("upserts (Prefer: resolution)"));
    }
    let query = query::parse(&request.query)?;
    let statement =
        statement::build(action, &schema, &table, &query, representation, &body(action, request)?)?;
    let (route, offset) = (route(state, request)?, query.offset.unwrap_or_default());
    Ok(Plan { route, role, statement, action, representation, offset })
}

/// The body of a request that must have one.
fn body(action: Action, request: &Request) -> Result<String, Failure> {
    if !matches!(action, Action::Insert | Action::Update) {
        return Ok(String::new());
    }
    let media = request.header("content-type").unwrap_or("application/json");
    if media.split(';').next().unwrap_or_default().trim() != "application/json" {
        let message = format!("Content-Type not acceptable: {media}");
        return Err(Failure::new(415, "PGRST102", message));
    }
    String::from_utf8(request.body.to_vec()).map_err(|_| Failure::invalid_json())
}

/// The role of the request's identity.
fn authenticate(state: &State, real: Duration, request: &Request) -> Result<String, Failure> {
    let Some(bearer) = request.bearer() else {
        return Err(Failure::new(401, "PGRST302", "Anonymous access is disabled"));
    };
    let known = state.tokens.get(bearer).filter(|_| bearer.split('.').count() == 3);
    let Some(known) = known else {
        let message = "No suitable key was found to decode the JWT";
        return Err(Failure::new(401, "PGRST301", message));
    };
    if known.use_ != TokenUse::Workspace {
        return Err(Failure::new(401, "PGRST303", "JWT not in audience"));
    }
    if state.verify(bearer, TokenUse::Workspace, state.clock.now(real)).is_none() {
        return Err(Failure::new(401, "PGRST303", "JWT expired"));
    }
    match state.world.roles.get(&known.identity) {
        Some(Role::OAuth) => Ok(known.identity.clone()),
        _ => {
            let message = format!("role \"{}\" does not exist", known.identity);
            Err(Failure::new(401, "22023", message))
        }
    }
}

/// The endpoint that `Host` names, else the read-write one of the default branch.
fn route(state: &mut State, request: &Request) -> Result<Route, Failure> {
    let host = request.header("host").filter(|host| host.starts_with("ep-"));
    let primary = state.world.endpoint(PRIMARY).map(|endpoint| endpoint.uid.clone());
    let option = primary.filter(|_| host.is_none());
    gateway::route(state, host, option.as_deref())
        .map_err(|refusal| Failure::unreachable(&refusal.message))
}

/// Whether the compute can take the request now; one that sleeps is woken.
fn decide(state: &mut State, real: Duration, route: &Route) -> Decision {
    let decision = gateway::decide(state, real, route);
    let now = state.clock.now(real);
    if let (Decision::Accept, Some(endpoint)) =
        (&decision, state.world.endpoint_mut(&route.endpoint))
    {
        endpoint.last_active = now;
    }
    decision
}

#[cfg(test)]
mod tests;
