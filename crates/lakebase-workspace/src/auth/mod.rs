//! Identities: the sources of the workspace's bearer token.
//!
//! # Kinds
//!
//! Names, settings and rules are those of Databricks' SDKs. `auth_type` selects a kind. Without it the first kind of this
//! list with all its settings is used, and no other is tried; settings of two groups (`pat`, `oauth`, `file-oidc`, `azure`,
//! `google` and so on) are an error.
//!
//! | `auth_type` | configured by | what happens |
//! |---|---|---|
//! | `pat` | `DATABRICKS_TOKEN` | the token is sent |
//! | `metadata-service` | `DATABRICKS_METADATA_SERVICE_URL` | a service on this machine issues tokens |
//! | `oauth-m2m` | `DATABRICKS_CLIENT_ID`, `DATABRICKS_CLIENT_SECRET` | OAuth's client credentials grant |
//! | `env-oidc` | `DATABRICKS_OIDC_TOKEN`, or the variable that `DATABRICKS_OIDC_TOKEN_ENV` names | an id token is exchanged |
//! | `file-oidc` | `DATABRICKS_OIDC_TOKEN_FILEPATH` | the same, from a file that is read for every exchange |
//! | `github-oidc` | a job of GitHub Actions with `id-token: write`, `DATABRICKS_CLIENT_ID` | the same, from GitHub's service |
//! | `azure-msi` | `ARM_USE_MSI=true`, perhaps `ARM_CLIENT_ID` | the machine's managed identity |
//! | `azure-client-secret` | `ARM_CLIENT_ID`, `ARM_CLIENT_SECRET`, perhaps `ARM_TENANT_ID` | a service principal of Entra |
//! | `github-oidc-azure` | a job of GitHub Actions, `ARM_CLIENT_ID`, perhaps `ARM_TENANT_ID` | Entra accepts GitHub's id token instead of a secret |
//! | `azure-cli` | any other of Azure's settings | `az account get-access-token` |
//! | `azure-devops-oidc` | a job of Azure DevOps with `SYSTEM_ACCESSTOKEN`, `DATABRICKS_CLIENT_ID` | an id token is exchanged |
//! | `databricks-cli` | `auth_type` only | `databricks auth token` |
//! | `google-credentials` | `GOOGLE_CREDENTIALS`, with the feature of that name | a service account's key signs a request for an id token |
//! | `google-id` | `DATABRICKS_GOOGLE_SERVICE_ACCOUNT` | this machine or user gets an id token of that account |
//!
//! If nothing is configured, the login of the Databricks CLI is used; on Azure that of the Azure CLI comes first. An id
//! token with a client id is checked by the federation policy of that service principal, without one by the account's.

mod azure;
mod azure_cli;
mod azure_client_secret;
mod azure_devops_oidc;
mod azure_msi;
mod callback;
mod chain;
mod cli;
mod env_oidc;
mod exchange;
mod file_oidc;
mod github_oidc;
mod github_oidc_azure;
mod google;
mod google_credentials;
mod google_id;
#[cfg(feature = "google-credentials")]
mod google_key;
mod kind;
mod last_resort;
mod m2m;
mod metadata_service;
mod pat;
mod service;
mod token_endpoint;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::HeaderMap;
use lakebase_core::refresh::{Demand, Expires, Origin};
use lakebase_core::{MaybeSend, MaybeSync, Result, Secret, Timestamp};

pub use callback::Callback;
pub(crate) use chain::CHAIN;
pub(crate) use kind::{Prepared, Reading};
pub(crate) use last_resort::last_resort;
pub(crate) use pat::{USER_TOKEN, user_token};

/// The lifetime of a token without an expiry: the longest of a cache.
const UNLIMITED: Duration = Duration::from_secs(24 * 3600);

