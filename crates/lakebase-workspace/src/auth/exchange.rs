//! Workload identity federation: an id token of another issuer becomes a token of the workspace.
//!
//! RFC 8693's token exchange at the workspace's token end point. With a client id the federation policy of that service
//! principal applies, without one the account's. Every exchange reads the id token again, because it may be rotated. Facts from Databricks' SDK for Python 0.162 (`oidc.py`, `credentials_provider.py`
//! `oidc_credentials_provider` and `_oidc_credentials_provider`) and for Go 0.175
//! (`config/experimental/auth/oidc/tokensource.go`).

use std::fmt;
use std::sync::Arc;

use lakebase_core::refresh::Demand;
use lakebase_core::{Error, ErrorKind, MaybeSend, MaybeSync, Result, Secret, Setting};

use super::AccessToken;
use super::kind::{Identity, Prepared, Reading, prepared};
use super::token_endpoint::TokenEndpoint;
use crate::session::Session;
use crate::wire;

/// A source of id tokens.
pub(super) trait IdTokens: fmt::Debug + MaybeSend + MaybeSync {
    /// Fetches an id token. Sources that need an audience call `audience`.
    fn id_token(&self, audience: &Audience<'_>)
    -> impl Future<Output = Result<Secret>> + MaybeSend;

    /// The token and its origin: `the id token in …`. Contains no secret.
    fn describe(&self) -> String;
}

/// The audience of id tokens: the configured one, otherwise the workspace's.
pub(super) struct Audience<'a> {
    configured: Option<&'a str>,
    endpoint: &'a TokenEndpoint,
}

impl Audience<'_> {
    pub(super) async fn get(&self) -> Result<String> {
        match self.configured {
            Some(audience) => Ok(audience.to_owned()),
            None => self.endpoint.audience().await,
        }
    }
}

/// An identity of type `auth_type` with the id tokens of `make`.
pub(super) fn federated<T: IdTokens + 'static>(
    auth_type: &'static str,
    reading: &Reading<'_>,
    make: impl Fn(&Session) -> T + Send + Sync + 'static,
) -> Result<Option<Prepared>> {
    let client_id = reading.get("client_id");
    let audience = reading.get("token_audience").map(|audience| audience.value);
    Ok(Some(prepared(auth_type, move |session| Federated {
        endpoint: TokenEndpoint::new(session.clone()),
        id_tokens: make(session),
        client_id: client_id.clone(),
        audience: audience.clone(),
    })))
}

/// Exchanges id tokens.
#[derive(Debug)]
struct Federated<T> {
    endpoint: TokenEndpoint,
    id_tokens: T,
    client_id: Option<Setting<String>>,
    audience: Option<String>,
}

impl<T: IdTokens> Federated<T> {
    async fn exchange(&self, id_token: &Secret) -> Result<AccessToken> {
        let client_id = self.client_id.as_ref().map(|id| id.value.as_str());
        let make = |uri: &_| Ok(wire::token_exchange(uri, id_token, client_id));
        self.endpoint.token(make, std::slice::from_ref(id_token)).await
    }

    /// The error for an id token that the workspace refuses.
    fn refused(&self, id_token: &Secret, error: Error) -> Error {
        let now = self.endpoint.session.runtime.clock.wall();
        let expired = wire::jwt_expiry(id_token).filter(|end| *end <= now).map(|end| {
            let seconds = now.saturating_since(end).as_secs();
            format!("; it expired {seconds} s ago by this machine's clock, and needs to be renewed")
        });
        let advice = expired.unwrap_or_else(|| match &self.client_id {
            Some(_) => "; compare the token's issuer, audience and subject with the service principal's federation policy".to_owned(),
            None => "; compare the token's issuer, audience and subject with the account's federation policy, or set client_id (DATABRICKS_CLIENT_ID)".to_owned(),
        });
        let client = self
            .client_id
            .as_ref()
            .map(|id| format!(" for client id {:?} from {}", id.value, id.origin));
        let client = client.unwrap_or_default();
        error
            .context(format!("the workspace refused {}{client}{advice}", self.id_tokens.describe()))
    }
}

impl<T: IdTokens> Identity for Federated<T> {
    async fn mint(&self, _: Demand) -> Result<AccessToken> {
        let audience = Audience { configured: self.audience.as_deref(), endpoint: &self.endpoint };
        let id_token = self.id_tokens.id_token(&audience).await?;
        self.exchange(&id_token).await.map_err(|error| {
            use ErrorKind::{InvalidRequest, PermissionDenied, Unauthenticated};
            match error.kind() {
                Unauthenticated | PermissionDenied | InvalidRequest => {
                    self.refused(&id_token, error)
                }
                _ => error.context(format!("exchanging {}", self.id_tokens.describe())),
            }
        })
    }

    fn describe(&self) -> String {
        let who = match &self.client_id {
            Some(id) => format!("the service principal {} from {}", id.value, id.origin),
            None => "whom the account's federation policy names".to_owned(),
        };
        format!("{}, exchanged for a token of {who}", self.id_tokens.describe())
    }

    fn user(&self) -> Option<Arc<str>> {
        self.client_id.as_ref().map(|id| id.value.as_str().into())
    }
}

/// The text without surrounding white space, as a token.
pub(super) fn token_text(text: &str) -> Option<Secret> {
    let text = text.trim();
    let token = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    token.then(|| Secret::new(text))
}
