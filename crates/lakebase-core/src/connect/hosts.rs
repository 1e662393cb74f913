//! Finds addresses for host names: the system's resolver first, then direct DNS queries.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::{Error, Result, Runtime};

/// How long an answer is used again; also a cap on what DNS says.
const KEEP: Duration = Duration::from_secs(60);
/// How long an answer is used while DNS is down. RFC 8767 recommends one to three days.
const KEEP_STALE: Duration = Duration::from_secs(24 * 60 * 60);

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
    /// Whether connecting did not work.
    stale: bool,
}

impl Hosts {
    /// Where to connect to for `host`: what the system's resolver says, else what a direct query does.
    ///
    /// If nobody can be asked, the last addresses are better than none.
    pub(super) async fn addresses(
        &self,
        runtime: &Runtime,
        host: &Arc<str>,
    ) -> Result<Vec<IpAddr>> {
        let literal = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = literal.parse::<IpAddr>() {
            return Ok(vec![address]);
        }
        let now = runtime.clock.monotonic();
        let age = |answer: &Answer| now.saturating_sub(answer.at);
        let known = self.lock().clone().filter(|answer| answer.host == *host);
        if let Some(answer) = &known
            && !answer.stale
            && age(answer) < KEEP
        {
            return Ok(answer.addresses.clone());
        }
        match look_up(runtime, host).await {
            Ok(addresses) => {
                let (host, stale) = (Arc::clone(host), false);
                *self.lock() = Some(Answer { host, at: now, addresses: addresses.clone(), stale });
                Ok(addresses)
            }
            Err(error) => known
                .filter(|answer| error.is_transient() && age(answer) < KEEP_STALE)
                .map(|answer| answer.addresses)
                .ok_or(error),
        }
    }

    /// Looks the host up again next time: connecting did not work.
    pub(super) fn doubt(&self) {
        if let Some(answer) = &mut *self.lock() {
            answer.stale = true;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Answer>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn look_up(runtime: &Runtime, host: &str) -> Result<Vec<IpAddr>> {
    let system = match runtime.hosts.resolve(host).await {
        Ok(addresses) => return Ok(addresses),
        Err(error) => error,
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
