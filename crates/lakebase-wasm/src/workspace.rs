//! The few calls that a credential needs, over any [`Fetch`].
//!
//! Between calls it keeps data only: the workspace token and when it was asked for.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::{Either, LocalBoxFuture, select};
use lakebase_core::refresh::Moment;
use lakebase_core::{
    Access, BoxFuture, Clock, CredentialRequest, CredentialSource, DatabaseCredential,
    EndpointName, Error, ErrorKind, Result, Secret, Target, Timer, Timestamp,
};

use crate::bearer::Bearer;
use crate::json::{Value, quote};
use crate::settings::{below, millis};
use crate::wire::{Fetch, Request, basic, percent_encode, protocol, read, served_at};
use crate::{Host, Identity, Settings};

/// Limit of pages of a branch's endpoints.
const MAX_PAGES: usize = 20;
/// Minimum remaining life of a workspace token for a mint.
const SPARE_LIFE: Duration = Duration::from_secs(60);
/// Minimum remaining time for a second attempt.
pub(crate) const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// RFC 8693's token exchange, up to the id token.
const EXCHANGE: &str = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&scope=all-apis\
                        &subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt&subject_token=";

/// The effects of the platform.
#[derive(Clone, Debug)]
pub struct Effects {
    /// Sends requests.
    pub http: Arc<dyn Fetch>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Waits.
    pub timer: Arc<dyn Timer>,
    /// Ends the wait for a request that takes too long. It need not keep the program alive: the request does.
    pub deadline: Arc<dyn Timer>,
    /// Continues a mint whose caller stopped waiting. Without it, such a mint is abandoned.
    pub detach: Option<fn(LocalBoxFuture<'static, ()>)>,
}

/// Whether it is running, its name, and its host if it has one.
type Candidate = (bool, EndpointName, Option<Arc<str>>);

/// A reply that is a success.
struct Answer {
    value: Value,
    served_at: Option<Timestamp>,
}

/// A client of a Databricks workspace, with one identity.
///
/// Every call sends a request; only the workspace token is kept between calls. A refused workspace token is
/// replaced until one is refused that was asked for after the first refusal; nothing else is retried. All requests
/// go to the configured host. The token endpoint is the documented one, `/oidc/v1/token`, without discovery.
///
/// **Cancellation:** dropping a call's future abandons its request and leaves the workspace usable.
#[derive(Debug)]
pub struct Workspace {
    pub(crate) settings: Settings,
    pub(crate) effects: Effects,
    bearer: Mutex<Option<Bearer>>,
}

impl Workspace {
    /// A client that has sent no request yet.
    ///
    /// # Errors
    ///
    /// Those of [`Settings::check`].
    pub fn new(settings: Settings, effects: Effects) -> Result<Self> {
        settings.check()?;
        Ok(Self { settings, effects, bearer: Mutex::new(None) })
    }

    pub(crate) fn now(&self) -> Moment {
        Moment::now(&*self.effects.clock)
    }

    fn host(&self) -> &Host {
        &self.settings.host
    }

    /// Ends `work` after the time of one attempt.
    pub(crate) async fn in_time<T>(&self, work: LocalBoxFuture<'_, Result<T>>) -> Result<T> {
        let limit = self.settings.timeout;
        let timer = match self.settings.identity {
            // The application's own function may be the only thing that runs.
            Identity::Provider(_) | Identity::Federated { .. } => &self.effects.timer,
            Identity::ServicePrincipal { .. } | Identity::Token(_) => &self.effects.deadline,
        };
        match select(work, timer.sleep(limit)).await {
            Either::Left((result, _)) => result,
            Either::Right(_) => {
                let text = format!("{} did not answer within {} ms", self.host(), millis(limit));
                Err(Error::new(ErrorKind::TimedOut, text))
            }
        }
    }

