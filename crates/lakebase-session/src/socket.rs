//! A local address at which a driver of this program finds sessions that are logged in.

use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::future::{Either, FutureExt as _, Shared as SharedFuture, select};
use lakebase_core::connect::Connector;
use lakebase_core::effect::{ByteStream, LocalAddress, LocalSocket};
use lakebase_core::{BoxFuture, Error, ErrorKind, Listen, Result, Secret, Spawn};

use crate::client::{carry, driver_startup, log_in_for, reject};
use crate::factory::StartupFactory;
use crate::liveness::Liveness;
use crate::message::ServerError;
use crate::scram::{Verifier, random_password};
use crate::task::SingleTask;
use crate::upstream::Upstream;

/// How long a driver may take to say what it wants.
const STARTUP: Duration = Duration::from_secs(10);
/// The pause after an error of `accept`, which means that file descriptors ran out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// An open socket of this machine, and what a driver must know to get in.
#[derive(Debug)]
pub struct PrivateAddress {
    pub(crate) socket: Arc<dyn LocalSocket>,
    /// Checks that a driver is ours; `None` on a Unix socket, which nobody else can open.
    pub(crate) verifier: Option<Verifier>,
    password: Option<Secret>,
}

impl PrivateAddress {
    /// A Unix socket where there can be one, else a port of loopback with a random password.
    ///
    /// # Errors
    ///
    /// Those of [`Listen`].
    pub fn open(listen: &dyn Listen) -> Result<Self> {
        match listen.open_unix() {
            Ok(socket) => Ok(Self { socket, verifier: None, password: None }),
            Err(error) if error.kind() == ErrorKind::Unsupported => Self::open_tcp(listen),
            Err(error) => Err(error),
        }
    }

    /// A port of loopback with a random password.
    ///
    /// # Errors
    ///
    /// Those of [`Listen`]; [`ErrorKind::Unsupported`] if the system has no random numbers.
    pub fn open_tcp(listen: &dyn Listen) -> Result<Self> {
        let random = || {
            let message = "the system has no random numbers for a password";
            Error::new(ErrorKind::Unsupported, message)
        };
        let password = random_password().ok_or_else(random)?;
        let verifier = Verifier::new(&password).ok_or_else(random)?;
        let socket = listen.open_tcp()?;
        Ok(Self { socket, verifier: Some(verifier), password: Some(password) })
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> &LocalAddress {
        self.socket.address()
    }

    /// The password for drivers; `None` on a Unix socket.
    #[must_use]
    pub fn password(&self) -> Option<&Secret> {
        self.password.as_ref()
    }

    /// Waits for the next driver.
    ///
    /// # Errors
    ///
    /// Those of [`LocalSocket::accept`].
    pub async fn accept(&self) -> Result<Box<dyn ByteStream>> {
        self.socket.accept().await
    }

    /// The verifier of the password; `None` on a Unix socket.
    #[must_use]
    pub fn verifier(&self) -> Option<&Verifier> {
        self.verifier.as_ref()
    }
}

/// How a failed login is put into an `ErrorResponse`.
pub type Explain = fn(&Error) -> ServerError;

/// Logs in at the server for each driver that connects, with all retries and a fresh token, and carries its bytes.
///
/// It ends when it is dropped; sessions live on until either of their sides ends. It runs as tasks of the runtime that is there when
/// [`serve`](Self::serve) is called. Once the pool has closed, each driver that comes, and each whose login is under way, gets an
/// error of [`ErrorKind::Closed`].
pub struct SessionSocket {
    shared: Arc<Shared>,
    task: SingleTask,
}

/// Completes when the pool closes.
type CloseEvent = SharedFuture<BoxFuture<'static, ()>>;

struct Shared {
    connector: Connector,
    upstream: Arc<Upstream>,
    spawn: Arc<dyn Spawn>,
    address: PrivateAddress,
    budget: Duration,
    explain: Explain,
    liveness: Arc<Liveness>,
    /// With the time of the monotonic clock.
    last_error: Mutex<Option<(Duration, Error)>>,
}

impl SessionSocket {
    /// Opens `address` to drivers, each of whose logins may take `budget`. No driver is served before [`serve`](Self::serve). `liveness` is that of the
    /// pool whose sessions they are.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`] if the runtime cannot run tasks.
    pub fn new(
        connector: Connector,
        address: PrivateAddress,
        budget: Duration,
        explain: Explain,
        liveness: Arc<Liveness>,
    ) -> Result<Self> {
        let runtime = connector.runtime();
        let spawn = runtime.spawn.clone().ok_or_else(|| {
            let message = "sessions are carried by tasks, and this runtime has no `spawn`";
            Error::new(ErrorKind::Unsupported, message)
        })?;
        let upstream = Arc::new(Upstream::new(Arc::clone(&runtime.dial)));
        let shared = Shared {
            connector,
            upstream,
            spawn,
            address,
            budget,
            explain,
            liveness,
            last_error: Mutex::default(),
        };
        Ok(Self { shared: Arc::new(shared), task: SingleTask::default() })
    }

