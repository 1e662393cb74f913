//! Sockets of this machine to which drivers of this program connect.

use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
#[cfg(unix)]
use lakebase_core::connect::socket_path;
use lakebase_core::effect::{ByteStream, LocalAddress, LocalSocket};
use lakebase_core::{Error, ErrorKind, Listen, Result};

use crate::Options;
#[cfg(unix)]
use crate::folder::PrivateFolder;
use crate::net::{Net, StdListener};
#[cfg(unix)]
use crate::platform::SOCKET_PATH_LIMIT;

/// The port of Unix sockets, which clients take for granted.
#[cfg(unix)]
const PORT: u16 = 5432;

/// Opens sockets that the runtime of `N` serves.
#[derive(Debug)]
pub(crate) struct SocketListen<N> {
    net: N,
    parent: Option<PathBuf>,
}

impl<N: Net> SocketListen<N> {
    pub(crate) fn new(net: N, options: &Options) -> Self {
        Self { net, parent: options.socket_parent.clone() }
    }
}

impl<N: Net> Listen for SocketListen<N> {
    fn open_unix(&self) -> Result<Arc<dyn LocalSocket>> {
        let bound = Bound::unix(self.parent.as_deref())?;
        Ok(Arc::new(Served::new(self.net.clone(), bound)))
    }

    fn open_tcp(&self) -> Result<Arc<dyn LocalSocket>> {
        Ok(Arc::new(Served::new(self.net.clone(), Bound::tcp()?)))
    }
}

/// A socket and what goes with it.
pub(crate) struct Bound {
    pub(crate) address: LocalAddress,
    listener: StdListener,
    #[cfg(unix)]
    _folder: Option<PrivateFolder>,
}

impl Bound {
    /// In a folder in `parent`. Without one, the system's folder for temporary files serves; that it is missing or not ours to write to is
    /// no mistake of the user, as in a container whose root is read-only, so callers may use a port instead.
    #[cfg(unix)]
    pub(crate) fn unix(parent: Option<&Path>) -> Result<Arc<Self>> {
        let hint = "a short path of a folder that can be written to";
        match parent {
            Some(parent) => {
                let hint = format!("give `Options::socket_parent` {hint}");
                Self::unix_in(parent, ErrorKind::Config, &hint)
            }
            None => {
                let hint = format!("use loopback, or set TMPDIR to {hint}");
                Self::unix_in(&std::env::temp_dir(), ErrorKind::Unsupported, &hint)
            }
        }
    }

    /// An error is of `kind` and ends with `hint`.
    #[cfg(unix)]
    fn unix_in(parent: &Path, kind: ErrorKind, hint: &str) -> Result<Arc<Self>> {
        let refuse = |problem: &str| Error::new(kind, format!("{problem} in {parent:?}; {hint}"));
        let folder = PrivateFolder::new_in(parent).map_err(|error| {
            refuse("could not make a folder for a Unix socket").with_source(error)
        })?;
        let path = socket_path(folder.path(), PORT);
        let length = path.as_os_str().len();
        if length > SOCKET_PATH_LIMIT {
            let problem = format!(
                "a Unix socket would have a path of {length} bytes, more than the {SOCKET_PATH_LIMIT} that the \
                 platform accepts,"
            );
            return Err(refuse(&problem));
        }
        let listener = std::os::unix::net::UnixListener::bind(&path)
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .map_err(|error| refuse("could not listen on a Unix socket").with_source(error))?;
        let address = LocalAddress::Unix { directory: folder.path().to_owned(), port: PORT };
        let listener = StdListener::Unix(listener);
        Ok(Arc::new(Self { address, listener, _folder: Some(folder) }))
    }

    #[cfg(not(unix))]
    pub(crate) fn unix(_: Option<&Path>) -> Result<Arc<Self>> {
        Err(Error::new(ErrorKind::Unsupported, "this platform has no Unix sockets; use loopback"))
    }

    pub(crate) fn tcp() -> Result<Arc<Self>> {
        let open = || {
            let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            listener.set_nonblocking(true)?;
            Ok((LocalAddress::Tcp(listener.local_addr()?), StdListener::Tcp(listener)))
        };
        let (address, listener) = open().map_err(|error: io::Error| {
            let message = "could not listen on a port of 127.0.0.1";
            Error::new(ErrorKind::Unavailable, message).with_source(error)
        })?;
        Ok(Arc::new(Self {
            address,
            listener,
            #[cfg(unix)]
            _folder: None,
        }))
    }
}

/// A socket with the runtime that serves it.
pub(crate) struct Served<N: Net> {
    net: N,
    bound: Arc<Bound>,
    /// The listener as the runtime of this [scope](Net::scope) knows it.
    registered: Mutex<Option<(String, Arc<N::Listener>)>>,
}

impl<N: Net> Served<N> {
    pub(crate) fn new(net: N, bound: Arc<Bound>) -> Self {
        Self { net, bound, registered: Mutex::default() }
    }

    fn listener(&self) -> io::Result<Arc<N::Listener>> {
        let scope = self.net.scope();
        let mut registered = self.registered.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, listener)) = &*registered
            && *known == scope
        {
            return Ok(Arc::clone(listener));
        }
        let listener = Arc::new(self.net.listen(self.bound.listener.try_clone()?)?);
        *registered = Some((scope, Arc::clone(&listener)));
        Ok(listener)
    }
}

#[async_trait]
impl<N: Net> LocalSocket for Served<N> {
    fn address(&self) -> &LocalAddress {
        &self.bound.address
    }

    async fn accept(&self) -> Result<Box<dyn ByteStream>> {
        self.net.check()?;
        let accept = async { self.net.accept(&*self.listener()?).await };
        accept.await.map_err(|error| {
            Error::new(ErrorKind::Unavailable, "could not accept a client").with_source(error)
        })
    }
}

impl<N: Net> fmt::Debug for Served<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Served").field("address", &self.bound.address).finish_non_exhaustive()
    }
}
