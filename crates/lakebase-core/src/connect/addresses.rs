//! Looks up a connector's host and caches the answer.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::{Either, select};

use crate::notify::lock;
use crate::{Error, Result, Runtime};

/// How long an answer is used again. Its TTL is ignored.
const KEEP: Duration = Duration::from_secs(60);
/// How long an answer is used while DNS fails. RFC 8767 recommends one to three days.
const KEEP_STALE: Duration = Duration::from_secs(24 * 60 * 60);

/// How long the system's resolver may be silent before a direct query is sent, too. glibc waits five seconds before it repeats a
/// query whose packet was lost (resolv.conf(5), `timeout`).
const SILENCE: Duration = Duration::from_secs(1);

/// The last answer for a connector's one host.
#[derive(Debug, Default)]
pub(super) struct AddressCache(Mutex<Option<Answer>>);

#[derive(Clone, Debug)]
struct Answer {
    host: Arc<str>,
    at: Duration,
    addresses: Vec<IpAddr>,
    /// Whether a login at these addresses failed.
    stale: bool,
}

impl AddressCache {
    /// The addresses of `host`: from the system's resolver, or from a direct query if that fails or is silent.
    ///
    /// If both fail in a way that passes, the last addresses are returned.
    pub(super) async fn get(&self, runtime: &Runtime, host: &Arc<str>) -> Result<Vec<IpAddr>> {
        let literal = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = literal.parse::<IpAddr>() {
            return Ok(vec![address]);
        }
        let now = runtime.clock.monotonic();
        let age = |answer: &Answer| now.saturating_sub(answer.at);
        let known = lock(&self.0).clone().filter(|answer| answer.host == *host);
        if let Some(answer) = &known
            && !answer.stale
            && age(answer) < KEEP
        {
            return Ok(answer.addresses.clone());
        }
        match look_up(runtime, host).await {
            Ok(addresses) => {
                let (host, stale) = (Arc::clone(host), false);
                *lock(&self.0) =
                    Some(Answer { host, at: now, addresses: addresses.clone(), stale });
                Ok(addresses)
            }
            Err(error) => known
                .filter(|answer| error.is_transient() && age(answer) < KEEP_STALE)
                .map(|answer| answer.addresses)
                .ok_or(error),
        }
    }

    /// Makes the next [`get`](Self::get) look the host up again.
    pub(super) fn mark_stale(&self) {
        if let Some(answer) = &mut *lock(&self.0) {
            answer.stale = true;
        }
    }
}

/// The first of the system's resolver and a direct query that finds an address. The direct query starts when the resolver
/// has failed, or has been silent for [`SILENCE`].
async fn look_up(runtime: &Runtime, host: &str) -> Result<Vec<IpAddr>> {
    let system = runtime.hosts.resolve(host);
    let Some(fallback) = &runtime.fallback_hosts else {
        return system.await.map_err(|e| e.context(format!("cannot look up host {host:?}")));
    };
    let (system, direct) = match select(system, runtime.timer.sleep(SILENCE)).await {
        Either::Left((Ok(addresses), _)) => return Ok(addresses),
        Either::Left((Err(error), _)) => (error, fallback.resolve(host).await),
        Either::Right(((), system)) => match select(system, fallback.resolve(host)).await {
            Either::Left((Ok(addresses), _)) | Either::Right((Ok(addresses), _)) => {
                return Ok(addresses);
            }
            Either::Left((Err(error), direct)) => (error, direct.await),
            Either::Right((Err(error), system)) => match system.await {
                Ok(addresses) => return Ok(addresses),
                Err(system) => (system, Err(error)),
            },
        },
    };
    direct.map_err(|direct| {
        // The failure is transient if either is.
        let kind = if direct.is_transient() || !system.is_transient() {
            direct.kind()
        } else {
            system.kind()
        };
        let message = format!(
            "cannot look up host {host:?}: the system's resolver failed ({}), and so did a direct DNS query",
            system.report()
        );
        Error::new(kind, message).with_source(direct)
    })
}
