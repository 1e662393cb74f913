//! async-std: its tasks; everything else is async-io's, as in async-std itself.

use lakebase_core::{BoxFuture, Result, Runtime};

use crate::{Options, async_io};

/// Effects on async-std, with default [`Options`].
///
/// Works on any thread and under any executor, as async-io and async-std have threads of their own. A
/// look-up by the system's resolver cannot be cancelled: it holds a thread of the blocking pool until it
/// ends. async-std is discontinued (RUSTSEC-2025-0052); new programs should take smol.
#[must_use]
pub fn async_std() -> Runtime {
    async_io::with_hyper(&Options::new(), spawn)
}

/// The same as [`async_std()`], with choices.
///
/// # Errors
///
/// [`Config`](lakebase_core::ErrorKind::Config) if the choices contradict each other.
pub fn async_std_with(options: &Options) -> Result<Runtime> {
    async_io::runtime(options, spawn)
}

/// The sockets alone.
#[cfg(all(feature = "tokio", not(feature = "smol")))]
pub(crate) fn net() -> async_io::AsyncIoNet {
    async_io::net(spawn)
}

fn spawn(task: BoxFuture<'static, ()>) {
    drop(async_std::task::spawn(task));
}
