//! RFC 8305, section 5: attempts that start one after the other and run side by side.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::poll_fn;
use futures_util::stream::{FuturesUnordered, Stream as _};
use lakebase_core::BoxFuture;

/// The pause between the start of two attempts (the RFC's "Connection Attempt Delay").
pub(super) const STAGGER: Duration = Duration::from_millis(250);

/// Why an address did not answer.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The attempt failed.
    Failed(io::Error),
    /// There was no answer for so long.
    Silent(Duration),
    /// There was no time left to try it.
    Untried,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::Silent(time) => write!(f, "no answer within {time:.1?}"),
            Self::Untried => f.write_str("not tried"),
        }
    }
}

/// The address that answered first and its connection, with those that failed or were slower than [`STAGGER`]; or what each did.
type Raced<T> = Result<(SocketAddr, T, Vec<SocketAddr>), Vec<(SocketAddr, Outcome)>>;

/// Connects to the first of `addresses` that answers within `timeout`.
pub(super) async fn race<T, F>(
    addresses: &[SocketAddr],
    timeout: Duration,
    connect: impl Fn(SocketAddr) -> F,
    sleep: impl Fn(Duration) -> BoxFuture<'static, ()>,
) -> Raced<T>
where
    F: Future<Output = io::Result<T>>,
{
    let attempt = |address| {
        let work = connect(address);
        async move { (address, work.await) }
    };
    let mut waiting = addresses.iter().copied();
    let mut running = FuturesUnordered::new();
    let mut started = Vec::new();
    let mut failed: Vec<(SocketAddr, io::Error)> = Vec::new();
    let mut limit = sleep(timeout);
    let mut pause: Option<BoxFuture<'static, ()>> = None;
    let won = poll_fn(|context| {
        loop {
            // At first, after a failure, and after the pause.
            if pause.is_none()
                && let Some(address) = waiting.next()
            {
                started.push(address);
                running.push(attempt(address));
                pause = (waiting.len() > 0).then(|| sleep(STAGGER));
            }
            match std::pin::Pin::new(&mut running).poll_next(context) {
                Poll::Ready(Some((address, Ok(stream)))) => {
                    return Poll::Ready(Some((address, stream)));
                }
                Poll::Ready(Some((address, Err(error)))) => {
                    failed.push((address, error));
                    pause = None;
                    continue;
                }
                Poll::Ready(None) if waiting.len() == 0 => return Poll::Ready(None),
                Poll::Ready(None) | Poll::Pending => {}
            }
            match &mut pause {
                Some(time) => match time.as_mut().poll(context) {
                    Poll::Ready(()) => pause = None,
                    Poll::Pending => return limit.as_mut().poll(context).map(|()| None),
                },
                None => return limit.as_mut().poll(context).map(|()| None),
            }
        }
    })
    .await;
    if let Some((winner, stream)) = won {
        // An address that had a head start of a pause and did not use it is slower by that much next time, too.
        let place = started.iter().position(|address| *address == winner).unwrap_or_default();
        let slow = started.iter().take(place).copied();
        let failed: Vec<_> = failed.into_iter().map(|(address, _)| address).chain(slow).collect();
        return Ok((winner, stream, failed));
    }
    let mut outcomes = Vec::with_capacity(addresses.len());
    for address in addresses {
        let outcome = match failed.iter().position(|(known, _)| known == address) {
            Some(place) => Outcome::Failed(failed.swap_remove(place).1),
            None => match started.iter().position(|known| known == address) {
                Some(_) => Outcome::Silent(timeout),
                None => Outcome::Untried,
            },
        };
        outcomes.push((*address, outcome));
    }
    Err(outcomes)
}
