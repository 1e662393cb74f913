//! What every implementation of a trait must do, as functions that take the trait object.
//!
//! A function panics at the first broken promise. What could hang is bounded by [`within`], so a missing
//! wake-up is a failure and not a stuck build. Servers are threads of the standard library, so that they
//! share nothing with the runtime under test.
#![expect(
    clippy::missing_panics_doc,
    reason = "to panic at a broken promise is what all of this does"
)]

pub mod clock;
#[cfg(target_os = "linux")]
pub mod dial;
pub mod dns;
pub mod dns_server;
pub mod hosts;
pub mod http;
pub mod http_server;
pub mod listen;
pub mod login;
pub mod process;
pub mod proxy_server;
mod served;
pub mod socks_server;
pub mod task;

use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};
use lakebase_core::Timer;

/// Far more than anything on loopback takes, also on a busy machine.
const LIMIT: Duration = Duration::from_secs(20);

/// The result of `work`, which must not take longer than 20 s.
pub async fn within<T>(timer: &dyn Timer, what: &str, work: impl Future<Output = T>) -> T {
    match select(pin!(work), timer.sleep(LIMIT)).await {
        Either::Left((result, _)) => result,
        Either::Right(((), _)) => panic!("{what}: not done within {LIMIT:?}"),
    }
}

/// Runs blocking `work` on a thread of its own and waits for it without blocking.
pub async fn on_thread<T: Send + 'static>(
    timer: &dyn Timer,
    what: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    let (send, receive) = futures::channel::oneshot::channel();
    std::thread::spawn(move || {
        let _ = send.send(work());
    });
    within(timer, what, receive).await.unwrap_or_else(|_| panic!("{what}: the thread panicked"))
}
