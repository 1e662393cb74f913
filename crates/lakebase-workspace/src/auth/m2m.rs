//! OAuth for service principals: `oauth-m2m`.
//!
//! The documented token end point is asked first; discovery happens only where that answers 404, and what
//! it found is remembered.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Response, StatusCode, Uri};
use lakebase_core::refresh::Demand;
use lakebase_core::{Error, ErrorKind, Result, Secret, Setting};

use super::{AccessToken, TokenSource};
use crate::session::Session;
use crate::wire;

/// A service principal with a client secret.
#[derive(Debug)]
pub(crate) struct OauthM2m {
    session: Session,
    client_id: Setting<String>,
    client_secret: Setting<Secret>,
    discovered: Mutex<Option<Uri>>,
}

impl OauthM2m {
    pub(crate) fn new(
        session: Session,
        client_id: Setting<String>,
        client_secret: Setting<Secret>,
    ) -> Self {
        Self { session, client_id, client_secret, discovered: Mutex::new(None) }
    }

    async fn ask(&self, uri: &Uri) -> Result<Response<Bytes>> {
        let (id, secret) = (&self.client_id.value, &self.client_secret.value);
        self.session.send(wire::client_credentials(uri, id, secret)?).await
    }

    fn known(&self) -> Option<Uri> {
        self.discovered.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember(&self, uri: Option<Uri>) {
        *self.discovered.lock().unwrap_or_else(PoisonError::into_inner) = uri;
    }

    /// The token end point that the workspace names, if it names one.
    async fn discover(&self) -> Result<Uri> {
        let host = &self.session.host;
        let issuer = self
            .document(wire::databricks_config(host)?)
            .await
            .and_then(|body| wire::oidc_endpoint(&body, self.session.account_id.as_deref()));
        // The first document is younger than the second: workspaces without it have their own issuer.
        let issuer = match issuer {
            Err(error) if error.is_transient() => return Err(error),
            issuer => issuer.unwrap_or_else(|_| format!("{host}/oidc")),
        };
        let body = self.document(wire::oauth_metadata(&issuer)?).await.map_err(|error| {
            error.context(format!("{host} has no token end point; is it a Databricks workspace?"))
        })?;
        wire::token_endpoint(&body)
    }

    async fn document(&self, request: http::Request<Bytes>) -> Result<Bytes> {
        let reply = self.session.send(request).await?;
        Ok(self.session.judge(reply, &[])?.into_body())
    }

    async fn mint(&self) -> Result<AccessToken> {
        let clock = &self.session.runtime.clock;
        let uri = match self.known() {
            Some(uri) => uri,
            None => wire::token_uri(&self.session.host)?,
        };
        let mut asked_at = clock.wall();
        let mut reply = self.ask(&uri).await?;
        if reply.status() == StatusCode::NOT_FOUND {
            let uri = self.discover().await?;
            asked_at = clock.wall();
            reply = self.ask(&uri).await?;
            self.remember(reply.status().is_success().then_some(uri));
        }
        let (id, secret) = (&self.client_id.value, self.client_secret.value.clone());
        let basic = wire::basic(id, &secret);
        let reply = self.session.judge(reply, &[secret, basic])?;
        wire::oauth_token(reply.body(), asked_at, wire::served_at(reply.headers()))
    }
}

#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
impl TokenSource for OauthM2m {
    async fn fetch(&self, _: Demand) -> Result<AccessToken> {
        self.mint().await.map_err(|error: Error| {
            if error.kind() == ErrorKind::Unauthenticated {
                let (id, secret) = (&self.client_id, &self.client_secret);
                error.context(format!(
                    "the workspace refused client id {:?} from {} with the secret from {}",
                    id.value, id.origin, secret.origin
                ))
            } else {
                error.context("getting an OAuth token")
            }
        })
    }

    fn auth_type(&self) -> &str {
        "oauth-m2m"
    }

    fn describe(&self) -> String {
        format!("the service principal {} from {}", self.client_id.value, self.client_id.origin)
    }

    fn user(&self) -> Option<Arc<str>> {
        Some(self.client_id.value.as_str().into())
    }
}