    /// The endpoint to mint for, and its host if that had to be looked up to know the endpoint.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] if the branch has no endpoint of the wanted type, and those of any call.
    pub async fn endpoint(&self) -> Result<(EndpointName, Option<Arc<str>>)> {
        let branch = match &self.settings.target {
            Target::Endpoint(name) => return Ok((name.clone(), None)),
            Target::Branch(branch) => branch,
            Target::Host(_) => return Err(host_alone()),
        };
        let (mut best, mut token): (Option<Candidate>, _) = (None, String::new());
        for _ in 0..MAX_PAGES {
            let mut path = format!("/api/2.0/postgres/{branch}/endpoints");
            if !token.is_empty() {
                path.push_str("?page_token=");
                percent_encode(&mut path, &token);
            }
            let page = self.call("GET", path, String::new()).await?.value;
            if let Some(Value::List(endpoints)) = page.get("endpoints") {
                for endpoint in endpoints {
                    let Some((name, host)) = self.candidate(endpoint)? else { continue };
                    let running = part(endpoint, "current_state") == Some("ACTIVE");
                    let better = best.as_ref().is_none_or(|(other_running, other, _)| {
                        (!running, name.as_str()) < (!other_running, other.as_str())
                    });
                    if better {
                        best = Some((running, name, host));
                    }
                }
            }
            token = page.text("next_page_token").unwrap_or_default().to_owned();
            if token.is_empty() {
                break;
            }
        }
        let (_, name, host) = best.ok_or_else(|| {
            let wanted = if self.read_only() { "read-only" } else { "read-write" };
            Error::new(
                ErrorKind::NotFound,
                format!("{branch} has no {wanted} endpoint that is enabled"),
            )
        })?;
        Ok((name, host))
    }

    fn read_only(&self) -> bool {
        self.settings.access != Access::ReadWrite
    }

    /// An endpoint of the wanted type that is not disabled.
    fn candidate(&self, endpoint: &Value) -> Result<Option<(EndpointName, Option<Arc<str>>)>> {
        let kind = part(endpoint, "endpoint_type").unwrap_or_default();
        let wanted = if self.read_only() { "READ_ONLY" } else { "READ_WRITE" };
        if !kind.ends_with(wanted) || is_disabled(endpoint) {
            return Ok(None);
        }
        let name = endpoint.text("name").unwrap_or_default();
        let name = name
            .parse()
            .map_err(|_| protocol(self.host(), "named an endpoint in an unknown way"))?;
        Ok(Some((name, self.host_of(endpoint)?)))
    }

    /// The DNS name of an endpoint; `None` if it has none yet.
    fn host_of(&self, endpoint: &Value) -> Result<Option<Arc<str>>> {
        let hosts = endpoint.get("status").and_then(|status| status.get("hosts"));
        let read_only =
            hosts.and_then(|hosts| hosts.text("read_only_host")).filter(|_| self.read_only());
        let host = read_only.or_else(|| hosts?.text("host"));
        let valid =
            |host: &&str| host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
        if !host.iter().all(valid) {
            return Err(protocol(self.host(), "named a host that is not a host name"));
        }
        Ok(host.map(Arc::from))
    }

    /// The Postgres host of the endpoint `name`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Disabled`], [`ErrorKind::Unavailable`] if there is no host (yet), and those of any call.
    pub async fn endpoint_host(&self, name: &EndpointName) -> Result<Arc<str>> {
        let answer = self.call("GET", format!("/api/2.0/postgres/{name}"), String::new()).await?;
        if is_disabled(&answer.value) {
            let text = format!("endpoint {name} is disabled; enable it in the workspace");
            return Err(Error::new(ErrorKind::Disabled, text));
        }
        self.host_of(&answer.value)?.ok_or_else(|| {
            Error::new(
                ErrorKind::Unavailable,
                format!("the workspace reports no host for endpoint {name}"),
            )
        })
    }

    /// The Postgres role: the configured one, else the client id, else the user that the workspace reports.
    ///
    /// # Errors
    ///
    /// Those of any call.
    pub async fn user(&self) -> Result<Arc<str>> {
        match (&self.settings.user, self.settings.identity.client_id()) {
            (Some(user), _) | (None, Some(user)) => Ok(Arc::clone(user)),
            (None, None) => {
                let path = "/api/2.0/preview/scim/v2/Me".to_owned();
                let me = self.call("GET", path, String::new()).await?.value;
                let name = me.text("userName").map(Arc::from);
                name.ok_or_else(|| protocol(self.host(), "answered without `userName`"))
            }
        }
    }

