//! The values that a connector caches: the credential, the endpoint of its target, and its user's name.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::refresh::{Cache, Demand, Expires, Origin, Policy};
use crate::{
    Access, CredentialRequest, CredentialSource, DatabaseCredential, Endpoint, EndpointResolver,
    MaybeSend, MaybeSync, Result, Runtime, Target, Timestamp, UserResolver,
};

/// The lifetime is counted by the service's clock if its reply had a `Date`, so that a wrong local clock does no harm.
impl Expires for DatabaseCredential {
    fn lifetime(&self, wall: Timestamp) -> Duration {
        self.expires_at.saturating_since(self.served_at.unwrap_or(wall)).min(Policy::LONGEST_LIFE)
    }

    fn same_as(&self, other: &Self) -> bool {
        self.expires_at == other.expires_at && self.token.same_as(&other.token)
    }
}

/// Database credentials for one request (endpoint, lifetime, claims), refreshed before they expire.
///
/// Cheap to clone; clones share everything. All methods are those of [`Cache`].
#[derive(Clone, Debug)]
pub struct CredentialCache(Cache<DatabaseCredential>);

impl CredentialCache {
    /// An empty cache that asks `source` for `request`, with the default [`Policy`].
    ///
    /// [`CredentialRequest::force`] is set by the cache.
    #[must_use]
    pub fn new(
        source: Arc<dyn CredentialSource>,
        request: CredentialRequest,
        runtime: &Runtime,
    ) -> Self {
        Self::with_policy(source, request, runtime, Policy::default())
    }

    /// The same with another policy.
    #[must_use]
    pub fn with_policy(
        source: Arc<dyn CredentialSource>,
        request: CredentialRequest,
        runtime: &Runtime,
        policy: Policy,
    ) -> Self {
        let origin = Arc::new(SourceOrigin { source, request });
        Self(Cache::with_policy(origin, runtime, policy))
    }
}

impl Deref for CredentialCache {
    type Target = Cache<DatabaseCredential>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

#[derive(Debug)]
struct SourceOrigin {
    source: Arc<dyn CredentialSource>,
    request: CredentialRequest,
}

#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
impl Origin<DatabaseCredential> for SourceOrigin {
    async fn fetch(&self, demand: Demand) -> Result<DatabaseCredential> {
        if !demand.force {
            return self.source.fetch(&self.request).await;
        }
        self.source.fetch(&CredentialRequest { force: true, ..self.request.clone() }).await
    }

    fn kind(&self) -> &'static str {
        "credential"
    }

    fn subject(&self) -> String {
        format!("a database credential for {}", self.request.compute)
    }
}

/// How long a fact is used while the service cannot be asked. The next one is fetched earlier.
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// A value that has no expiry of its own.
#[derive(Debug)]
pub(crate) struct Fact<T>(pub(crate) T);

impl<T: fmt::Debug + MaybeSend + MaybeSync + 'static> Expires for Fact<T> {
    fn lifetime(&self, _wall: Timestamp) -> Duration {
        LIFETIME
    }

    /// The same fact again counts as a new value.
    fn same_as(&self, _other: &Self) -> bool {
        false
    }
}

#[derive(Debug)]
pub(crate) struct EndpointFact {
    pub(crate) resolver: Arc<dyn EndpointResolver>,
    pub(crate) target: Target,
    pub(crate) access: Access,
}

#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
impl Origin<Fact<Endpoint>> for EndpointFact {
    fn kind(&self) -> &'static str {
        "endpoint"
    }

    async fn fetch(&self, _demand: Demand) -> Result<Fact<Endpoint>> {
        self.resolver.resolve(&self.target, self.access).await.map(Fact)
    }
}

#[derive(Debug)]
pub(crate) struct UserFact {
    pub(crate) resolver: Arc<dyn UserResolver>,
}

#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
impl Origin<Fact<Arc<str>>> for UserFact {
    fn kind(&self) -> &'static str {
        "user"
    }

    async fn fetch(&self, _demand: Demand) -> Result<Fact<Arc<str>>> {
        self.resolver.resolve().await.map(Fact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    fn credential(token: &str, expires: i64, served: Option<i64>) -> DatabaseCredential {
        DatabaseCredential {
            token: Secret::new(token),
            expires_at: Timestamp::from_unix_millis(expires),
            served_at: served.map(Timestamp::from_unix_millis),
        }
    }

    #[test]
    fn lives_are_counted_by_the_service_s_clock_if_it_is_known() {
        let wall = Timestamp::from_unix_millis(5_000);
        let table = [
            (9_000, Some(8_000), 1_000),
            (9_000, None, 4_000),
            (9_000, Some(9_500), 0),
            (4_000, None, 0),
            (i64::MAX, None, 86_400_000),
        ];
        for (expires, served, millis) in table {
            let life = credential("a", expires, served).lifetime(wall);
            assert_eq!(life, Duration::from_millis(millis), "{expires} {served:?}");
        }
    }

    #[test]
    fn the_same_credential_has_the_same_token_and_the_same_end() {
        let first = credential("a", 9_000, Some(1));
        assert!(first.same_as(&credential("a", 9_000, Some(2))));
        assert!(!first.same_as(&credential("a", 9_001, Some(1))), "its life was extended");
        assert!(!first.same_as(&credential("b", 9_000, Some(1))));
    }
}