    /// Where drivers connect to, and with what.
    #[must_use]
    pub fn address(&self) -> &PrivateAddress {
        &self.shared.address
    }

    /// Starts the task that serves drivers, unless there is one. It ends with this socket, or with its runtime. `close_event` completes when
    /// the pool closes.
    pub fn serve(&self, close_event: impl FnOnce() -> BoxFuture<'static, ()>) {
        self.task.start(&*self.shared.spawn, || {
            accept(Arc::downgrade(&self.shared), close_event().shared())
        });
    }

    /// Why the last login failed; `None` after one that succeeded, and if it failed longer than `within` ago.
    #[must_use]
    pub fn last_error(&self, within: Duration) -> Option<Error> {
        let now = self.shared.connector.runtime().clock.monotonic();
        let last = self.shared.last_error();
        let (at, error) = last.as_ref()?;
        (now.saturating_sub(*at) <= within).then(|| error.clone())
    }
}

impl fmt::Debug for SessionSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionSocket").field("address", self.address()).finish_non_exhaustive()
    }
}

/// Serves drivers for as long as there is a socket.
async fn accept(shared: Weak<Shared>, close_event: CloseEvent) {
    let Some(address) = shared.upgrade().map(|shared| Arc::clone(&shared.address.socket)) else {
        return;
    };
    loop {
        let accepted = address.accept().await;
        let Some(shared) = shared.upgrade() else { return };
        match accepted {
            Ok(driver) => {
                let spawn = Arc::clone(&shared.spawn);
                spawn.spawn(Box::pin(serve(shared, driver, close_event.clone())));
            }
            Err(_) => shared.connector.runtime().timer.sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn serve(shared: Arc<Shared>, mut driver: Box<dyn ByteStream>, close_event: CloseEvent) {
    let Shared { connector, upstream, address, .. } = &*shared;
    let startup = driver_startup(&mut *driver, address.verifier());
    let Some(Ok(startup)) = connector.within(STARTUP, startup).await else { return };
    let factory = StartupFactory::new(Arc::clone(upstream), startup);
    let login = async {
        let login = connector.connect_within(shared.budget, &factory);
        match select(close_event, pin!(login)).await {
            Either::Left(_) => Err(Error::new(ErrorKind::Closed, "the pool is closed")),
            Either::Right((login, _)) => login,
        }
    };
    // Boxed, so that it takes no room for as long as the session lives.
    let Some((login, early)) = Box::pin(log_in_for(&mut *driver, pin!(login))).await else {
        return;
    };
    let now = connector.runtime().clock.monotonic();
    *shared.last_error() = login.as_ref().err().map(|error| (now, error.clone()));
    match login {
        Ok(session) => {
            let liveness = Arc::clone(&shared.liveness);
            // A session does not keep the address open.
            drop(shared);
            if carry(driver, session, early).await {
                liveness.session_ended();
            }
        }
        Err(error) => {
            let why = (shared.explain)(&error);
            // There is no caller to tell.
            let _ = reject(&mut *driver, &why).await;
        }
    }
}

impl Shared {
    fn last_error(&self) -> MutexGuard<'_, Option<(Duration, Error)>> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
