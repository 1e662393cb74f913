//! The contract of [`Spawn`].

use futures::channel::oneshot;
use lakebase_core::{Spawn, Timer};

use super::within;

/// A task runs to its end without anybody waiting for it, and tasks run beside each other.
pub async fn spawn(spawn: &dyn Spawn, timer: &dyn Timer) {
    let (to_first, from_second) = oneshot::channel::<u8>();
    let (to_second, from_first) = oneshot::channel::<u8>();
    let (done, finished) = oneshot::channel();
    spawn.spawn(Box::pin(async move {
        to_second.send(1).expect("the second task waits");
        done.send(from_second.await).expect("the caller waits");
    }));
    spawn.spawn(Box::pin(async move {
        let one = from_first.await.expect("the first task sends");
        to_first.send(one + 1).expect("the first task waits");
    }));
    let result = within(timer, "two tasks that wait for each other", finished).await;
    assert_eq!(result.expect("the first task ends"), Ok(2));
}
