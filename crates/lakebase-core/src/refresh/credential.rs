//! The cache of database credentials.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Cache, Demand, Expires, Origin};
use crate::{CredentialRequest, CredentialSource, DatabaseCredential, Result, Runtime, Timestamp};

/// The longest life that is believed: 24 hours.
const MAX_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

impl Expires for DatabaseCredential {
    /// Counted by the server's own clock where it said what time it was, so a wrong local one does no harm.
    fn lifetime(&self, wall: Timestamp) -> Duration {
        self.expires_at.saturating_since(self.served_at.unwrap_or(wall)).min(MAX_LIFETIME)
    }

    fn same_as(&self, other: &Self) -> bool {
        self.token.same_as(&other.token)
    }
}

/// Database credentials for one request (endpoint, life, claims), refreshed ahead of their expiry.
///
/// All methods are those of [`Cache`].
#[derive(Clone, Debug)]
pub struct CredentialCache(Cache<DatabaseCredential>);

impl CredentialCache {
    /// An empty cache that asks `source` for `request`.
    #[must_use]
    pub fn new(
        source: Arc<dyn CredentialSource>,
        request: CredentialRequest,
        runtime: &Runtime,
    ) -> Self {
        Self(Cache::new(Arc::new(Requested { source, request }), runtime))
    }
}

impl Deref for CredentialCache {
    type Target = Cache<DatabaseCredential>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

#[derive(Debug)]
struct Requested {
    source: Arc<dyn CredentialSource>,
    request: CredentialRequest,
}

#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
impl Origin<DatabaseCredential> for Requested {
    async fn fetch(&self, demand: Demand) -> Result<DatabaseCredential> {
        let request = CredentialRequest { force: demand.force, ..self.request.clone() };
        self.source.fetch(&request).await
    }
}
