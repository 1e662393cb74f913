//! Connections through a SOCKS proxy.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::{Either, select};
use lakebase_core::effect::{ByteStream, DialTarget, Dialed};
use lakebase_core::{Error, ErrorKind, Result};

use super::socks::{self, Destination};
use super::{Connect, Dialer, Outcome, describe, jitter};
use crate::hosts;
use crate::proxies::{Proxy, ProxyError, ProxyProblem};

/// How far the attempts have come, for the error if time runs out.
#[derive(Default)]
struct Progress {
    /// The proxy accepted a connection.
    is_reached: AtomicBool,
    /// It was asked for the host.
    is_asked: AtomicBool,
}

impl Progress {
    fn silence(&self, limit: Duration) -> ProxyError {
        let is_asked = self.is_asked.load(Ordering::Relaxed);
        let did = match self.is_reached.load(Ordering::Relaxed) {
            _ if is_asked => "was asked for the host and did not answer",
            true => "accepted TCP and did not answer",
            false => "did not accept a connection",
        };
        ProxyError::silent(format!("the proxy {did} within {limit:.1?}"))
    }
}

impl<N: Connect> Dialer<N> {
    /// The connection to a server of Postgres through `proxy`.
    pub(super) async fn postgres(&self, proxy: &Proxy, target: DialTarget<'_>) -> Result<Dialed> {
        let known = match (target.addresses, proxy.looks_up()) {
            ([], false) => self.addresses(target.host).await?,
            _ => Vec::new(),
        };
        let addresses = if known.is_empty() { target.addresses } else { &known };
        self.through(proxy, DialTarget { addresses, ..target }).await.map_err(|problem| {
            let place = format!("{}:{} through the proxy {proxy}", target.host, target.port);
            Error::new(problem.kind(), format!("could not connect to {place}")).with_source(problem)
        })
    }

    /// Connects to `target` through the SOCKS proxy `proxy`: to the first of its addresses that is reached, or to its name,
    /// which the proxy looks up, where there are none.
    pub(crate) async fn through(
        &self,
        proxy: &Proxy,
        target: DialTarget<'_>,
    ) -> Result<Dialed, ProxyError> {
        let DialTarget { host, addresses, port, timeout, .. } = target;
        let progress = Progress::default();
        let literal = hosts::literal(host);
        let addresses: Vec<_> = match addresses {
            [] => literal.into_iter().map(|ip| SocketAddr::new(ip, port)).collect(),
            given => given.iter().map(|ip| SocketAddr::new(*ip, port)).collect(),
        };
        if addresses.is_empty() {
            let work = self.open(proxy, &target, Destination::Name(host), &progress);
            return match select(pin!(work), self.net.sleep(timeout)).await {
                Either::Left((stream, _)) => stream.map(|stream| Dialed { stream, peer: None }),
                Either::Right(_) => Err(progress.silence(timeout)),
            };
        }
        let connect = |address: SocketAddr| {
            let work = self.open(proxy, &target, Destination::Address(address.ip()), &progress);
            async { work.await.map_err(io::Error::other) }
        };
        let dialed = self.first(&addresses, jitter(&target), timeout, connect).await;
        dialed.map_err(|outcomes| summary(outcomes, || progress.silence(timeout)))
    }

    async fn open(
        &self,
        proxy: &Proxy,
        target: &DialTarget<'_>,
        to: Destination<'_>,
        progress: &Progress,
    ) -> Result<Box<dyn ByteStream>, ProxyError> {
        let at = DialTarget { host: proxy.host(), addresses: &[], port: proxy.port(), ..*target };
        let mut stream = self.directly(at).await.map_err(|error| {
            ProxyError::unreachable("the proxy cannot be reached").with_source(error)
        })?;
        progress.is_reached.store(true, Ordering::Relaxed);
        socks::greet(&mut stream.stream, proxy).await?;
        progress.is_asked.store(true, Ordering::Relaxed);
        socks::connect(&mut stream.stream, to, target.port).await?;
        Ok(stream.stream)
    }
}

/// Summarizes all attempts in one error.
fn summary(
    mut outcomes: Vec<(SocketAddr, Outcome)>,
    silence: impl FnOnce() -> ProxyError,
) -> ProxyError {
    // A fault of the proxy itself holds for every address.
    let own = outcomes.iter().position(|(_, outcome)| {
        problem(outcome).is_some_and(|problem| problem.problem() != ProxyProblem::Refused)
    });
    if let Some(own) = own
        && let (_, Outcome::Failed(error)) = outcomes.swap_remove(own)
        && let Some(Ok(problem)) = error.into_inner().map(|error| error.downcast::<ProxyError>())
    {
        return *problem;
    }
    let mut kinds =
        outcomes.iter().filter_map(|(_, outcome)| problem(outcome)).map(ProxyError::kind);
    match kinds.next() {
        None => silence(),
        Some(first) => {
            let kind = if kinds.all(|kind| kind == first) { first } else { ErrorKind::Unavailable };
            ProxyError::refused(kind, describe(&outcomes))
        }
    }
}

fn problem(outcome: &Outcome) -> Option<&ProxyError> {
    match outcome {
        Outcome::Failed(error) => error.get_ref()?.downcast_ref(),
        Outcome::Silent(_) | Outcome::Untried => None,
    }
}
