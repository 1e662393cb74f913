//! The workspace's OAuth token end point.
//!
//! The documented one, `{host}/oidc/v1/token`, comes first. Discovery follows only if that answers 404, and its result is
//! cached. The documents are those that Databricks' SDK for Python 0.162 reads (`config.py`
//! `_resolve_host_metadata`, `oauth.py` `get_host_metadata`): `/.well-known/databricks-config`, then the issuer's
//! `/.well-known/oauth-authorization-server`.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri};
use lakebase_core::{Result, Secret, Timestamp};

use crate::AccessToken;
use crate::session::Session;
use crate::wire;

/// The token end point of a workspace.
#[derive(Debug)]
pub(crate) struct TokenEndpoint {
    pub(crate) session: Session,
    discovered: Mutex<Option<Uri>>,
    audience: Mutex<Option<String>>,
}

impl TokenEndpoint {
    pub(crate) fn new(session: Session) -> Self {
        Self { session, discovered: Mutex::default(), audience: Mutex::default() }
    }

    /// The token that the end point gives for the request that `make` returns for its address.
    ///
    /// # Errors
    ///
    /// The reply's, without `secrets`; those of [`wire::oauth_token`].
    pub(crate) async fn token(
        &self,
        make: impl Fn(&Uri) -> Result<Request<Bytes>>,
        secrets: &[Secret],
    ) -> Result<AccessToken> {
        let (asked_at, reply) = self.ask(make).await?;
        let reply = self.session.expect_success(reply, secrets)?;
        wire::oauth_token(reply.body(), asked_at, wire::served_at(reply.headers()))
    }

    /// The reply, and the time of the request by this machine's clock.
    async fn ask(
        &self,
        make: impl Fn(&Uri) -> Result<Request<Bytes>>,
    ) -> Result<(Timestamp, Response<Bytes>)> {
        let clock = &self.session.runtime.clock;
        let known = lock(&self.discovered).clone();
        let uri = match known {
            Some(uri) => uri,
            None => wire::token_uri(&self.session.host)?,
        };
        let mut asked_at = clock.wall();
        let mut reply = self.session.send(make(&uri)?).await?;
        if reply.status() == StatusCode::NOT_FOUND {
            let (uri, _) = self.discover().await?;
            asked_at = clock.wall();
            reply = self.session.send(make(&uri)?).await?;
            *lock(&self.discovered) = reply.status().is_success().then_some(uri);
        }
        Ok((asked_at, reply))
    }

    /// The audience of id tokens: the first that the workspace names, the account's id if the host names no workspace,
    /// otherwise the token end point. Looked up once.
    pub(crate) async fn audience(&self) -> Result<String> {
        let known = lock(&self.audience).clone();
        if let Some(audience) = known {
            return Ok(audience);
        }
        let (uri, document) = self.discover().await?;
        let named = document.and_then(|body| wire::oidc_audience(&body, self.account_id()));
        let audience = named.unwrap_or_else(|| uri.to_string());
        *lock(&self.audience) = Some(audience.clone());
        Ok(audience)
    }

    fn account_id(&self) -> Option<&str> {
        self.session.account_id.as_deref()
    }

    /// The token end point that the workspace names, and its document, if any.
    async fn discover(&self) -> Result<(Uri, Option<Bytes>)> {
        let host = &self.session.host;
        // That document is newer than the other: workspaces without it have an issuer of their own.
        let document = match self.document(wire::databricks_config(host)?).await {
            Err(error) if error.is_transient() => return Err(error),
            document => document.ok(),
        };
        let issuer = document.as_ref().map(|body| wire::oidc_endpoint(body, self.account_id()));
        let issuer = issuer.and_then(Result::ok).unwrap_or_else(|| format!("{host}/oidc"));
        let body = self.document(wire::oauth_metadata(&issuer)?).await.map_err(|error| {
            error.context(format!("{host} has no token end point; is it a Databricks workspace?"))
        })?;
        Ok((wire::token_endpoint(&body)?, document))
    }

    async fn document(&self, request: Request<Bytes>) -> Result<Bytes> {
        let reply = self.session.send(request).await?;
        Ok(self.session.expect_success(reply, &[])?.into_body())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
