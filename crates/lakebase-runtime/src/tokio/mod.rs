//! tokio: its timers, tasks, sockets, programs and blocking pool.
//!
//! Every method asks for the current runtime first, because tokio's own functions panic without one. Only
//! a runtime built without its time or I/O driver still panics, as tokio gives no way to ask.

mod net;
#[cfg(feature = "http-reqwest")]
mod reqwest;

#[cfg(any(feature = "http-reqwest", feature = "http-surf"))]
use std::sync::Arc;
use std::time::Duration;

use ::tokio::runtime::Handle;
use lakebase_core::{BoxFuture, Result, Runtime, Spawn, Timer};

pub(crate) use self::net::TokioNet;
use crate::assemble::assemble;
use crate::{Options, failure};

/// Effects on whatever tokio runtime is current at each call, with default [`Options`].
///
/// Needs no runtime itself. The runtime must have time and I/O enabled (`#[tokio::main]` does it). Where
/// none is current, timers fall back to a thread each, spawned tasks are dropped, and everything else fails
/// with [`Unsupported`](lakebase_core::ErrorKind::Unsupported).
///
/// A look-up by the system's resolver cannot be cancelled: it holds a thread of tokio's blocking pool until
/// it ends, and shutting the runtime down waits for it.
#[must_use]
pub fn tokio() -> Runtime {
    assemble(TokioNet, &Options::new(), None)
}

/// The same as [`tokio()`], with choices.
///
/// # Errors
///
/// [`Config`](lakebase_core::ErrorKind::Config) if the choices contradict each other.
pub fn tokio_with(options: &Options) -> Result<Runtime> {
    #[cfg(feature = "http-surf")]
    if options.surf {
        let http = Arc::new(crate::surf::SurfClient::new(options)?);
        return Ok(assemble(TokioNet, options, Some(http)));
    }
    #[cfg(feature = "http-reqwest")]
    if options.reqwest {
        let http = Arc::new(reqwest::ReqwestClient::new(options));
        return Ok(assemble(TokioNet, options, Some(http)));
    }
    Ok(assemble(TokioNet, options, None))
}

/// Whether a tokio runtime is current.
pub(crate) fn is_current() -> bool {
    Handle::try_current().is_ok()
}

fn check() -> Result<()> {
    if is_current() { Ok(()) } else { Err(failure::no_context()) }
}

impl Timer for TokioNet {
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        // The runtime that polls counts, not the one that happens to be current now.
        Box::pin(async move {
            if is_current() {
                ::tokio::time::sleep(duration).await;
            } else {
                sleep_on_thread(duration).await;
            }
        })
    }
}

/// The wait of last resort: a thread that ends early when the future is dropped.
async fn sleep_on_thread(duration: Duration) {
    use std::sync::mpsc;
    let (done, woken) = futures_channel::oneshot::channel::<()>();
    let (_alive, dropped) = mpsc::channel::<()>();
    let started = std::thread::Builder::new().name("lakebase-timer".to_owned()).spawn(move || {
        if dropped.recv_timeout(duration) == Err(mpsc::RecvTimeoutError::Timeout) {
            let _ = done.send(());
        }
    });
    // Without threads nothing can wait, and a timer must end.
    if started.is_ok() {
        let _ = woken.await;
    }
}

impl Spawn for TokioNet {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        if let Ok(runtime) = Handle::try_current() {
            drop(runtime.spawn(task));
        }
    }
}
