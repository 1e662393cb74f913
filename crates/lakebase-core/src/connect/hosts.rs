//! Finds addresses for host names: the system's resolver first, then direct DNS queries.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::{Error, Result, Runtime};

/// How long an answer is used again; also a cap on what DNS says.
const KEEP: Duration = Duration::from_secs(60);

/// The last answer for the one host that a connector talks to.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    last: Mutex<Option<Answer>>,
}

#[derive(Clone, Debug)]
struct Answer {
    host: Arc<str>,
    at: Duration,
    addresses: Vec<IpAddr>,
}

impl Hosts {
    /// Where to connect to for `host`; empty means that the driver may look it up itself, because it is
    /// an address or the system's resolver knows it.
    pub(super) async fn addresses(
        &self,
        runtime: &Runtime,
        host: &Arc<str>,
    ) -> Result<Vec<IpAddr>> {
        if host.parse::<IpAddr>().is_ok() {
            return Ok(Vec::new());
        }
        let now = runtime.clock.monotonic();
        let known = self.lock().clone();
        if let Some(answer) = known
            && answer.host == *host
            && now.saturating_sub(answer.at) < KEEP
        {
            return Ok(answer.addresses);
        }
        let addresses = look_up(runtime, host).await?;
        *self.lock() =
            Some(Answer { host: Arc::clone(host), at: now, addresses: addresses.clone() });
        Ok(addresses)
    }

    /// Looks the host up again next time: connecting did not work.
    pub(super) fn forget(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Answer>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn look_up(runtime: &Runtime, host: &str) -> Result<Vec<IpAddr>> {
    let Err(system) = runtime.hosts.resolve(host).await else {
        return Ok(Vec::new());
    };
    let Some(fallback) = &runtime.fallback_hosts else {
        return Err(system.context(format!("cannot look up host {host:?}")));
    };
    fallback.resolve(host).await.map_err(|direct| {
        // A transient failure of either leaves hope.
        let kind = if direct.is_transient() || !system.is_transient() {
            direct.kind()
        } else {
            system.kind()
        };
        let message = format!(
            "cannot look up host {host:?}: the system's resolver failed ({}), and so did a direct DNS query",
            system.report()
        );
        Error::new(kind, message)
            .with_source(direct)
    })
}
