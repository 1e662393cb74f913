//! The gateway's decisions about logins, as functions of state and time.
//!
//! SQLSTATEs and texts follow the messages that the service's documentation and the recorded
//! tests of its clients name; where only a text is known, XX000 is used as by Neon's proxy.

use std::time::Duration;

use super::wire::Startup;
use crate::fault::{Effect, Operation};
use crate::state::State;
use crate::time::later;
use crate::token::TokenUse;
use crate::world::{Compute, INSTANCES, Role, WakeStyle};

/// An answer that ends a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) sqlstate: String,
    pub(crate) message: String,
    pub(crate) detail: Option<&'static str>,
}

impl Refusal {
    fn new(sqlstate: &str, message: impl Into<String>) -> Self {
        Self { sqlstate: sqlstate.to_owned(), message: message.into(), detail: None }
    }
}

/// Where a login goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    /// Full resource name of the endpoint or instance.
    pub(crate) endpoint: String,
    pub(crate) pooled: bool,
    pub(crate) read_only: bool,
}

impl Route {
    /// Each kind of place takes the credentials of its own API.
    fn token_use(&self) -> TokenUse {
        if self.endpoint.starts_with(INSTANCES) { TokenUse::Instance } else { TokenUse::Database }
    }
}

/// The gateway's decision about a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Accept,
    /// Look again after this much real time.
    Wait(Duration),
    Refuse(Refusal),
    /// Close the connection without an answer.
    Close,
}

/// The endpoint for a host name (SNI) or, without one, an `endpoint=` option.
pub(crate) fn route(
    state: &mut State,
    sni: Option<&str>,
    option: Option<&str>,
) -> Result<Route, Refusal> {
    let label = |name: &str| name.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let ours = |label: &String| label.starts_with("ep-") || label.starts_with("instance-");
    let from_sni = sni.map(label).filter(ours);
    let wanted = match (from_sni, option.map(label)) {
        (Some(sni), Some(option)) if sni != option => {
            let text = format!(
                "Inconsistent endpoint name inferred from SNI ('{sni}') and options ('{option}')."
            );
            return Err(Refusal::new("XX000", text));
        }
        (Some(name), _) | (None, Some(name)) => name,
        (None, None) => {
            let text = "Endpoint ID is not specified. Either please upgrade the postgres client library (libpq) \
                        for SNI support or pass the endpoint ID as a parameter: '?options=endpoint=<endpoint-id>'.";
            return Err(Refusal::new("XX000", text));
        }
    };
    let Some((endpoint, kind)) = state.world.by_label(&wanted) else {
        return Err(Refusal::new(
            "XX000",
            "Control plane request failed: endpoint cannot be found",
        ));
    };
    let route =
        Route { endpoint: endpoint.name.clone(), pooled: kind.pooled, read_only: kind.read_only };
    if endpoint.disabled {
        endpoint.counters.refused += 1;
        return Err(Refusal::new("XX000", "Control plane request failed: endpoint is disabled"));
    }
    Ok(route)
}

/// Effects of the faults that apply to this login, apart from certificates, which come before it.
pub(super) fn faults(state: &mut State, host: &str) -> Vec<Effect> {
    let not_certificate = |effect: &Effect| !matches!(effect, Effect::Certificate { .. });
    state.faults.take_where(Operation::Login, host, not_certificate)
}

/// The refusal that an effect stands for.
pub(super) fn refusal(effect: &Effect) -> Option<Refusal> {
    match effect {
        Effect::Refuse { sqlstate, message } => Some(Refusal::new(sqlstate, message.clone())),
        Effect::BlockAddress => Some(Refusal::new(
            "XX000",
            "Source IP address: 127.0.0.1 is blocked by Databricks IP ACL for workspace: emulator",
        )),
        _ => None,
    }
}

/// Checks the password of a login: a token for most roles, a password for native ones.
pub(super) fn authenticate(
    state: &State,
    real: Duration,
    route: &Route,
    startup: &Startup,
    password: &str,
) -> Result<(), Refusal> {
    let user = startup.get("user").unwrap_or_default();
    let now = state.clock.now(real);
    let rejected =
        || Refusal::new("28P01", format!("password authentication failed for user \"{user}\""));
    match state.world.roles.get(user) {
        None => Err(Refusal::new("28000", format!("role \"{user}\" does not exist"))),
        Some(Role::Password(known)) if known == password => Ok(()),
        Some(Role::Password(_)) => Err(rejected()),
        Some(Role::OAuth) if route.pooled => Err(Refusal::new(
            "28P01",
            "OAuth tokens are not accepted on pooled connections; use a native Postgres password or the direct host",
        )),
        Some(Role::OAuth) => match state.verify(password, route.token_use(), now) {
            Some(_) if !state.opens(password, &route.endpoint) => Err(rejected()),
            Some(identity) if identity == user => Ok(()),
            Some(_) => {
                Err(Refusal::new("28000", "Invalid authorization for databricks identity login"))
            }
            None => Err(rejected()),
        },
    }
}

/// Whether the endpoint's compute can take the login now; starts a wake-up where it sleeps.
pub(crate) fn decide(state: &mut State, real: Duration, route: &Route) -> Decision {
    state.wake(real);
    let now = state.clock.now(real);
    let suspension = state.config.suspension;
    let limit = u64::from(state.config.max_connections);
    let Some(endpoint) = state.world.endpoint_mut(&route.endpoint) else { return Decision::Close };
    if endpoint.compute == Compute::Suspended {
        endpoint.compute = Compute::Waking(later(now, suspension.wake_delay));
        endpoint.counters.wakes += 1;
    }
    match endpoint.compute {
        Compute::Active if endpoint.counters.open >= limit => Decision::Refuse(Refusal::new(
            "53300",
            "Too many connections to this endpoint. Please try again later.",
        )),
        Compute::Active => Decision::Accept,
        Compute::Init => starting_up(),
        Compute::Suspended => Decision::Close,
        Compute::Waking(ready) => match suspension.style {
            WakeStyle::Hold => {
                Decision::Wait(state.clock.until(real, ready).max(Duration::from_millis(1)))
            }
            WakeStyle::StartingUp => starting_up(),
            WakeStyle::Paused => Decision::Refuse(Refusal {
                detail: Some("This could be due to paused instances"),
                ..Refusal::new("XX000", "External authorization failed.")
            }),
            WakeStyle::Drop => Decision::Close,
        },
    }
}

fn starting_up() -> Decision {
    Decision::Refuse(Refusal::new("57P03", "the database system is starting up"))
}

/// Counts a login that did not get through.
pub(super) fn count_refused(state: &mut State, endpoint: &str) {
    if let Some(endpoint) = state.world.endpoint_mut(endpoint) {
        endpoint.counters.refused += 1;
    }
}

#[cfg(test)]
mod tests;
