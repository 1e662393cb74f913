//! A proxy inside a program, for one server and as long as a handle lives.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use lakebase_core::connect::Connector;
use lakebase_core::{Error, ErrorKind, Result, Secret};
use lakebase_session::scram::random_password;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::sync::oneshot;

use crate::listener::{Address, Listener};
use crate::proxy::{Limits, Monitor, Proxy};

/// The user that clients name; any other does as well.
const USER: &str = "lakebase";
/// The port of Unix sockets, which clients take for granted.
#[cfg(unix)]
const UNIX_PORT: u16 = 5432;

/// All but the characters that may stand in any part of a URL as they are.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A local address at which any driver of this program is logged in.
///
/// It runs on a thread of its own, so it needs no runtime and serves drivers that block theirs. Dropping the
/// handle ends it and all its sessions. `Debug` shows no password.
pub struct Tunnel {
    address: Address,
    password: Option<Secret>,
    database: Arc<str>,
    monitor: Monitor,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Tunnel {
    /// Opens one for `connector`: a Unix socket in a new folder that only this user may enter, in the folder for
    /// temporary files (`TMPDIR`); as [`open_tcp`](Self::open_tcp) on platforms without Unix sockets.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if there can be no such folder; [`ErrorKind::Unavailable`] if no thread can be started.
    pub async fn open(connector: Connector) -> Result<Self> {
        #[cfg(not(unix))]
        return Self::open_tcp(connector).await;
        #[cfg(unix)]
        {
            let parent = std::env::temp_dir();
            let folder = lakebase_runtime::PrivateFolder::new_in(&parent).map_err(|error| {
                let message = format!(
                    "could not make a private folder in {parent:?}; set TMPDIR to a folder that can be written to"
                );
                Error::new(ErrorKind::Config, message).with_source(error)
            })?;
            let address = Address::Unix(folder.path().to_owned(), UNIX_PORT);
            Self::start(Listener::new(address, connector.clone()), connector, None, folder).await
        }
    }

    /// Opens one on a port of 127.0.0.1 that the system chooses, with a random password, for drivers without Unix
    /// sockets.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open); [`ErrorKind::Unsupported`] if the system has no random numbers.
    pub async fn open_tcp(connector: Connector) -> Result<Self> {
        let password = random_password().ok_or_else(|| {
            let message = "the system has no random numbers for the tunnel's password";
            Error::new(ErrorKind::Unsupported, message)
        })?;
        let address = Address::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let listener = Listener::new(address, connector.clone()).password(password.clone());
        Self::start(listener, connector, Some(password), ()).await
    }

    /// `keep` lives as long as the thread.
    async fn start(
        listener: Listener,
        connector: Connector,
        password: Option<Secret>,
        keep: impl Send + 'static,
    ) -> Result<Self> {
        let (stop, stopped) = oneshot::channel();
        let (report, opened) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("lakebase-tunnel".to_owned())
            .spawn(move || {
                run(listener, report, stopped);
                drop(keep);
            })
            .map_err(|error| {
                unavailable("cannot start a thread for a tunnel").with_source(error)
            })?;
        let ended = |_| unavailable("the thread of a tunnel ended");
        let (address, monitor) = opened.await.map_err(ended)??;
        Ok(Self {
            address,
            password,
            database: Arc::clone(&connector.config().database),
            monitor,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// The host for drivers: the folder of the Unix socket, or `127.0.0.1`.
    #[must_use]
    pub fn host(&self) -> String {
        match &self.address {
            Address::Tcp(address) => address.ip().to_string(),
            Address::Unix(directory, _) => directory.display().to_string(),
        }
    }

    /// The port, also of a Unix socket.
    #[must_use]
    pub fn port(&self) -> u16 {
        match &self.address {
            Address::Tcp(address) => address.port(),
            Address::Unix(_, port) => *port,
        }
    }

    /// The folder of the Unix socket; `None` on TCP.
    #[must_use]
    pub fn directory(&self) -> Option<&Path> {
        match &self.address {
            Address::Tcp(_) => None,
            Address::Unix(directory, _) => Some(directory),
        }
    }

    /// The user to name. It does not matter: the login is the connector's.
    #[must_use]
    pub fn user(&self) -> &str {
        USER
    }

    /// The connector's database, which is used if a client asks for none.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The password that clients on TCP need; `None` on a Unix socket.
    #[must_use]
    pub fn password(&self) -> Option<&Secret> {
        self.password.as_ref()
    }

    /// A connection URL in libpq's form, with the password if there is one. TLS is off: the way is inside this
    /// machine, and the tunnel uses verified TLS from there on.
    #[must_use]
    pub fn url(&self) -> Secret {
        self.url_as(USER)
    }

    /// The same with another name for the user, for programs that show it or make a default of it.
    #[must_use]
    pub fn url_as(&self, user: &str) -> Secret {
        let encode = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
        let (user, database) = (encode(user), encode(&self.database));
        let (host, port) = (encode(&self.host()), self.port());
        Secret::new(match &self.password {
            Some(password) => {
                let password = encode(password.expose());
                format!("postgresql://{user}:{password}@{host}:{port}/{database}?sslmode=disable")
            }
            // Most parsers of URLs refuse a user in front of an empty host.
            None => format!(
                "postgresql:///{database}?host={host}&port={port}&user={user}&sslmode=disable"
            ),
        })
    }

    /// The monitor, which reads the state of the tunnel.
    #[must_use]
    pub fn monitor(&self) -> &Monitor {
        &self.monitor
    }
}

fn unavailable(message: &str) -> Error {
    Error::new(ErrorKind::Unavailable, message)
}

/// The thread: a runtime that lives until `stopped`.
fn run(
    listener: Listener,
    report: oneshot::Sender<Result<(Address, Monitor)>>,
    stopped: oneshot::Receiver<()>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let error = unavailable("cannot start a runtime for a tunnel").with_source(error);
            let _ = report.send(Err(error));
            return;
        }
    };
    runtime.block_on(async {
        let (proxy, opened) = match bind(listener).await {
            Ok((proxy, address)) => {
                let monitor = proxy.monitor();
                (Some(proxy), Ok((address, monitor)))
            }
            Err(error) => (None, Err(error)),
        };
        // The caller may be gone; then `stopped` says so.
        let _ = report.send(opened);
        if let Some(proxy) = proxy {
            tokio::select! {
                _ = proxy.run(std::future::pending()) => {}
                _ = stopped => {}
            }
        }
    });
    // A name look-up that hangs must not hold the one who drops the handle.
    runtime.shutdown_background();
}

async fn bind(listener: Listener) -> Result<(Proxy, Address)> {
    let proxy = Proxy::bind([listener], Limits::default()).await?;
    let address = proxy.addresses()?.into_iter().next();
    Ok((proxy, address.ok_or_else(|| unavailable("the tunnel has no listener"))?))
}

impl Drop for Tunnel {
    /// Waits for the thread, which has nothing left to wait for.
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // If it panicked, it is over as well.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tunnel").field("address", &self.address).finish_non_exhaustive()
    }
}