/// A bearer token of the workspace.
#[derive(Clone, Debug)]
pub struct AccessToken {
    /// The token.
    pub token: Secret,
    /// When it expires, by the issuer's clock; `None` if unknown.
    pub expires_at: Option<Timestamp>,
    /// The server's clock when it answered, if the reply has a `Date`.
    pub served_at: Option<Timestamp>,
    /// Further headers for the workspace, such as a second token. Secret values must be
    /// [sensitive](http::HeaderValue::set_sensitive).
    pub headers: HeaderMap,
}

impl AccessToken {
    /// A token without further facts.
    #[must_use]
    pub fn new(token: impl Into<Secret>) -> Self {
        Self { token: token.into(), expires_at: None, served_at: None, headers: HeaderMap::new() }
    }

    /// The secrets that an error must not quote from a reply to a request with this token.
    pub(crate) fn secrets(&self) -> Vec<Secret> {
        let headers = self.headers.values().filter(|value| value.is_sensitive());
        let headers = headers.filter_map(|value| value.to_str().ok().map(Secret::new));
        [self.token.clone()].into_iter().chain(headers).collect()
    }
}

impl Expires for AccessToken {
    fn lifetime(&self, wall: Timestamp) -> Duration {
        let since = self.served_at.unwrap_or(wall);
        self.expires_at.map_or(UNLIMITED, |end| end.saturating_since(since)).min(UNLIMITED)
    }

    fn same_as(&self, other: &Self) -> bool {
        self.token.same_as(&other.token)
    }
}

/// Obtains bearer tokens for the workspace.
///
/// # Contract
///
/// - **Freshness:** every call asks the service; the [`Cache`](lakebase_core::refresh::Cache) in front caches and retries.
///   [`Demand::force`] also passes caches of the service by.
/// - **Cancellation:** dropping the future abandons the request and leaves `self` usable.
/// - **Secrecy:** neither `Debug` output nor an error contains a token or another secret.
#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
pub trait TokenSource: fmt::Debug + MaybeSend + MaybeSync {
    /// Fetches a token.
    ///
    /// # Errors
    ///
    /// [`Unauthenticated`](lakebase_core::ErrorKind::Unauthenticated) if the identity is refused,
    /// [`Config`](lakebase_core::ErrorKind::Config) if it is not set up, or a transient kind.
    async fn fetch(&self, demand: Demand) -> Result<AccessToken>;

    /// The SDKs' name for this kind of identity: letters, digits and `-`. It is sent in the User-Agent.
    fn auth_type(&self) -> &str;

    /// The identity and the origin of its settings, for error messages. Contains no secret.
    fn describe(&self) -> String {
        format!("the identity of type {}", self.auth_type())
    }

    /// The Postgres user name, if it is known without a request.
    fn user(&self) -> Option<Arc<str>> {
        None
    }

    /// Whether another fetch can return another token.
    fn is_renewable(&self) -> bool {
        true
    }
}

/// A token source as the origin of a cache.
#[derive(Debug)]
pub(crate) struct TokenOrigin(pub(crate) Arc<dyn TokenSource>);

#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
impl Origin<AccessToken> for TokenOrigin {
    async fn fetch(&self, demand: Demand) -> Result<AccessToken> {
        self.0.fetch(demand).await
    }

    fn subject(&self) -> String {
        "a workspace token".to_owned()
    }

    fn kind(&self) -> &'static str {
        "workspace_token"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_millis(seconds * 1000)
    }

    #[test]
    fn lifetime_counts_from_the_servers_clock() {
        let mut token = AccessToken::new("t");
        (token.expires_at, token.served_at) = (Some(at(3600)), Some(at(0)));
        assert_eq!(token.lifetime(at(1800)), Duration::from_secs(3600));
        token.served_at = None;
        assert_eq!(token.lifetime(at(1800)), Duration::from_secs(1800));
        assert_eq!(token.lifetime(at(7200)), Duration::ZERO);
        token.expires_at = None;
        assert_eq!(token.lifetime(at(0)), UNLIMITED);
    }

    #[test]
    fn debug_hides_the_token() {
        let token = AccessToken::new("dapi-1");
        assert!(!format!("{token:?}").contains("dapi-1"));
        assert!(token.same_as(&token.clone()));
    }
}
