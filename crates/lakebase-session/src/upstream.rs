//! The way to a server: TCP or a Unix socket, then TLS as `sslmode` says.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::io::{AsyncReadExt as _, AsyncWriteExt as _};
use lakebase_core::connect::{LoginPhase, socket_path};
use lakebase_core::effect::{ByteStream, DialTarget};
use lakebase_core::{ConnectParams, Dial, SslMode, Tls};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use crate::error::LoginError;
use crate::startup::{CancelKey, SSL_REQUEST};
use crate::stream::ServerStream;
use crate::{TlsStream, tls};

/// Opens connections to servers. Keeps what is expensive to make anew: trusted roots, and TLS sessions to resume.
pub struct Upstream {
    dial: Arc<dyn Dial>,
    configs: Mutex<Option<(Tls, Arc<ClientConfig>)>>,
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").finish_non_exhaustive()
    }
}

/// The one server out of several addresses that was reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An address of its host; `None` if a proxy looked the host up.
    Tcp(Option<SocketAddr>),
    /// Its socket on this machine.
    Unix(PathBuf),
}

/// A server that was reached, for a later `CancelRequest`, which has to arrive at the same one in the same way.
#[derive(Clone, Debug)]
pub struct Peer {
    pub(crate) address: Address,
    pub(crate) encrypted: bool,
    pub(crate) params: Arc<ConnectParams>,
}

impl Upstream {
    /// Connects by `dial`.
    #[must_use]
    pub fn new(dial: Arc<dyn Dial>) -> Self {
        Self { dial, configs: Mutex::default() }
    }

    /// Connects to the first address that answers; with TLS if `encrypt` says so, else as `sslmode` says.
    pub(crate) async fn open(
        &self,
        params: &ConnectParams,
        encrypt: bool,
    ) -> Result<(ServerStream, Address), LoginError> {
        if let Some(directory) = &params.socket_directory {
            let path = socket_path(directory, params.port);
            let stream = self.dial.dial_unix(&path).await.map_err(LoginError::Dial)?;
            params.progress.connected(None, LoginPhase::StartUp);
            return Ok((ServerStream::plain(stream), Address::Unix(path)));
        }
        let (stream, peer) = self.reach(&params.addresses, params, encrypt).await?;
        Ok((stream, Address::Tcp(peer)))
    }

    async fn reach(
        &self,
        addresses: &[IpAddr],
        params: &ConnectParams,
        encrypt: bool,
    ) -> Result<(ServerStream, Option<SocketAddr>), LoginError> {
        let target = DialTarget {
            host: &params.host,
            addresses,
            port: params.port,
            tcp: params.tcp,
            load_balance_hosts: params.load_balance_hosts,
            timeout: params.dial_timeout,
        };
        let dialed = self.dial.dial(target).await.map_err(LoginError::Dial)?;
        params.progress.connected(dialed.peer, LoginPhase::Tls);
        let stream = match encrypt {
            true => self.encrypt(dialed.stream, params).await?,
            false => ServerStream::plain(dialed.stream),
        };
        Ok((stream, dialed.peer))
    }

    /// Asks for TLS; goes on without it only where `sslmode` is weak enough.
    async fn encrypt(
        &self,
        mut stream: Box<dyn ByteStream>,
        params: &ConnectParams,
    ) -> Result<ServerStream, LoginError> {
        stream.write_all(&SSL_REQUEST).await.map_err(LoginError::Io)?;
        stream.flush().await.map_err(LoginError::Io)?;
        // One byte: bytes that follow before the TLS handshake were not sent by the server (CVE-2021-23222).
        let mut answer = [0];
        stream.read_exact(&mut answer).await.map_err(LoginError::Io)?;
        match answer {
            [b'S'] => {}
            [b'N'] if params.tls.mode <= SslMode::Prefer => return Ok(ServerStream::plain(stream)),
            [b'N'] => return Err(LoginError::NoTls(params.tls.mode)),
            _ => {
                return Err(LoginError::Protocol(
                    "an answer to SSLRequest that is neither S nor N",
                ));
            }
        }
        let host = params.host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(host).map_err(|_| LoginError::HostName)?;
        let config = self.config(&params.tls)?;
        let stream = TlsStream::connect(stream, config, name).await.map_err(LoginError::Tls)?;
        Ok(ServerStream::tls(stream))
    }

    fn config(&self, tls: &Tls) -> Result<Arc<ClientConfig>, LoginError> {
        let mut known = self.configs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((same, config)) = &*known
            && same == tls
        {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(tls::client_config(tls).map_err(LoginError::TlsConfig)?);
        *known = Some((tls.clone(), Arc::clone(&config)));
        Ok(config)
    }

    /// Sends a `CancelRequest` to where a login went, and waits until the server closes, which is when it has
    /// dealt with it.
    ///
    /// # Errors
    ///
    /// Those of the way there. The server never answers.
    pub async fn cancel(&self, peer: &Peer, key: &CancelKey) -> Result<(), LoginError> {
        let Peer { address, encrypted, params } = peer;
        let mut stream = match address {
            Address::Tcp(Some(address)) => self.reach(&[address.ip()], params, *encrypted).await?.0,
            Address::Tcp(None) => self.reach(&params.addresses, params, *encrypted).await?.0,
            Address::Unix(_) => self.open(params, false).await?.0,
        };
        stream.write_all(&key.request()).await.map_err(LoginError::Io)?;
        stream.flush().await.map_err(LoginError::Io)?;
        // Nothing is ever answered; how the connection ends does not matter.
        let _ = stream.read(&mut [0]).await;
        Ok(())
    }
}
