//! Where clients come in.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lakebase_core::connect::{Connector, socket_path};
use lakebase_core::{Error, ErrorKind, Result, Secret};
use lakebase_runtime::TokioIo;
use lakebase_session::scram::Verifier;
use socket2::SockRef;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::access::Access;
use crate::client_tls::ClientTls;
use crate::pool::PoolOptions;
use crate::routes::{Route, Routes};
use crate::session::{self, Acceptor};
use crate::shared::{Phase, Shared};
use crate::stream::{Stream, tune};
#[cfg(unix)]
use crate::unix_socket::UnixSocket;

/// The pause after an error of `accept`, which means that file descriptors ran out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Where a listener is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An address and port; port 0 lets the system choose.
    Tcp(SocketAddr),
    /// A folder, which gets the socket `.s.PGSQL.<port>`, and that port. Unix only.
    Unix(PathBuf, u16),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(directory, port) => socket_path(directory, *port).display().fmt(f),
        }
    }
}

/// An address to listen on, who may come in there, and where they are sent. Plain data until
/// [`Proxy::bind`](crate::Proxy::bind) checks it.
#[derive(Clone, Debug)]
#[must_use]
pub struct Listener {
    address: Address,
    default: Connector,
    routes: Vec<(Route, Connector)>,
    allow_remote: bool,
    password: Option<Secret>,
    tls: Option<ClientTls>,
    pool: Option<PoolOptions>,
}

impl Listener {
    /// Listens on `address` and sends everybody to the server of `connector`.
    pub fn new(address: Address, connector: Connector) -> Self {
        Self {
            address,
            default: connector,
            routes: Vec::new(),
            allow_remote: false,
            password: None,
            tls: None,
            pool: None,
        }
    }

    /// Sends those whom `route` fits to the server of `connector`. Of several, the first that fits counts.
    pub fn route(mut self, route: Route, connector: Connector) -> Self {
        self.routes.push((route, connector));
        self
    }

    /// Accepts an address that other machines can reach. Default: no. It needs a password or client certificates.
    pub fn allow_remote(mut self, allow: bool) -> Self {
        self.allow_remote = allow;
        self
    }

    /// The password that clients must prove to know, by SCRAM-SHA-256. Default: none.
    pub fn password(mut self, password: Secret) -> Self {
        self.password = Some(password);
        self
    }

    /// Offers TLS to clients on TCP. Default: none is offered.
    pub fn tls(mut self, tls: ClientTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Keeps sessions of clients that left, for those that come after them: a pool for each server that this listener leads
    /// to. Default: every client has a session of its own.
    pub fn pool(mut self, options: PoolOptions) -> Self {
        self.pool = Some(options);
        self
    }

    fn check(&self) -> Result<()> {
        if let Some(pool) = &self.pool {
            pool.check()?;
        }
        let refuse = |message: String| Err(Error::new(ErrorKind::Config, message));
        let proved =
            self.password.is_some() || self.tls.as_ref().is_some_and(|tls| tls.checks_clients());
        match &self.address {
            Address::Tcp(address) if !address.ip().is_loopback() && !self.allow_remote => {
                refuse(format!(
                    "{address} can be reached from other machines, and every client that connects is logged in; accepted: an \
                     address of this machine such as 127.0.0.1:{}, or remote access allowed by name",
                    address.port()
                ))
            }
            Address::Tcp(address) if !address.ip().is_loopback() && !proved => refuse(format!(
                "{address} can be reached from other machines; remote access needs a password or client certificates"
            )),
            Address::Unix(..) if self.tls.is_some() => {
                refuse("TLS is for TCP; a Unix socket needs none".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// Opens the socket.
    pub(crate) async fn bind(self) -> Result<Bound> {
        self.check()?;
        let Self { address, default, routes, password, tls, pool, .. } = self;
        let socket = match &address {
            Address::Tcp(address) => {
                let refuse = |error| {
                    let message = format!("cannot listen on {address}");
                    Error::new(ErrorKind::Config, message).with_source(error)
                };
                let listener = TcpListener::bind(address).await.map_err(refuse)?;
                // Linux hands these options to every connection that comes in, which saves six calls for each.
                if cfg!(target_os = "linux") {
                    tune(&SockRef::from(&listener)).map_err(refuse)?;
                }
                Socket::Tcp(listener)
            }
            #[cfg(unix)]
            Address::Unix(directory, port) => Socket::Unix(UnixSocket::bind(directory, *port)?),
            #[cfg(not(unix))]
            Address::Unix(..) => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    "this platform has no Unix sockets; listen on 127.0.0.1 instead",
                ));
            }
        };
        let password = match &password {
            None => None,
            Some(password) => Some(Arc::new(Verifier::new(password).ok_or_else(|| {
                Error::new(
                    ErrorKind::Unsupported,
                    "the system has no random numbers for a password's salt",
                )
            })?)),
        };
        let tls_only = tls.as_ref().is_some_and(ClientTls::checks_clients);
        let access = Access { tls: tls.map(ClientTls::into_config), tls_only, password };
        let acceptor = Acceptor { access, routes: Routes::new(default, routes, pool) };
        Ok(Bound { socket, acceptor: Arc::new(acceptor) })
    }
}

enum Socket {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixSocket),
}

/// A listener whose socket is open.
pub(crate) struct Bound {
    socket: Socket,
    pub(crate) acceptor: Arc<Acceptor>,
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bound").field("address", &self.address().ok()).finish_non_exhaustive()
    }
}

impl Bound {
    pub(crate) fn address(&self) -> io::Result<Address> {
        match &self.socket {
            Socket::Tcp(listener) => listener.local_addr().map(Address::Tcp),
            #[cfg(unix)]
            Socket::Unix(socket) => Ok(Address::Unix(socket.directory().to_owned(), socket.port())),
        }
    }

    /// Accepts clients until the proxy drains; a task for each.
    pub(crate) async fn accept(self, shared: Arc<Shared>, phase: watch::Receiver<Phase>) {
        let mut draining = phase.clone();
        loop {
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                _ = draining.wait_for(|phase| *phase != Phase::Serving) => return,
            };
            match accepted {
                Ok(stream) => {
                    let acceptor = Arc::clone(&self.acceptor);
                    let session =
                        session::serve(stream, acceptor, Arc::clone(&shared), phase.clone());
                    drop(tokio::spawn(session));
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }
}

impl Socket {
    async fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                if !cfg!(target_os = "linux") {
                    // A client that is gone already is noticed later.
                    let _ = tune(&SockRef::from(&stream));
                }
                Ok(Stream::Tcp(TokioIo(stream)))
            }
            #[cfg(unix)]
            Self::Unix(socket) => socket.accept().await.map(|stream| Stream::Unix(TokioIo(stream))),
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use tokio::net::TcpStream;

    use super::*;
    use crate::stream::KEEPALIVE_TIME;

    #[tokio::test]
    async fn clients_that_are_gone_are_noticed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        if cfg!(target_os = "linux") {
            tune(&SockRef::from(&listener)).unwrap();
        }
        let _client = TcpStream::connect(address).await.unwrap();
        let Stream::Tcp(stream) = Socket::Tcp(listener).accept().await.unwrap() else {
            panic!("a TCP listener accepts TCP")
        };
        let socket = SockRef::from(&stream.0);
        assert!(socket.tcp_nodelay().unwrap() && socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEPALIVE_TIME);
        #[cfg(target_os = "linux")]
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(crate::stream::USER_TIMEOUT));
    }
}
