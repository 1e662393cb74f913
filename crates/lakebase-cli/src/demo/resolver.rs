//! A system resolver that knows no name, as where long host names break `getaddrinfo`.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use lakebase::core::HostResolver;
use lakebase::{Error, ErrorKind, Result};

/// Fails every look-up and counts them.
///
/// The real one would fail as well, since no public server knows the emulator's names; but how long it
/// takes over that depends on the network.
#[derive(Debug, Default)]
pub(crate) struct BrokenResolver {
    asked: AtomicU64,
}

impl BrokenResolver {
    /// How many look-ups failed.
    pub(crate) fn failures(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl HostResolver for BrokenResolver {
    async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Err(Error::new(ErrorKind::NotFound, format!("no address of {host} (simulated)")))
    }
}
