//! smol: its global executor's tasks; everything else is async-io's.

use lakebase_core::{BoxFuture, Result, Runtime};

use crate::{Options, async_io};

/// Effects on smol, with default [`Options`].
///
/// Works on any thread and under any executor, as async-io and smol's global executor have threads of their
/// own. A look-up by the system's resolver cannot be cancelled: it holds a thread of the blocking pool until
/// it ends.
#[must_use]
pub fn smol() -> Runtime {
    async_io::with_hyper(&Options::new(), spawn)
}

/// The same as [`smol()`], with choices.
///
/// # Errors
///
/// [`Config`](lakebase_core::ErrorKind::Config) if the choices contradict each other.
pub fn smol_with(options: &Options) -> Result<Runtime> {
    async_io::runtime(options, spawn)
}

/// The sockets alone.
#[cfg(feature = "tokio")]
pub(crate) fn net() -> async_io::AsyncIoNet {
    async_io::net(spawn)
}

fn spawn(task: BoxFuture<'static, ()>) {
    smol::spawn(task).detach();
}
