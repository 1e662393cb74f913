//! A private Unix socket whose clients are connected to TCP addresses.
//!
//! The relay lives in a folder that only its owner may enter. Its task ends when the [`RelaySocket`] is
//! dropped; connections that it carries are tasks of their own and end with their sockets.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use lakebase_core::effect::RelaySocket;
use lakebase_core::{Relay, Result};

use crate::Options;
use crate::dial::Dialer;
use crate::net::Net;

/// Opens relays on the sockets of `N`.
#[derive(Debug)]
pub(crate) struct SocketRelay<N> {
    net: N,
    dialer: Arc<Dialer<N>>,
    parent: Option<PathBuf>,
}

impl<N: Net> SocketRelay<N> {
    pub(crate) fn new(net: N, dialer: Arc<Dialer<N>>, options: &Options) -> Self {
        Self { net, dialer, parent: options.relay_parent.clone() }
    }
}

#[async_trait]
impl<N: Net> Relay for SocketRelay<N> {
    async fn open(
        &self,
        port: u16,
        targets: Vec<std::net::SocketAddr>,
    ) -> Result<Box<dyn RelaySocket>> {
        #[cfg(unix)]
        return unix::open(&self.net, &self.dialer, self.parent.as_deref(), port, targets);
        #[cfg(not(unix))]
        {
            let _ = (&self.net, &self.dialer, &self.parent, port, targets);
            Err(lakebase_core::Error::new(
                lakebase_core::ErrorKind::Unsupported,
                "this platform has no Unix sockets to carry a connection to another address; unset \
                 PGHOSTADDR and LAKEBASE_DNS, and let the system resolve the host: an entry in the hosts \
                 file or another DNS server of the system does it",
            ))
        }
    }
}

#[cfg(unix)]
mod unix {
    use std::fmt;
    use std::io;
    use std::net::SocketAddr;
    use std::os::unix::net::UnixListener;
    use std::path::Path;
    use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
    use std::time::Duration;

    use futures_util::future::{AbortHandle, abortable};
    use futures_util::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use lakebase_core::connect::{SOCKET_PATH_LIMIT, TcpOptions, socket_path};
    use lakebase_core::effect::{ByteStream, RelaySocket};
    use lakebase_core::{Error, ErrorKind, Result};

    use crate::dial::{Dialer, describe};
    use crate::folder::PrivateFolder;
    use crate::net::Net;

    /// How long one address may take to answer.
    const CONNECT_LIMIT: Duration = Duration::from_secs(5);
    /// The pause after an error of `accept`, which means that file descriptors ran out.
    const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

    struct Open {
        directory: PrivateFolder,
        shared: Arc<Mutex<Shared>>,
        task: AbortHandle,
        /// The task holds the other end, and drops it when it ends or its runtime does.
        alive: Weak<()>,
    }

    #[derive(Default)]
    struct Shared {
        targets: Vec<SocketAddr>,
        last_error: Option<Error>,
    }

    fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
        shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn open<N: Net>(
        net: &N,
        dialer: &Arc<Dialer<N>>,
        parent: Option<&Path>,
        port: u16,
        targets: Vec<SocketAddr>,
    ) -> Result<Box<dyn RelaySocket>> {
        net.check()?;
        let parent = parent.map_or_else(std::env::temp_dir, Path::to_path_buf);
        let refuse = |problem: &str| {
            Error::new(
                ErrorKind::Config,
                format!(
                    "{problem} in {parent:?}; set TMPDIR to a short path of a folder that can be written to"
                ),
            )
        };
        let directory = PrivateFolder::new_in(&parent).map_err(|error| {
            refuse("could not make a folder for a Unix socket").with_source(error)
        })?;
        let path = socket_path(directory.path(), port);
        let length = path.as_os_str().len();
        if length > SOCKET_PATH_LIMIT {
            let problem = format!(
                "a Unix socket would have a path of {length} bytes, more than the {SOCKET_PATH_LIMIT} that the \
                 platform accepts,"
            );
            return Err(refuse(&problem));
        }
        let listener = UnixListener::bind(&path)
            .and_then(|listener| {
                listener.set_nonblocking(true)?;
                net.listen(listener)
            })
            .map_err(|error| refuse("could not listen on a Unix socket").with_source(error))?;
        let shared = Arc::new(Mutex::new(Shared { targets, last_error: None }));
        let (serve, task) =
            abortable(serve(net.clone(), Arc::clone(dialer), listener, Arc::clone(&shared)));
        let held = Arc::new(());
        let alive = Arc::downgrade(&held);
        net.spawn(Box::pin(async move {
            let _ = serve.await;
            drop(held);
        }));
        Ok(Box::new(Open { directory, shared, task, alive }))
    }

    async fn serve<N: Net>(
        net: N,
        dialer: Arc<Dialer<N>>,
        listener: N::Listener,
        shared: Arc<Mutex<Shared>>,
    ) {
        loop {
            match net.accept(&listener).await {
                Ok(client) => {
                    let carry = carry(Arc::clone(&dialer), client, Arc::clone(&shared));
                    net.spawn(Box::pin(carry));
                }
                Err(_) => net.sleep(ACCEPT_PAUSE).await,
            }
        }
    }

    async fn carry<N: Net>(
        dialer: Arc<Dialer<N>>,
        client: Box<dyn ByteStream>,
        shared: Arc<Mutex<Shared>>,
    ) {
        // The cause is recorded before `client` is closed, so that whoever sees the end finds it.
        let targets = lock(&shared).targets.clone();
        match dialer.connect(&targets, TcpOptions::default(), None, CONNECT_LIMIT).await {
            Ok(dialed) => {
                lock(&shared).last_error = None;
                // Either side's error ends both; there is nobody to tell.
                drop(copy(client, dialed.stream).await);
            }
            Err(outcomes) => {
                let list: Vec<_> = targets.iter().map(ToString::to_string).collect();
                let message = format!("could not connect to any of [{}]", list.join(", "));
                let error = Error::new(ErrorKind::Unavailable, message);
                lock(&shared).last_error = Some(error.with_source(describe(&outcomes)));
            }
        }
    }

    /// Copies both directions, each until its end, passing the end on.
    async fn copy(client: Box<dyn ByteStream>, server: Box<dyn ByteStream>) -> io::Result<()> {
        let (from_client, mut to_client) = client.split();
        let (from_server, mut to_server) = server.split();
        let up = async {
            futures_util::io::copy(from_client, &mut to_server).await?;
            to_server.close().await
        };
        let down = async {
            futures_util::io::copy(from_server, &mut to_client).await?;
            to_client.close().await
        };
        futures_util::future::try_join(up, down).await.map(drop)
    }

    impl RelaySocket for Open {
        fn directory(&self) -> &Path {
            self.directory.path()
        }

        fn is_open(&self) -> bool {
            self.alive.strong_count() > 0
        }

        fn retarget(&self, targets: Vec<SocketAddr>) {
            lock(&self.shared).targets = targets;
        }

        fn last_error(&self) -> Option<Error> {
            lock(&self.shared).last_error.clone()
        }
    }

    impl Drop for Open {
        fn drop(&mut self) {
            self.task.abort();
        }
    }

    impl fmt::Debug for Open {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("Open")
                .field("directory", &self.directory.path())
                .finish_non_exhaustive()
        }
    }
}
