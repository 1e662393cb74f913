//! The service that all caches get their tokens from: slow if wanted, broken if wanted, and counting.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// As long as a workspace's.
pub(crate) const TOKEN: &str = concat!(
    "eyJraWQiOiIwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZiIsImFsZyI6IlJTMjU2In0.",
    "eyJjbGllbnRfaWQiOiIwMDAwMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDAwMDAwMDAiLCJzY29wZSI6ImFsbC1hcGlzIn0.",
    "c2lnbmF0dXJlLXNpZ25hdHVyZS1zaWduYXR1cmUtc2lnbmF0dXJlLXNpZ25hdHVyZS1zaWduYXR1cmUtc2lnbmF0dXJl",
);

/// How long tokens live.
pub(crate) const LIFE: Duration = Duration::from_secs(3600);

/// Clones share everything.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    delay: Duration,
    works: bool,
    mints: Arc<AtomicU32>,
}

impl Service {
    /// Answers after `delay`; with an error that usually passes (HTTP 503) unless it `works`.
    pub(crate) fn new(delay: Duration, works: bool) -> Self {
        Self { delay, works, mints: Arc::default() }
    }

    /// How often it was asked.
    pub(crate) fn mints(&self) -> u32 {
        self.mints.load(Ordering::Relaxed)
    }

    /// A token, or nothing if it does not work.
    pub(crate) async fn mint(&self) -> Option<&'static str> {
        self.mints.fetch_add(1, Ordering::Relaxed);
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        self.works.then_some(TOKEN)
    }

    /// The same as an OAuth reply: status and body.
    #[cfg(feature = "peers")]
    pub(crate) async fn reply(&self) -> (u16, String) {
        match self.mint().await {
            Some(token) => {
                let life = LIFE.as_secs();
                let body = serde_json::json!({
                    "access_token": token, "token_type": "Bearer", "expires_in": life, "ext_expires_in": life,
                });
                (200, body.to_string())
            }
            None => (503, r#"{"error":"temporarily_unavailable"}"#.to_owned()),
        }
    }
}
