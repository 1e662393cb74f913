//! Identities: where the workspace's bearer token comes from.

mod callback;
mod cli;
mod m2m;
mod pat;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lakebase_core::refresh::{Demand, Expires, Origin};
use lakebase_core::{MaybeSend, MaybeSync, Result, Secret, Timestamp};

pub use callback::Callback;
pub(crate) use cli::DatabricksCli;
pub(crate) use m2m::OauthM2m;
pub(crate) use pat::PersonalAccessToken;

/// The life of a token that does not say when it expires: the longest that a cache keeps anything.
const UNLIMITED: Duration = Duration::from_secs(24 * 3600);

/// A bearer token of the workspace.
#[derive(Clone, Debug)]
pub struct AccessToken {
    /// The token.
    pub token: Secret,
    /// When it stops working, by the clock of whoever served it; `None` if that is not known.
    pub expires_at: Option<Timestamp>,
    /// The server's clock when it answered, if it said.
    pub served_at: Option<Timestamp>,
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
/// - **Freshness:** every call asks again; caching and retries belong to the
///   [`Cache`](lakebase_core::refresh::Cache) in front. With [`Demand::force`] caches further back are passed by.
/// - **Cancellation:** dropping the future abandons the request and leaves `self` usable.
/// - **Secrecy:** neither `Debug` output nor a returned error may contain a token or another secret.
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

    /// The SDKs' name for this kind of identity; letters, digits and `-`. It is sent in the User-Agent.
    fn auth_type(&self) -> &str;

    /// Whose identity this is and where it was configured, for error messages. No secret.
    fn describe(&self) -> String {
        format!("the identity of type {}", self.auth_type())
    }

    /// The Postgres user name, where it is known without asking the workspace.
    fn user(&self) -> Option<Arc<str>> {
        None
    }

    /// Whether fetching again can give another token.
    fn is_renewable(&self) -> bool {
        true
    }
}

/// A source as the cache asks it.
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
        let mut token =
            AccessToken { token: "t".into(), expires_at: Some(at(3600)), served_at: Some(at(0)) };
        assert_eq!(token.lifetime(at(1800)), Duration::from_secs(3600));
        token.served_at = None;
        assert_eq!(token.lifetime(at(1800)), Duration::from_secs(1800));
        assert_eq!(token.lifetime(at(7200)), Duration::ZERO);
        token.expires_at = None;
        assert_eq!(token.lifetime(at(0)), UNLIMITED);
    }

    #[test]
    fn debug_hides_the_token() {
        let token = AccessToken { token: "dapi-1".into(), expires_at: None, served_at: None };
        assert!(!format!("{token:?}").contains("dapi-1"));
        assert!(token.same_as(&token.clone()));
    }
}
