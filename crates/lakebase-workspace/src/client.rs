//! Calls to a workspace with a cached token.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use lakebase_core::refresh::{Cache, Demand, Held};
use lakebase_core::{
    Access, BranchName, CredentialRequest, CredentialSource, DatabaseCredential, Endpoint,
    EndpointName, EndpointResolver, Error, ErrorKind, Result, Runtime, Secret, Target, Timestamp,
    UserResolver, endpoint,
};

use crate::auth::{TokenOrigin, USER_TOKEN, UserToken};
use crate::host_search::HostSearch;
use crate::retry::Attempts;
use crate::session::{Session, authorize};
use crate::{AccessToken, Retry, TokenSource, WorkspaceConfig, WorkspaceHost, wire};

/// The most pages of a list.
pub(crate) const MAX_PAGES: usize = 1000;

/// A Databricks workspace.
///
/// Cheap to clone; clones share a [`Cache`] of the workspace's token, which is fetched on first use. Nothing is sent before
/// the first call.
///
/// The methods of this type retry as [`Retry`] says. Calls as [`CredentialSource`], [`EndpointResolver`] and
/// [`UserResolver`] make one attempt, because the caller's cache retries. A refused token is replaced once within an
/// attempt.
///
/// **Cancellation:** dropping a call's future abandons its request and leaves the client usable.
#[derive(Clone, Debug)]
pub struct WorkspaceClient {
    inner: Arc<Inner>,
    retry: Retry,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) session: Session,
    source: Arc<dyn TokenSource>,
    tokens: Cache<AccessToken>,
}

impl WorkspaceClient {
    /// A client for the workspace and identity of `config`.
    #[must_use]
    pub fn new(config: WorkspaceConfig, runtime: &Runtime) -> Self {
        let (session, source) = config.into_session(runtime);
        let tokens = Cache::new(Arc::new(TokenOrigin(Arc::clone(&source))), runtime);
        Self { inner: Arc::new(Inner { session, source, tokens }), retry: Retry::default() }
    }

    /// A client of the same workspace for the identity of `token`, such as the user whose token Databricks Apps forward.
    ///
    /// It shares the effects, and so HTTP connections, and nothing secret. The token is not renewed.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) if `token` cannot be a token.
    pub fn on_behalf_of(&self, token: Secret) -> Result<Self> {
        let session = self.inner.session.acting_as(USER_TOKEN);
        let source: Arc<dyn TokenSource> = Arc::new(UserToken::new(token)?);
        let tokens = Cache::new(Arc::new(TokenOrigin(Arc::clone(&source))), &session.runtime);
        Ok(Self { inner: Arc::new(Inner { session, source, tokens }), retry: self.retry })
    }

    /// The same client with another policy for its methods.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// The workspace's address.
    #[must_use]
    pub fn host(&self) -> &WorkspaceHost {
        &self.inner.session.host
    }

    /// The route of requests to the workspace, in words that follow "goes": `directly`, or the proxy and its setting. Sends
    /// nothing.
    ///
    /// # Errors
    ///
    /// Those of [`HttpClient::route`](lakebase_core::HttpClient::route).
    pub fn route(&self) -> Result<String> {
        let session = &self.inner.session;
        session.runtime.http.route(wire::databricks_config(&session.host)?.uri())
    }

    /// The kind of identity, by the SDKs' name such as `oauth-m2m`; `callback`, `on-behalf-of`, or the name of a custom
    /// source.
    #[must_use]
    pub fn auth_type(&self) -> &str {
        self.inner.source.auth_type()
    }

    /// Checks that the workspace answers, and returns the `Date` of its reply, if any. For diagnosis.
    ///
    /// Sends one request without a token, for `/.well-known/databricks-config`. The workspace need not have this document.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](ErrorKind::Unavailable), [`TimedOut`](ErrorKind::TimedOut) or
    /// [`Tls`](ErrorKind::Tls) if it cannot be reached. The reply's error if it fails (status 500 and above), redirects (as
    /// behind a private link) or refuses every request.
    pub async fn server_time(&self) -> Result<Option<Timestamp>> {
        let session = &self.inner.session;
        let reply = session.send(wire::databricks_config(&session.host)?).await?;
        let date = wire::served_at(reply.headers());
        match reply.status() {
            StatusCode::NOT_FOUND => Ok(date),
            _ => session.expect_success(reply, &[]).map(|_| date),
        }
    }

    /// The workspace's bearer token, from the cache or the identity.
    ///
    /// # Errors
    ///
    /// Those of the identity; see [`TokenSource::fetch`].
    pub async fn access_token(&self) -> Result<Held<AccessToken>> {
        self.inner.tokens.get().await
    }

    /// The cache of the bearer token, for its status and to keep it fresh in the background.
    #[must_use]
    pub fn tokens(&self) -> &Cache<AccessToken> {
        &self.inner.tokens
    }

    /// All endpoints of `branch`, in the service's order.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) if there is no such branch, the identity's errors,
    /// [`Protocol`](ErrorKind::Protocol) for a malformed reply, or a transient kind.
    pub async fn list_endpoints(&self, branch: &BranchName) -> Result<Vec<Endpoint>> {
        self.inner.list_endpoints(branch, self.retry).await
    }

    /// The endpoint `name`, of any type and state.
    ///
    /// # Errors
    ///
    /// As [`list_endpoints`](Self::list_endpoints).
    pub async fn get_endpoint(&self, name: &EndpointName) -> Result<Endpoint> {
        self.inner.get_endpoint(name, self.retry).await
    }