    /// A workspace token with enough remaining life, and when it was asked for.
    pub(crate) fn bearer(&self) -> BoxFuture<'_, Result<(Secret, Moment)>> {
        Box::pin(async move {
            let now = self.now();
            match &self.settings.identity {
                Identity::Token(token) => return Ok((token.clone(), now)),
                Identity::Provider(provider) => return Ok((provider.token().await?, now)),
                Identity::ServicePrincipal { .. } | Identity::Federated { .. } => {}
            }
            let held = self.lock().clone().filter(|held| held.left(now) > SPARE_LIFE);
            let bearer = match held {
                Some(held) => held,
                None => self.fetch_bearer().await?,
            };
            Ok((bearer.token, bearer.started))
        })
    }

    /// A workspace token with at least half of its life: the cached one, or a new one.
    pub(crate) async fn young_bearer(&self) -> Result<Bearer> {
        let now = self.now();
        let held = self.lock().clone().filter(|held| held.is_young(now));
        match held {
            Some(held) => Ok(held),
            None => self.fetch_bearer().await,
        }
    }

    /// Requests a workspace token: as the service principal, or in exchange for an id token.
    fn fetch_bearer(&self) -> BoxFuture<'_, Result<Bearer>> {
        Box::pin(async move {
            let identity = &self.settings.identity;
            let (mut authorization, mut body) = (Secret::new(""), String::new());
            let mut id_token = Secret::new("");
            match identity {
                Identity::ServicePrincipal { client_id, client_secret } => {
                    authorization = basic(client_id, client_secret);
                    body.push_str("grant_type=client_credentials&scope=all-apis");
                }
                Identity::Federated { client_id, id_tokens } => {
                    id_token = id_tokens.token().await?;
                    body.push_str(EXCHANGE);
                    percent_encode(&mut body, id_token.expose());
                    if let Some(client_id) = client_id {
                        body.push_str("&client_id=");
                        percent_encode(&mut body, client_id);
                    }
                }
                Identity::Token(_) | Identity::Provider(_) => {
                    return Err(protocol(self.host(), "was given no client to name"));
                }
            }
            let started = self.now();
            let reply = self.effects.http.fetch(Request {
                method: "POST",
                url: [self.host().as_str(), "/oidc/v1/token"].concat(),
                authorization: authorization.clone(),
                workspace_id: None,
                content_type: "application/x-www-form-urlencoded",
                body,
            });
            let reply = reply.await?;
            let encoded = authorization.expose().get(6..).unwrap_or_default();
            let secrets = [identity.client_secret(), encoded, id_token.expose()];
            let value = read(self.host(), &reply, self.effects.clock.wall(), &secrets)
                .map_err(|error| below(&error, &asked_for(identity)))?;
            let token = value.text("access_token").map(Secret::new);
            let token =
                token.ok_or_else(|| protocol(self.host(), "answered without `access_token`"))?;
            let seconds = value.integer("expires_in");
            let seconds =
                seconds.ok_or_else(|| protocol(self.host(), "answered without `expires_in`"))?;
            let lifetime = Duration::from_secs(seconds.min(24 * 3600));
            let bearer = Bearer { token, started, lifetime };
            *self.lock() = Some(bearer.clone());
            Ok(bearer)
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Bearer>> {
        self.bearer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops the workspace token, unless it was replaced meanwhile.
    pub(crate) fn forget(&self, refused: Option<&Secret>) {
        let mut bearer = self.lock();
        let same = |held: &Bearer| refused.is_none_or(|refused| held.token.same_as(refused));
        if bearer.as_ref().is_some_and(same) {
            *bearer = None;
        }
    }

    /// Makes one call with a workspace token. A refused token is replaced until one is refused that was asked for after the
    /// first refusal: another call may have brought one before, which was revoked with the first.
    fn call(
        &self,
        method: &'static str,
        path: String,
        body: String,
    ) -> BoxFuture<'_, Result<Answer>> {
        Box::pin(async move {
            let mut first_refusal: Option<Duration> = None;
            loop {
                let (token, started) = self.bearer().await?;
                if !token.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
                    let text = "the workspace token has characters that no token has";
                    return Err(Error::new(ErrorKind::Config, text));
                }
                let reply = self.effects.http.fetch(Request {
                    method,
                    url: [self.host().as_str(), &path].concat(),
                    authorization: Secret::new(["Bearer ", token.expose()].concat()),
                    workspace_id: self.settings.workspace_id.clone(),
                    content_type: "application/json",
                    body: body.clone(),
                });
                let reply = reply.await?;
                let renewable = !matches!(self.settings.identity, Identity::Token(_));
                let is_older = |refusal| started.monotonic < refusal;
                if reply.status == 401 && renewable && first_refusal.is_none_or(is_older) {
                    first_refusal.get_or_insert(self.now().monotonic);
                    self.forget(Some(&token));
                    continue;
                }
                let secrets = [token.expose(), self.settings.identity.client_secret()];
                let value = read(self.host(), &reply, self.effects.clock.wall(), &secrets);
                let value = value.map_err(|error| below(&error, &[method, " ", &path].concat()))?;
                return Ok(Answer { value, served_at: served_at(&reply) });
            }
        })
    }
}

/// The purpose of a token, for messages.
fn asked_for(identity: &Identity) -> String {
    let mut line = String::from("getting an OAuth token");
    if let Some(client_id) = identity.client_id() {
        line.push_str(" for clientId ");
        line.push_str(client_id);
    }
    let secret = matches!(identity, Identity::ServicePrincipal { .. });
    line.push_str(if secret {
        " with the given clientSecret"
    } else {
        " with the token from oidcToken"
    });
    line
}

/// A text of `status`, else of `spec`: the value in effect, else the requested one.
fn part<'a>(endpoint: &'a Value, name: &str) -> Option<&'a str> {
    ["status", "spec"].iter().find_map(|part| endpoint.get(part)?.text(name))
}

