//! The effects that this crate asks others to perform: time, tasks, connections, local sockets, HTTP, DNS, programs.
//!
//! Each is one small object-safe trait, and [`Runtime`] is a plain struct of them, so that any single
//! part can be replaced by a struct update.

mod dial;
mod listen;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::refresh::Moment;
use crate::{BoxFuture, MaybeSend, MaybeSync, Result, Secret, Timestamp};

pub use self::dial::{ByteStream, Dial, DialTarget, Dialed};
pub use self::listen::{Listen, LocalAddress, LocalSocket};

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
/// - A proxy on the way may have a time-out. If it refuses, the kind says whether that may pass:
///   [`Config`](crate::ErrorKind::Config) and [`PermissionDenied`](crate::ErrorKind::PermissionDenied) do not.
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

    /// How a request to `uri` travels, in words that follow "goes": `directly`, or through which proxy, and
    /// which setting says so. Nobody is asked. Default: `as the program's own HTTP client sends it`.
    ///
    /// # Errors
    ///
    /// [`Config`](crate::ErrorKind::Config) or [`Unsupported`](crate::ErrorKind::Unsupported) if a setting
    /// stands in the way of every such request.
    fn route(&self, _uri: &http::Uri) -> Result<String> {
        Ok("as the program's own HTTP client sends it".to_owned())
    }
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
    /// Opens private addresses of this machine.
    pub listen: Arc<dyn Listen>,
}
