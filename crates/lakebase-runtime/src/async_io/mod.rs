//! The timers and sockets of async-io, which smol and async-std share.
//!
//! async-io runs its own reactor thread, so nothing here needs a context; the two runtimes differ in where
//! their tasks run and in nothing else.

mod net;

#[cfg(feature = "http-surf")]
use std::sync::Arc;
use std::time::Duration;

use async_io::Timer as IoTimer;
use lakebase_core::{BoxFuture, Result, Runtime, Spawn, Timer};

pub(crate) use self::net::AsyncIoNet;
use crate::Options;
use crate::assemble::assemble;

/// All effects, with tasks started by `spawn`.
pub(crate) fn runtime(options: &Options, spawn: SpawnFn) -> Result<Runtime> {
    #[cfg(feature = "http-surf")]
    if options.surf {
        let http = Arc::new(crate::surf::SurfClient::new(options)?);
        return Ok(assemble(AsyncIoNet { spawn }, options, Some(http)));
    }
    Ok(with_hyper(options, spawn))
}

/// The same with hyper as the HTTP client, whatever the options say.
pub(crate) fn with_hyper(options: &Options, spawn: SpawnFn) -> Runtime {
    assemble(AsyncIoNet { spawn }, options, None)
}

/// The sockets alone.
#[cfg(feature = "tokio")]
pub(crate) fn net(spawn: SpawnFn) -> AsyncIoNet {
    AsyncIoNet { spawn }
}

/// How a runtime starts a detached task.
pub(crate) type SpawnFn = fn(BoxFuture<'static, ()>);

impl Timer for AsyncIoNet {
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            IoTimer::after(duration).await;
        })
    }
}

impl Spawn for AsyncIoNet {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        (self.spawn)(task);
    }
}
