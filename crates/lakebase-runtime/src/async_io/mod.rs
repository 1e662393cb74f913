//! What smol and async-std share: the timers and sockets of async-io.
//!
//! async-io runs its own reactor thread, so nothing here needs a context; the two runtimes differ in where
//! their tasks run and in nothing else.

mod io;
mod net;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_io::Timer as IoTimer;
use async_trait::async_trait;
use lakebase_core::{BoxFuture, HostResolver, HttpClient, Result, Runtime, Spawn, Timer};

use self::net::AsyncIoNet;
use crate::dns::DirectResolver;
use crate::http::HyperClient;
use crate::net::Net as _;
use crate::process::ThreadProcess;
use crate::relay::SocketRelay;
use crate::{Options, SystemClock, hosts};

/// All effects, with tasks started by `spawn`.
pub(crate) fn runtime(options: &Options, spawn: SpawnFn) -> Result<Runtime> {
    #[cfg(feature = "http-surf")]
    if options.surf {
        let http = crate::surf::SurfClient::new(options)?;
        return Ok(assemble(options, spawn, Arc::new(http)));
    }
    Ok(with_hyper(options, spawn))
}

/// The same with hyper as the HTTP client, whatever the options say.
pub(crate) fn with_hyper(options: &Options, spawn: SpawnFn) -> Runtime {
    let http = HyperClient::new(AsyncIoNet { spawn }, options);
    assemble(options, spawn, Arc::new(http))
}

fn assemble(options: &Options, spawn: SpawnFn, http: Arc<dyn HttpClient>) -> Runtime {
    let clock = Arc::new(SystemClock);
    let net = AsyncIoNet { spawn };
    Runtime {
        clock: clock.clone(),
        timer: Arc::new(net),
        spawn: Some(Arc::new(net)),
        http,
        hosts: Arc::new(net),
        fallback_hosts: Some(Arc::new(DirectResolver::new(net, clock, options))),
        process: Arc::new(ThreadProcess),
        relay: Arc::new(SocketRelay::new(net, options)),
    }
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

#[async_trait]
impl HostResolver for AsyncIoNet {
    async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>> {
        hosts::resolve(host, |host| self.look_up(host)).await
    }
}
