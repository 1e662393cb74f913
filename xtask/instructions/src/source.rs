//! A service that mints at once.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lakebase_core::{
    Clock, CredentialRequest, CredentialSource, DatabaseCredential, Result, Secret,
};

/// How long its tokens live; none ages while instructions are counted.
const LIFE: Duration = Duration::from_secs(3600);

/// Mints tokens of the length that real ones have.
#[derive(Debug)]
pub(crate) struct Source(pub(crate) Arc<dyn Clock>);

#[async_trait]
impl CredentialSource for Source {
    async fn fetch(&self, _: &CredentialRequest) -> Result<DatabaseCredential> {
        let now = self.0.wall();
        Ok(DatabaseCredential {
            token: Secret::new("t".repeat(800)),
            expires_at: now.saturating_add(LIFE),
            served_at: Some(now),
        })
    }
}
