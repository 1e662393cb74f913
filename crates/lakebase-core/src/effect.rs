//! The effects that this crate asks others to perform: time, tasks, connections, HTTP, DNS, programs, relays.
//!
//! Each is one small object-safe trait, and [`Runtime`] is a plain struct of them, so that any single
//! part can be replaced by a struct update.

mod dial;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::refresh::Moment;
use crate::{BoxFuture, MaybeSend, MaybeSync, Result, Secret, Timestamp};

pub use self::dial::{ByteStream, Dial, DialTarget, Dialed};

/// Reads both clocks.
pub trait Clock: fmt::Debug + MaybeSend + MaybeSync {
    /// Time since an arbitrary fixed moment; never runs backwards, may stand still while suspended.
    fn monotonic(&self) -> Duration;

    /// The wall clock; may be wrong and may jump.
    fn wall(&self) -> Timestamp;

    /// Both at once, for telling whether something is old: never ahead of the two, and behind by no more than a
    /// few milliseconds, where that is cheaper. Default: what the two show.
    fn coarse(&self) -> Moment {
        Moment { monotonic: self.monotonic(), wall: self.wall() }
    }
}

/// Waits.
pub trait Timer: fmt::Debug + MaybeSend + MaybeSync {
    /// Completes once `duration` has passed. Dropping the future cancels the wait.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// Runs a task to its end, detached from the caller.
pub trait Spawn: fmt::Debug + MaybeSend + MaybeSync {
    /// Starts `task`. Where no runtime is current, the task is dropped, which its owner must be able to bear.
    fn spawn(&self, task: BoxFuture<'static, ()>);
}

/// Sends HTTP requests.
///
/// # Contract
///
/// - One request, one reply: no retries, no redirects followed, no time-out, no default headers; connections may be kept alive.
/// - TLS is verified against public and platform roots; there is no way to switch that off.
/// - Any HTTP status is `Ok`. `Err` is for transport failures, with a kind of
///   [`Unavailable`](crate::ErrorKind::Unavailable) or [`Tls`](crate::ErrorKind::Tls), and names the host, never a header or body.
/// - A reply larger than 4 MiB is an error.
/// - **Cancellation:** dropping the future abandons the request.
#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
pub trait HttpClient: fmt::Debug + MaybeSend + MaybeSync {
    /// Sends `request`, whose URI is absolute, and reads the whole reply.
    ///
    /// # Errors
    ///
    /// See the contract above.
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>>;
}

/// Turns a host name into addresses.
///
/// An empty answer is an error ([`NotFound`](crate::ErrorKind::NotFound)). Order is preference.
#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
pub trait HostResolver: fmt::Debug + MaybeSend + MaybeSync {
    /// Looks `host` up.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) if it is known not to exist,
    /// [`Unavailable`](crate::ErrorKind::Unavailable) if no resolver answered.
    async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>>;
}

/// What a program printed and how it ended.
#[derive(Debug)]
pub struct ProcessOutput {
    /// Whether it exited with status 0.
    pub success: bool,
    /// Its standard output; may hold a token.
    pub stdout: Secret,
    /// Its standard error, decoded leniently.
    pub stderr: String,
}

/// Runs programs.
#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
pub trait Process: fmt::Debug + MaybeSend + MaybeSync {
    /// Runs `program` with `arguments` and no standard input, and collects its output.
    ///
    /// **Cancellation:** dropping the future kills the program.
    ///
    /// # Errors
    ///
    /// [`Config`](crate::ErrorKind::Config) if the program cannot be started.
    async fn output(&self, program: &str, arguments: &[&str]) -> Result<ProcessOutput>;
}

/// Lets a driver that only knows Unix sockets reach TCP addresses that were resolved elsewhere.
///
/// The relay copies bytes and nothing else, so TLS stays between the driver and the server: SNI and
/// certificate verification are those of the host name that the driver was given.
#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
pub trait Relay: fmt::Debug + MaybeSend + MaybeSync {
    /// Listens on `.s.PGSQL.{port}` in a new private folder (mode 0700) and connects each client to the
    /// first of `targets` that answers; one that failed is tried last from then on.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](crate::ErrorKind::Unsupported) on platforms without Unix sockets,
    /// [`Config`](crate::ErrorKind::Config) if the socket's path would be too long.
    async fn open(&self, port: u16, targets: Vec<SocketAddr>) -> Result<Box<dyn RelaySocket>>;
}

/// An open relay; dropping it stops listening and removes the folder. Connections that it carries live on
/// until either side ends them.
pub trait RelaySocket: fmt::Debug + MaybeSend + MaybeSync {
    /// The folder that holds the socket.
    fn directory(&self) -> &Path;

    /// Whether it still takes clients; not once the runtime that it was opened on has ended.
    fn is_open(&self) -> bool;

    /// Replaces the addresses for connections to come.
    fn retarget(&self, targets: Vec<SocketAddr>);

    /// Why the last connection attempt to the targets failed; `None` after one that succeeded.
    fn last_error(&self) -> Option<crate::Error>;
}

/// All effects together, as one runtime provides them.
///
/// ```text
/// let runtime = Runtime { hosts: Arc::new(MyResolver), ..lakebase_runtime::tokio() };
/// ```
#[derive(Clone, Debug)]
pub struct Runtime {
    /// Reads the clocks.
    pub clock: Arc<dyn Clock>,
    /// Waits.
    pub timer: Arc<dyn Timer>,
    /// Runs tasks; without one, work is driven by whoever waits for it.
    pub spawn: Option<Arc<dyn Spawn>>,
    /// Opens connections.
    pub dial: Arc<dyn Dial>,
    /// Sends HTTP requests.
    pub http: Arc<dyn HttpClient>,
    /// The operating system's resolver.
    pub hosts: Arc<dyn HostResolver>,
    /// Direct DNS queries, for names that the system's resolver does not find.
    pub fallback_hosts: Option<Arc<dyn HostResolver>>,
    /// Runs programs.
    pub process: Arc<dyn Process>,
    /// Carries drivers to resolved addresses.
    pub relay: Arc<dyn Relay>,
}
