//! The resolver: which server is asked what and when, and what the answers amount to.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::select;
use futures_util::io::{AsyncReadExt as _, AsyncWriteExt as _};
use lakebase_core::connect::TcpOptions;
use lakebase_core::{Clock, Error, ErrorKind, HostResolver, Result};

use super::message::{self, Answer, RecordType};
use super::system;
use crate::dial::{Dialer, describe};
use crate::net::{Net, within};
use crate::random::unpredictable;
use crate::{Options, hosts};

/// How often each server is asked.
const ROUNDS: usize = 2;
/// How long the second kind of address is waited for once one kind is known.
const GRACE: Duration = Duration::from_millis(200);
/// The longest time for which an answer is kept, whatever its TTL.
const MAX_TTL: Duration = Duration::from_secs(60);
/// How many names are remembered.
const MAX_CACHED: usize = 64;

/// Asks DNS servers over the sockets of `N`; IPv4 addresses come first, as most networks reach them.
#[derive(Debug)]
pub(crate) struct DirectResolver<N> {
    net: N,
    dialer: Arc<Dialer<N>>,
    clock: Arc<dyn Clock>,
    servers: Arc<[SocketAddr]>,
    resolv_conf: Option<PathBuf>,
    timeout: Duration,
    cache: Mutex<HashMap<String, Cached>>,
}

#[derive(Debug)]
struct Cached {
    until: Duration,
    addresses: Vec<IpAddr>,
}

/// The answers of one server for all addresses of a name, put together.
enum Outcome {
    Found(Vec<IpAddr>, Duration),
    None(&'static str),
}

impl<N: Net> DirectResolver<N> {
    pub(crate) fn new(
        net: N,
        dialer: Arc<Dialer<N>>,
        clock: Arc<dyn Clock>,
        options: &Options,
    ) -> Self {
        Self {
            net,
            dialer,
            clock,
            servers: Arc::clone(&options.dns_servers),
            resolv_conf: options.resolv_conf.clone(),
            timeout: options.dns_timeout,
            cache: Mutex::new(HashMap::new()),
        }
    }

    fn cache(&self) -> MutexGuard<'_, HashMap<String, Cached>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn servers(&self, name: &str) -> Result<Arc<[SocketAddr]>> {
        if !self.servers.is_empty() {
            return Ok(Arc::clone(&self.servers));
        }
        system::servers(self.resolv_conf.as_deref(), name).map(Into::into)
    }

    /// Both kinds of addresses from one server.
    async fn ask(&self, server: SocketAddr, name: &str) -> io::Result<Outcome> {
        let v4 = Box::pin(self.exchange(server, name, RecordType::A));
        let v6 = Box::pin(self.exchange(server, name, RecordType::Aaaa));
        let (first, other) = select(v4, v6).await.factor_first();
        let second = match &first {
            Ok(Answer::NoSuchName) => return Ok(Outcome::None("the name does not exist")),
            Ok(Answer::Found(..)) => within(&self.net, GRACE, other).await,
            _ => other.await,
        };
        let mut found = Vec::new();
        let mut ttl = MAX_TTL;
        let mut problem = None;
        for answer in [first, second] {
            match answer {
                Ok(Answer::Found(addresses, its_ttl)) => {
                    found.extend(addresses);
                    ttl = ttl.min(its_ttl);
                }
                Ok(Answer::NoData) => {}
                Ok(Answer::NoSuchName) => return Ok(Outcome::None("the name does not exist")),
                Ok(Answer::Failed(code)) => problem = Some(io::Error::other(code)),
                Ok(Answer::Truncated) => problem = Some(io::Error::other("cut also over TCP")),
                Err(error) => problem = Some(error),
            }
        }
        match problem {
            _ if !found.is_empty() => {
                found.sort_by_key(IpAddr::is_ipv6);
                Ok(Outcome::Found(found, ttl))
            }
            Some(problem) => Err(problem),
            None => Ok(Outcome::None("the name has no address")),
        }
    }

    async fn exchange(
        &self,
        server: SocketAddr,
        name: &str,
        kind: RecordType,
    ) -> io::Result<Answer> {
        let id = random_id();
        let query = message::query(id, name, kind).map_err(io::Error::other)?;
        let over_udp = async {
            let socket = self.net.udp(server).await?;
            self.net.send(&socket, &query).await?;
            let mut buffer = [0; 1500];
            loop {
                let length = self.net.receive(&socket, &mut buffer).await?;
                let reply = buffer.get(..length).unwrap_or_default();
                // Strangers' packets are ignored: the right one may still come.
                if let Ok(answer) = message::parse(reply, id, name, kind) {
                    return Ok(answer);
                }
            }
        };
        match within(&self.net, self.timeout, over_udp).await? {
            Answer::Truncated => {}
            answer => return Ok(answer),
        }
        let over_tcp = async {
            let dialed =
                self.dialer.connect(&[server], TcpOptions::default(), None, self.timeout).await;
            let mut stream = dialed.map_err(|why| io::Error::other(describe(&why)))?.stream;
            let length = u16::try_from(query.len()).map_err(io::Error::other)?;
            let framed = [&length.to_be_bytes(), query.as_slice()].concat();
            stream.write_all(&framed).await?;
            let mut length = [0; 2];
            stream.read_exact(&mut length).await?;
            let mut reply = vec![0; u16::from_be_bytes(length).into()];
            stream.read_exact(&mut reply).await?;
            message::parse(&reply, id, name, kind).map_err(io::Error::other)
        };
        within(&self.net, self.timeout, over_tcp).await
    }

    fn remember(&self, name: String, addresses: &[IpAddr], ttl: Duration) {
        let now = self.clock.monotonic();
        let mut cache = self.cache();
        if cache.len() >= MAX_CACHED {
            cache.retain(|_, cached| now < cached.until);
        }
        if !ttl.is_zero() && cache.len() < MAX_CACHED {
            cache.insert(name, Cached { until: now + ttl, addresses: addresses.to_vec() });
        }
    }
}

#[async_trait]
impl<N: Net> HostResolver for DirectResolver<N> {
    async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>> {
        if let Some(address) = hosts::literal(host) {
            return Ok(vec![address]);
        }
        let name = message::normalize(host)?;
        let now = self.clock.monotonic();
        if let Some(cached) = self.cache().get(&name).filter(|cached| now < cached.until) {
            return Ok(cached.addresses.clone());
        }
        self.net.check()?;
        let servers = self.servers(&name)?;
        let mut problem = None;
        for server in servers.iter().cycle().take(ROUNDS * servers.len()) {
            match self.ask(*server, &name).await {
                Ok(Outcome::Found(addresses, ttl)) => {
                    self.remember(name, &addresses, ttl);
                    return Ok(addresses);
                }
                Ok(Outcome::None(why)) => {
                    let message =
                        format!("the DNS server {server} has no address of {host}: {why}");
                    return Err(Error::new(ErrorKind::NotFound, message));
                }
                Err(error) => problem = Some(error),
            }
        }
        let list = servers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let error = Error::new(
            ErrorKind::Unavailable,
            format!("no DNS server answered for {host}; asked: {list}"),
        );
        Err(match problem {
            Some(problem) => error.with_source(problem),
            None => error,
        })
    }
}

fn random_id() -> u16 {
    let [high, low, ..] = unpredictable().to_be_bytes();
    u16::from_be_bytes([high, low])
}
