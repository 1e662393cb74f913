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
mod scim;
mod services;

pub(crate) use control::create_role;
pub(crate) use google::KEY as GOOGLE_KEY;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use operation::{operation, resource};

use crate::data_api::Answer;
use crate::fault::{Body, Effect, Operation};
use crate::request::Request;
use crate::state::{State, TokenUse};
use crate::time::{http_date, later};

/// An answer and how it is to be delivered.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    /// Real time to wait before anything is sent.
    pub(crate) delay: Duration,
    pub(crate) ending: Ending,
    /// Entry in the request log, where there is one.
    pub(crate) sequence: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// All of it arrives.
    Complete,
    /// The connection ends in the middle of the body.
    Cut,
    /// The connection ends before the first byte.
    Drop,
}

/// What an operation answers before faults and headers are applied.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) json: Value,
    /// Where it redirects to.
    pub(crate) location: Option<String>,
}

impl Reply {
    pub(crate) fn empty(status: u16) -> Self {
        Self { status, json: Value::Null, location: None }
    }

    pub(crate) fn ok(json: Value) -> Self {
        Self { json, ..Self::empty(200) }
    }

    /// An error in the API's own form.
    pub(crate) fn error(status: u16, code: &str, message: impl Into<String>) -> Self {
        let json = json!({"error_code": code, "message": message.into(), "details": []});
        Self { json, ..Self::empty(status) }
    }

    pub(crate) fn not_found(what: &str) -> Self {
        let trace = crate::random::hex::<8>();
        Self::error(404, "NOT_FOUND", format!("{what} id not found [TraceId: {trace}]"))
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::error(400, "INVALID_PARAMETER_VALUE", message)
    }
}

/// Time and deviations for one request.
pub(crate) struct Context {
    /// By the emulated clock.
    pub(crate) now: SystemTime,
    /// How far the service's own clock is off.
    pub(crate) skew: i64,
    pub(crate) lifetime: Option<Duration>,
    pub(crate) expired: bool,
    pub(crate) same_token: bool,
}

impl Context {
    /// `time` as the service's skewed clock would name it.
    pub(crate) fn skewed(&self, time: SystemTime) -> SystemTime {
        let by = Duration::from_secs(self.skew.unsigned_abs());
        if self.skew < 0 { time.checked_sub(by).unwrap_or(UNIX_EPOCH) } else { later(time, by) }
    }
}

/// How a request was taken.
pub(crate) enum Taken {
    Answered(Response),
    /// The Data API has to answer, and [`Delivery::of`] makes it the response.
    DataApi(Delivery),
}

/// What faults make of an answer that is yet to come.
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
    response.headers.push(("x-databricks-org-id", state.settings.workspace_id.clone()));
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

fn finish(status: u16, body: Vec<u8>) -> Response {
    Response {
        status,
        headers: vec![("content-type", "application/json".to_owned())],
        body,
        delay: Duration::ZERO,
        ending: Ending::Complete,
        sequence: None,
    }
}

/// A body in one of the forms in which errors and answers are delivered.
fn render(text: String, form: Body) -> (Vec<u8>, &'static str, Ending) {
    match form {
        Body::Json => (text.into_bytes(), "application/json", Ending::Complete),
        Body::Html => {
            let page = "<!doctype html><html><head><title>Error</title></head><body>Simulated</body></html>";
            (page.as_bytes().to_vec(), "text/html; charset=utf-8", Ending::Complete)
        }
        Body::Truncated => {
            let half = text.as_bytes().get(..text.len() / 2).unwrap_or_default();
            (half.to_vec(), "application/json", Ending::Complete)
        }
        Body::Cut => (text.into_bytes(), "application/json", Ending::Cut),
        Body::Empty => (Vec::new(), "application/json", Ending::Complete),
        Body::Text => {
            let json: Value = serde_json::from_str(&text).unwrap_or_default();
            let field = |name: &str| json.get(name).and_then(Value::as_str).unwrap_or("UNKNOWN");
            let line = format!("{}: {}", field("error_code"), field("message"));
            (line.into_bytes(), "text/plain", Ending::Complete)
        }
    }
}

#[cfg(test)]
mod database_tests;
#[cfg(test)]
mod tests;