fn is_disabled(endpoint: &Value) -> bool {
    let said = ["status", "spec"].iter().find_map(|part| endpoint.get(part)?.get("disabled"));
    matches!(said, Some(Value::Bool(true)))
}

/// A module for the edge does not search the workspace for a host: that takes many requests.
pub(crate) fn host_alone() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "name an endpoint, or a project and branch, not a host or instance",
    )
}

fn body(endpoint: &EndpointName, request: &CredentialRequest) -> String {
    let mut body = String::from("{\"endpoint\":");
    quote(&mut body, endpoint.as_str());
    if let Some(ttl) = request.ttl {
        let seconds = ttl.as_secs().saturating_add(u64::from(ttl.subsec_nanos() > 0));
        let _ = write!(body, ",\"ttl\":\"{seconds}s\"");
    }
    if !request.claims.is_empty() {
        body.push_str(",\"claims\":[");
        for (index, claim) in request.claims.iter().enumerate() {
            body.push_str(if index > 0 { ",{\"permission_set\":" } else { "{\"permission_set\":" });
            quote(&mut body, &claim.permission_set);
            body.push_str(",\"resources\":[");
            for (index, table) in claim.tables.iter().enumerate() {
                body.push_str(if index > 0 { ",{\"table_name\":" } else { "{\"table_name\":" });
                quote(&mut body, table);
                body.push('}');
            }
            body.push_str("]}");
        }
        body.push(']');
    }
    body.push('}');
    body
}

#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
impl CredentialSource for Workspace {
    async fn fetch(&self, request: &CredentialRequest) -> Result<DatabaseCredential> {
        let endpoint = request.compute.as_endpoint().ok_or_else(host_alone)?;
        if request.force {
            self.forget(None);
        }
        let body = body(endpoint, request);
        let answer = self.call("POST", "/api/2.0/postgres/credentials".to_owned(), body).await?;
        let missing =
            |field| protocol(self.host(), &["answered without a usable `", field, "`"].concat());
        let token = answer.value.text("token").ok_or_else(|| missing("token"))?;
        let expires_at = answer.value.text("expire_time").and_then(|time| time.parse().ok());
        Ok(DatabaseCredential {
            token: Secret::new(token),
            expires_at: expires_at.ok_or_else(|| missing("expire_time"))?,
            served_at: answer.served_at,
        })
    }
}

#[cfg(test)]
#[path = "workspace_tests.rs"]
mod tests;
