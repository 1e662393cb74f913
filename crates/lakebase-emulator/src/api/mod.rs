//! The workspace's HTTP API as a function: state, time and request in, response out.
//!
//! Invariant: [`handle`] does no input or output; faults are applied here and nowhere else.
//!
//! Shapes and messages follow the public SDKs (databricks-sdk-py 0.162, databricks-sdk-go 0.175) and
//! the recorded replies in the acceptance tests of the Databricks CLI.

mod control;
mod credential;
mod database;
mod fault;
mod google;
mod oauth;
mod operation;
mod page;
mod postgres;
mod reply;
mod scim;
mod services;

pub(crate) use control::create_role;
pub(crate) use google::KEY as GOOGLE_KEY;
pub(crate) use reply::Ending;

use std::time::Duration;

use operation::{operation, resource};
use reply::{Context, Reply, Response, finish};

use crate::fault::{Effect, Operation};
use crate::request::{Answer, Request};
use crate::state::State;
use crate::time::http_date;
use crate::token::TokenUse;

/// How a request was taken.
pub(crate) enum Taken {
    Answered(Response),
    /// The Data API has to answer, and [`Delivery::of`] makes it the response.
    DataApi(Delivery),
}

/// The faults that apply to an answer which is yet to come.
pub(crate) struct Delivery {
    plan: fault::Plan,
    context: Context,
    sequence: u64,
}

impl Delivery {
    /// The response with `answer`.
    pub(crate) fn of(self, state: &mut State, answer: Answer) -> Response {
        let Answer { status, headers, body } = answer;
        state.log.set_status(self.sequence, status);
        let mut response = self.plan.garble_text(status, headers, body);
        self.plan.deliver(&mut response);
        sign(state, &self.context, &mut response);
        response.sequence = Some(self.sequence);
        response
    }
}

/// Takes one request. `real` is the time since the emulator's start.
pub(crate) fn handle(state: &mut State, real: Duration, request: &Request) -> Taken {
    state.wake(real);
    if let Some(rest) = request.path.strip_prefix("/_emulator/") {
        let reply = control::handle(state, real, request, rest);
        return Taken::Answered(finish(reply.status, reply.json.to_string().into_bytes()));
    }
    let operation = operation(state, request);
    let resource = resource(request);
    // Those were dealt with during the handshake.
    let not_certificate = |effect: &Effect| !matches!(effect, Effect::Certificate { .. });
    let plan = fault::Plan::new(state.faults.take_where(operation, &resource, not_certificate));
    let context = Context {
        now: state.clock.now(real),
        skew: plan.skew,
        lifetime: plan.lifetime,
        expired: plan.expired,
        same_token: plan.same_token,
    };
    let mut response = match plan.replacement(&context) {
        Some(response) => response,
        None if operation == Operation::DataApi => {
            let sequence = state.log.begin(request, 0, real);
            return Taken::DataApi(Delivery { plan, context, sequence });
        }
        None => {
            let reply = respond(state, &context, operation, request).unwrap_or_else(|reply| reply);
            plan.garble(reply)
        }
    };
    plan.deliver(&mut response);
    sign(state, &context, &mut response);
    response.sequence = Some(state.log.begin(request, response.status, real));
    Taken::Answered(response)
}

/// The headers of every answer.
fn sign(state: &State, context: &Context, response: &mut Response) {
    let date = http_date(context.skewed(context.now));
    response.headers.push(("date", date));
    response.headers.push(("x-databricks-org-id", state.workspace_id.clone()));
}

fn respond(
    state: &mut State,
    context: &Context,
    operation: Operation,
    request: &Request,
) -> Result<Reply, Reply> {
    let method = request.method.as_str();
    match operation {
        Operation::Token => return Ok(oauth::token(state, context, request)),
        Operation::Discovery => return Ok(oauth::discovery(state, request)),
        Operation::TokenService => {
            let service = services::of(&request.path).ok_or_else(|| Reply::not_found("service"))?;
            return Ok(services::answer(state, context, service, request));
        }
        Operation::Any | Operation::DataApi | Operation::Login | Operation::Dns => {
            let text = format!("No API found for '{method} {}'", request.path);
            return Err(Reply::error(404, "ENDPOINT_NOT_FOUND", text));
        }
        _ => {}
    }
    let identity = authenticate(state, context, request)?;
    match (operation, method) {
        (Operation::Credentials, "POST") => {
            postgres::credentials(state, context, &identity, request)
        }
        (Operation::InstanceCredentials, "POST") => {
            database::credentials(state, context, &identity, request)
        }
        (Operation::Me, "GET") => Ok(scim::me(state, &identity)),
        (Operation::EndpointGet, "GET") => postgres::get(state, request),
        (Operation::InstanceGet, "GET") => database::get(state, request),
        (Operation::InstanceList, "GET") => database::list(state, request),
        (Operation::EndpointList | Operation::BranchList | Operation::ProjectList, "GET") => {
            postgres::list(state, request)
        }
        _ => {
            let text = "The emulator does not simulate this call";
            Err(Reply::error(501, "NOT_IMPLEMENTED", text))
        }
    }
}

/// The identity that sent the request.
fn authenticate(state: &State, context: &Context, request: &Request) -> Result<String, Reply> {
    let Some(token) = request.bearer() else {
        let message = "Credential was not sent or was of an unsupported type for this API.";
        return Err(Reply::error(401, "UNAUTHENTICATED", message));
    };
    if !services::accompanied(state, request, context.now) {
        let message = "The token beside the bearer token is not valid.";
        return Err(Reply::error(403, "PERMISSION_DENIED", message));
    }
    match state.verify(token, TokenUse::Workspace, context.now) {
        Some(identity) => Ok(identity.to_owned()),
        None if token.starts_with("dapi") => {
            Err(Reply::error(403, "PERMISSION_DENIED", "Invalid access token."))
        }
        None => Err(Reply::error(401, "UNAUTHENTICATED", "Token is expired or not valid.")),
    }
}

#[cfg(test)]
mod database_tests;
#[cfg(test)]
mod fault_tests;
#[cfg(test)]
mod tests;
