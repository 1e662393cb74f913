//! The client of a workspace.

use std::sync::Arc;

use async_trait::async_trait;
use http::StatusCode;
use lakebase_core::refresh::{Cache, Held};
use lakebase_core::{
    Access, BranchName, CredentialRequest, CredentialSource, DatabaseCredential, Endpoint,
    EndpointName, EndpointResolver, Result, Runtime, Secret, Target, Timestamp, UserResolver,
    choose_endpoint,
};

use crate::auth::{TokenOrigin, USER_TOKEN, user_token};
use crate::calls::Calls;
use crate::host_search::HostSearch;
use crate::{AccessToken, Retry, WorkspaceConfig, WorkspaceHost, wire};

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
    calls: Arc<Calls>,
    retry: Retry,
}

impl WorkspaceClient {
    /// A client for the workspace and identity of `config`.
    #[must_use]
    pub fn new(config: WorkspaceConfig, runtime: &Runtime) -> Self {
        let (session, source) = config.into_session(runtime);
        let tokens = Cache::new(Arc::new(TokenOrigin(Arc::clone(&source))), runtime);
        Self { calls: Arc::new(Calls { session, source, tokens }), retry: Retry::default() }
    }

    /// A client of the same workspace for the identity of `token`, such as the user whose token Databricks Apps forward.
    ///
    /// It shares the effects, and so HTTP connections, and nothing secret. The token is not renewed.
    ///
    /// # Errors
    ///
    /// [`Config`](lakebase_core::ErrorKind::Config) if `token` cannot be a token.
    pub fn on_behalf_of(&self, token: Secret) -> Result<Self> {
        let session = self.calls.session.acting_as(USER_TOKEN);
        let source = user_token(token)?;
        let tokens = Cache::new(Arc::new(TokenOrigin(Arc::clone(&source))), &session.runtime);
        Ok(Self { calls: Arc::new(Calls { session, source, tokens }), retry: self.retry })
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
        &self.calls.session.host
    }

    /// The route of requests to the workspace, in words that follow "goes": `directly`, or the proxy and its setting. Sends
    /// nothing.
    ///
    /// # Errors
    ///
    /// Those of [`HttpClient::route`](lakebase_core::HttpClient::route).
    pub fn route(&self) -> Result<String> {
        let session = &self.calls.session;
        session.runtime.http.route(wire::databricks_config(&session.host)?.uri())
    }

    /// The kind of identity, by the SDKs' name such as `oauth-m2m`; `callback`, `on-behalf-of`, or the name of a custom
    /// source.
    #[must_use]
    pub fn auth_type(&self) -> &str {
        self.calls.source.auth_type()
    }

    /// Checks that the workspace answers, and returns the `Date` of its reply, if any. For diagnosis.
    ///
    /// Sends one request without a token, for `/.well-known/databricks-config`. The workspace need not have this document.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](lakebase_core::ErrorKind::Unavailable), [`TimedOut`](lakebase_core::ErrorKind::TimedOut) or
    /// [`Tls`](lakebase_core::ErrorKind::Tls) if it cannot be reached. The reply's error if it fails (status 500 and above), redirects (as
    /// behind a private link) or refuses every request.
    pub async fn server_time(&self) -> Result<Option<Timestamp>> {
        let session = &self.calls.session;
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
    /// Those of the identity; see [`TokenSource::fetch`](crate::TokenSource::fetch).
    pub async fn access_token(&self) -> Result<Held<AccessToken>> {
        self.calls.tokens.get().await
    }

    /// The cache of the bearer token, for its status and to keep it fresh in the background.
    #[must_use]
    pub fn tokens(&self) -> &Cache<AccessToken> {
        &self.calls.tokens
    }

    /// All endpoints of `branch`, in the service's order.
    ///
    /// # Errors
    ///
    /// [`NotFound`](lakebase_core::ErrorKind::NotFound) if there is no such branch, the identity's errors,
    /// [`Protocol`](lakebase_core::ErrorKind::Protocol) for a malformed reply, or a transient kind.
    pub async fn list_endpoints(&self, branch: &BranchName) -> Result<Vec<Endpoint>> {
        self.calls.list_endpoints(branch, self.retry).await
    }

    /// The endpoint `name`, of any type and state.
    ///
    /// # Errors
    ///
    /// As [`list_endpoints`](Self::list_endpoints).
    pub async fn get_endpoint(&self, name: &EndpointName) -> Result<Endpoint> {
        self.calls.get_endpoint(name, self.retry).await
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
        self.calls.generate_credential(request, self.retry).await
    }

    /// The user name of the identity, from the workspace: an e-mail address or an application id.
    ///
    /// # Errors
    ///
    /// The identity's, [`Protocol`](lakebase_core::ErrorKind::Protocol), or a transient kind.
    pub async fn current_user(&self) -> Result<Arc<str>> {
        self.calls.current_user(self.retry).await
    }
}

#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
impl CredentialSource for WorkspaceClient {
    async fn fetch(&self, request: &CredentialRequest) -> Result<DatabaseCredential> {
        self.calls.generate_credential(request, Retry::NONE).await
    }
}

#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
impl EndpointResolver for WorkspaceClient {
    async fn resolve(&self, target: &Target, access: Access) -> Result<Endpoint> {
        match target {
            Target::Endpoint(name) => self.calls.get_endpoint(name, Retry::NONE).await,
            Target::Branch(branch) => {
                let endpoints = self.calls.list_endpoints(branch, Retry::NONE).await?;
                choose_endpoint(target, access, &endpoints)
            }
            Target::Host(host) => HostSearch::new(&self.calls, host).run(access).await,
        }
    }
}

/// A service principal's name is its client id, which needs no request.
#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
impl UserResolver for WorkspaceClient {
    async fn resolve(&self) -> Result<Arc<str>> {
        match self.calls.source.user() {
            Some(user) => Ok(user),
            None => self.calls.current_user(Retry::NONE).await,
        }
    }
}