    /// A new database credential.
    ///
    /// # Errors
    ///
    /// As [`CredentialSource::fetch`].
    pub async fn generate_credential(
        &self,
        request: &CredentialRequest,
    ) -> Result<DatabaseCredential> {
        self.inner.generate_credential(request, self.retry).await
    }

    /// The user name of the identity, from the workspace: an e-mail address or an application id.
    ///
    /// # Errors
    ///
    /// The identity's, [`Protocol`](ErrorKind::Protocol), or a transient kind.
    pub async fn current_user(&self) -> Result<Arc<str>> {
        self.inner.current_user(self.retry).await
    }
}

impl Inner {
    pub(crate) async fn list_endpoints(
        &self,
        branch: &BranchName,
        retry: Retry,
    ) -> Result<Vec<Endpoint>> {
        let what = format!("listing the endpoints of {branch}");
        let mut attempts = Attempts::new(&self.session.runtime, retry);
        let mut endpoints = Vec::new();
        let mut token: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let request = wire::list_endpoints(&self.session.host, branch, token.as_deref())?;
            let page = self.call(&what, &mut attempts, request, false, |reply| {
                wire::endpoint_page(reply.body())
            });
            let page = page.await?;
            endpoints.extend(page.items);
            if page.next_page_token.is_none() {
                return Ok(endpoints);
            }
            if page.next_page_token == token {
                break;
            }
            token = page.next_page_token;
        }
        let problem =
            "the list of endpoints has no end: `next_page_token` repeats or goes on for ever";
        Err(Error::new(ErrorKind::Protocol, problem).context(what))
    }

    async fn get_endpoint(&self, name: &EndpointName, retry: Retry) -> Result<Endpoint> {
        let mut attempts = Attempts::new(&self.session.runtime, retry);
        let request = wire::get_endpoint(&self.session.host, name)?;
        let what = format!("looking up {name}");
        self.call(&what, &mut attempts, request, false, |reply| wire::endpoint(reply.body())).await
    }

    async fn generate_credential(
        &self,
        request: &CredentialRequest,
        retry: Retry,
    ) -> Result<DatabaseCredential> {
        let mut attempts = Attempts::new(&self.session.runtime, retry);
        let what = format!("getting a database credential for {}", request.compute);
        let sent = wire::generate_credential(&self.session.host, request)?;
        self.call(&what, &mut attempts, sent, request.force, |reply| {
            wire::credential(reply.body(), wire::served_at(reply.headers()))
        })
        .await
    }

    async fn current_user(&self, retry: Retry) -> Result<Arc<str>> {
        let mut attempts = Attempts::new(&self.session.runtime, retry);
        let request = wire::current_user(&self.session.host)?;
        let what = "asking the workspace for the current user";
        self.call(what, &mut attempts, request, false, |reply| wire::user_name(reply.body())).await
    }

    /// Makes one call, retries it as `attempts` allows, and reads its reply.
    pub(crate) async fn call<T>(
        &self,
        what: &str,
        attempts: &mut Attempts<'_>,
        request: Request<Bytes>,
        force: bool,
        read: impl Fn(&Response<Bytes>) -> Result<T>,
    ) -> Result<T> {
        loop {
            let result = self.attempt(&request, force).await.and_then(|reply| read(&reply));
            match result {
                Ok(value) => return Ok(value),
                Err(error) => {
                    attempts.after(error).await.map_err(|error| error.context(what))?;
                }
            }
        }
    }

    /// Sends `request` with the token. A refused token is replaced once.
    async fn attempt(&self, request: &Request<Bytes>, force: bool) -> Result<Response<Bytes>> {
        let demand = Demand::nested(force && self.source.is_renewable());
        let mut held = self.tokens.get_for(demand).await?;
        let mut reply = self.send(request, &held).await?;
        if reply.status() == StatusCode::UNAUTHORIZED && self.source.is_renewable() {
            let fresh = self.replace(&held).await?;
            // The cache limits how often it drops a token.
            if fresh.generation() != held.generation() {
                held = fresh;
                reply = self.send(request, &held).await?;
            }
        }
        self.session.expect_success(reply, &held.secrets()).map_err(|error| match error.kind() {
            ErrorKind::Unauthenticated => {
                error.context(format!("the workspace refused {}", self.source.describe()))
            }
            _ => error,
        })
    }

    async fn replace(&self, held: &Held<AccessToken>) -> Result<Held<AccessToken>> {
        self.tokens.invalidate(held.generation());
        self.tokens.get_for(Demand::nested(false)).await
    }

    async fn send(&self, request: &Request<Bytes>, token: &AccessToken) -> Result<Response<Bytes>> {
        let mut request = request.clone();
        authorize(&mut request, token)?;
        self.session.send(request).await
    }
}

#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
impl CredentialSource for WorkspaceClient {
    async fn fetch(&self, request: &CredentialRequest) -> Result<DatabaseCredential> {
        self.inner.generate_credential(request, Retry::NONE).await
    }
}

#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
impl EndpointResolver for WorkspaceClient {
    async fn resolve(&self, target: &Target, access: Access) -> Result<Endpoint> {
        match target {
            Target::Endpoint(name) => self.inner.get_endpoint(name, Retry::NONE).await,
            Target::Branch(branch) => {
                let endpoints = self.inner.list_endpoints(branch, Retry::NONE).await?;
                endpoint::choose(target, access, &endpoints)
            }
            Target::Host(host) => HostSearch::new(&self.inner, host).run(access).await,
        }
    }
}

/// A service principal's name is its client id, which needs no request.
#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
impl UserResolver for WorkspaceClient {
    async fn resolve(&self) -> Result<Arc<str>> {
        match self.inner.source.user() {
            Some(user) => Ok(user),
            None => self.inner.current_user(Retry::NONE).await,
        }
    }
}
