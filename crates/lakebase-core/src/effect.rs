//! The effects that a runtime provides: time, tasks, connections, local sockets, HTTP, DNS, programs.
//!
//! Each is a small object-safe trait. [`Runtime`] is a struct of them, so a struct update replaces one.

mod dial;
mod listen;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::moment::Moment;
use crate::{BoxFuture, MaybeSend, MaybeSync, Result, Secret, Timestamp};

pub use self::dial::{ByteStream, Dial, DialTarget, Dialed, Route};
pub use self::listen::{Listen, LocalAddress, LocalSocket};

/// Reads the clocks.
pub trait Clock: fmt::Debug + MaybeSend + MaybeSync {
    /// The time since an arbitrary fixed moment. It never runs backwards, and may stop while the machine is suspended.
    fn monotonic(&self) -> Duration;

    /// The wall clock. It may be wrong and may step.
    fn wall(&self) -> Timestamp;

    /// Both clocks at once, for comparing ages. The reading is never ahead of the clocks, and may be a few milliseconds
    /// behind if that is cheaper. Default: the exact clocks.
    fn coarse(&self) -> Moment {
        Moment { monotonic: self.monotonic(), wall: self.wall() }
    }

    /// The monotonic clock of [`coarse`](Self::coarse) alone.
    fn coarse_monotonic(&self) -> Duration {
        self.coarse().monotonic
    }
}

impl Moment {
    /// Reads both clocks.
    #[must_use]
    pub fn now(clock: &dyn Clock) -> Self {
        Self { monotonic: clock.monotonic(), wall: clock.wall() }
    }
}

/// Sleeps.
pub trait Timer: fmt::Debug + MaybeSend + MaybeSync {
    /// Completes once `duration` has passed. Dropping the future cancels the wait.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// Runs detached tasks.
pub trait Spawn: fmt::Debug + MaybeSend + MaybeSync {
    /// Starts `task`. Without a current runtime it drops the task, which callers must handle.
    fn spawn(&self, task: BoxFuture<'static, ()>);
}

/// Sends HTTP requests.
///
/// # Contract
///
/// - One request is sent once: without retries, redirects, time-out and default headers. Connections may be kept alive.
/// - TLS is verified against public and platform roots; this cannot be turned off.
/// - Any HTTP status is `Ok`. A transport failure is an error of kind [`Unavailable`](crate::ErrorKind::Unavailable) or
///   [`Tls`](crate::ErrorKind::Tls), which names the host, and never a header or body.
/// - A proxy may have a time-out of its own. If a proxy refuses, [`Config`](crate::ErrorKind::Config) and
///   [`PermissionDenied`](crate::ErrorKind::PermissionDenied) are permanent; other kinds are transient.
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

    /// The route of a request to `uri`, in words that follow "goes": `directly`, or the proxy and its setting. Sends
    /// nothing. Default: `as the program's own HTTP client sends it`.
    ///
    /// # Errors
    ///
    /// [`Config`](crate::ErrorKind::Config) or [`Unsupported`](crate::ErrorKind::Unsupported) if a setting makes every such
    /// request fail.
    fn route(&self, _uri: &http::Uri) -> Result<String> {
        Ok("as the program's own HTTP client sends it".to_owned())
    }
}

/// Resolves host names to addresses, in order of preference.
///
/// An empty answer is an error ([`NotFound`](crate::ErrorKind::NotFound)).
#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
pub trait HostResolver: fmt::Debug + MaybeSend + MaybeSync {
    /// Looks `host` up.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) if the name does not exist,
    /// [`Unavailable`](crate::ErrorKind::Unavailable) if no resolver answered.
    async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>>;
}

/// The output and exit status of a program.
#[derive(Debug)]
pub struct ProcessOutput {
    /// Whether it exited with status 0.
    pub success: bool,
    /// Its standard output, which may contain a token.
    pub stdout: Secret,
    /// Its standard error, decoded with replacement characters.
    pub stderr: String,
}

/// Runs programs.
#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
pub trait Process: fmt::Debug + MaybeSend + MaybeSync {
    /// Runs `program` with `arguments` and no standard input, and collects its output. On Windows a name without an extension may be
    /// that of a batch file (`.cmd`), too.
    ///
    /// **Cancellation:** dropping the future kills the program.
    ///
    /// # Errors
    ///
    /// [`Config`](crate::ErrorKind::Config) if the program cannot be started.
    async fn output(&self, program: &str, arguments: &[&str]) -> Result<ProcessOutput>;
}

/// The effects that one runtime provides.
///
/// ```text
/// let runtime = Runtime { hosts: Arc::new(MyResolver), ..lakebase_runtime::tokio() };
/// ```
#[derive(Clone, Debug)]
pub struct Runtime {
    /// Reads the clocks.
    pub clock: Arc<dyn Clock>,
    /// Sleeps.
    pub timer: Arc<dyn Timer>,
    /// Runs tasks. Without one the waiting callers poll the work.
    pub spawn: Option<Arc<dyn Spawn>>,
    /// Opens connections.
    pub dial: Arc<dyn Dial>,
    /// Sends HTTP requests.
    pub http: Arc<dyn HttpClient>,
    /// The operating system's resolver.
    pub hosts: Arc<dyn HostResolver>,
    /// Direct DNS queries, for names that the system's resolver does not find, or not within a second.
    pub fallback_hosts: Option<Arc<dyn HostResolver>>,
    /// Runs programs.
    pub process: Arc<dyn Process>,
    /// Opens private sockets on this machine.
    pub listen: Arc<dyn Listen>,
}
