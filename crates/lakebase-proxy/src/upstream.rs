//! The way to a server: TCP or a Unix socket, then TLS as `sslmode` says.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use lakebase_core::connect::socket_path;
use lakebase_core::{ConnectParams, SslMode, Tls};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio_rustls::TlsConnector;

use crate::error::LoginError;
use crate::read_ahead::ReadAhead;
use crate::startup::{CancelKey, SSL_REQUEST};
use crate::stream::{Stream, tune};
use crate::tls;

/// Opens connections to servers. Keeps what is expensive to make anew: trusted roots, and TLS sessions to resume.
#[derive(Default)]
pub(crate) struct Upstream {
    configs: Mutex<Option<(Tls, Arc<ClientConfig>)>>,
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").finish_non_exhaustive()
    }
}

/// The one server out of several addresses that was reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// A server that was reached, for a later `CancelRequest`, which has to arrive at the same one in the same way.
#[derive(Clone, Debug)]
pub(crate) struct Reached {
    pub(crate) address: Address,
    pub(crate) encrypted: bool,
    pub(crate) params: Arc<ConnectParams>,
}

impl Upstream {
    /// Connects to the first address that answers; with TLS if `encrypt` says so, else as `sslmode` says.
    pub(crate) async fn open(
        &self,
        params: &ConnectParams,
        encrypt: bool,
    ) -> Result<(Stream, Address), LoginError> {
        let mut last = io::Error::new(
            io::ErrorKind::NotFound,
            format!("host {:?} has no address", params.host),
        );
        for address in addresses(params).await.map_err(LoginError::Connect)? {
            match self.reach(&address, params, encrypt).await {
                Err(LoginError::Connect(error)) => last = error,
                Err(error) => return Err(error),
                Ok(stream) => return Ok((stream, address)),
            }
        }
        Err(LoginError::Connect(last))
    }

    async fn reach(
        &self,
        address: &Address,
        params: &ConnectParams,
        encrypt: bool,
    ) -> Result<Stream, LoginError> {
        let stream = match address {
            Address::Tcp(address) => {
                TcpStream::connect(address).await.map_err(LoginError::Connect)?
            }
            #[cfg(unix)]
            Address::Unix(path) => {
                let stream = UnixStream::connect(path).await.map_err(LoginError::Connect)?;
                return Ok(Stream::Unix(stream));
            }
            #[cfg(not(unix))]
            Address::Unix(_) => {
                return Err(LoginError::Connect(io::ErrorKind::Unsupported.into()));
            }
        };
        tune(&stream).map_err(LoginError::Io)?;
        if encrypt { self.encrypt(stream, params).await } else { Ok(Stream::Tcp(stream)) }
    }

    /// Asks for TLS; goes on without it only where `sslmode` is weak enough.
    async fn encrypt(
        &self,
        mut stream: TcpStream,
        params: &ConnectParams,
    ) -> Result<Stream, LoginError> {
        stream.write_all(&SSL_REQUEST).await.map_err(LoginError::Io)?;
        // One byte: whatever follows before TLS stands was not sent by the server (CVE-2021-23222).
        let answer = stream.read_u8().await.map_err(LoginError::Io)?;
        match answer {
            b'S' => {}
            b'N' if params.tls.mode <= SslMode::Prefer => return Ok(Stream::Tcp(stream)),
            b'N' => return Err(LoginError::NoTls(params.tls.mode)),
            _ => {
                return Err(LoginError::Protocol(
                    "an answer to SSLRequest that is neither S nor N",
                ));
            }
        }
        let host = params.host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(host).map_err(|_| LoginError::HostName)?;
        let connector = TlsConnector::from(self.config(&params.tls)?);
        let stream = ReadAhead::new(stream);
        let stream = connector.connect(name, stream).await.map_err(LoginError::Tls)?;
        Ok(Stream::Tls(Box::new(stream.into())))
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
    pub(crate) async fn cancel(
        &self,
        reached: &Reached,
        key: &CancelKey,
    ) -> Result<(), LoginError> {
        let Reached { address, encrypted, params } = reached;
        let mut stream = self.reach(address, params, *encrypted).await?;
        stream.write_all(&key.request()).await.map_err(LoginError::Io)?;
        stream.flush().await.map_err(LoginError::Io)?;
        // Nothing is ever answered; how the connection ends does not matter.
        let _ = stream.read(&mut [0]).await;
        Ok(())
    }
}

/// Where to try, in order.
async fn addresses(params: &ConnectParams) -> io::Result<Vec<Address>> {
    if let Some(directory) = &params.socket_directory {
        return Ok(vec![Address::Unix(socket_path(directory, params.port))]);
    }
    if !params.addresses.is_empty() {
        let at = |ip| Address::Tcp(SocketAddr::new(ip, params.port));
        return Ok(params.addresses.iter().copied().map(at).collect());
    }
    let host = params.host.trim_start_matches('[').trim_end_matches(']');
    Ok(tokio::net::lookup_host((host, params.port)).await?.map(Address::Tcp).collect())
}
