//! Sends requests to one workspace, with the headers of every request and a time-out.
//!
//! Requests go to the configured origin only.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use http::header::{AUTHORIZATION, USER_AGENT};
use http::{HeaderName, HeaderValue, Request, Response};
use lakebase_core::{Error, ErrorKind, Result, Runtime, Secret};

use crate::observe::Asked;
use crate::{AccessToken, WorkspaceHost, wire};

const WORKSPACE_ID: HeaderName = HeaderName::from_static("x-databricks-workspace-id");

/// The time-out of one request, as in Databricks' SDKs.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The connection settings of one workspace.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) host: WorkspaceHost,
    pub(crate) runtime: Runtime,
    pub(crate) user_agent: HeaderValue,
    pub(crate) workspace_id: Option<HeaderValue>,
    pub(crate) account_id: Option<Arc<str>>,
}

impl Session {
    /// The same workspace for an identity of another kind, with which the User-Agent ends.
    pub(crate) fn acting_as(&self, auth_type: &str) -> Self {
        let agent = self.user_agent.to_str().unwrap_or_default();
        let agent = agent.rsplit_once(" auth/").map_or(agent, |(agent, _)| agent);
        let agent = HeaderValue::try_from(format!("{agent} auth/{auth_type}"));
        Self { user_agent: agent.unwrap_or_else(|_| self.user_agent.clone()), ..self.clone() }
    }

    /// Sends one request and returns any reply.
    pub(crate) async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>> {
        if !self.host.owns(request.uri()) {
            let other = request.uri().host().unwrap_or("an address without a host");
            return Err(Error::new(
                ErrorKind::Protocol,
                format!("{} refers to {other}, which is sent nothing", self.host),
            ));
        }
        request.headers_mut().insert(USER_AGENT, self.user_agent.clone());
        if let Some(id) = &self.workspace_id {
            request.headers_mut().insert(WORKSPACE_ID, id.clone());
        }
        let clock = &*self.runtime.clock;
        let asked = Asked::new(&request, clock);
        let late = || format!("{} did not answer within {} s", self.host, TIMEOUT.as_secs());
        let result = within(&self.runtime, TIMEOUT, self.runtime.http.send(request), late).await;
        asked.answered(&result, clock);
        result
    }

    /// The reply if it is a success, otherwise its error.
    pub(crate) fn expect_success(
        &self,
        reply: Response<Bytes>,
        secrets: &[Secret],
    ) -> Result<Response<Bytes>> {
        if reply.status().is_success() {
            return Ok(reply);
        }
        Err(wire::failure(&self.host, &reply, self.runtime.clock.wall(), secrets))
    }
}

/// The result of `work`; after `limit` a time-out with the message of `late`.
pub(crate) async fn within<T>(
    runtime: &Runtime,
    limit: Duration,
    work: impl Future<Output = Result<T>>,
    late: impl FnOnce() -> String,
) -> Result<T> {
    match select(pin!(work), runtime.timer.sleep(limit)).await {
        Either::Left((result, _)) => result,
        Either::Right(((), _)) => Err(Error::new(ErrorKind::TimedOut, late())),
    }
}

/// Adds the bearer token.
pub(crate) fn authorize(request: &mut Request<Bytes>, token: &AccessToken) -> Result<()> {
    let value = HeaderValue::try_from(format!("Bearer {}", token.token.expose()));
    // The cause is left out, because it might quote the value.
    let mut value = value.map_err(|_| {
        Error::new(ErrorKind::Config, "the workspace token has characters that no token has")
    })?;
    value.set_sensitive(true);
    request.headers_mut().extend(token.headers.clone());
    request.headers_mut().insert(AUTHORIZATION, value);
    Ok(())
}
