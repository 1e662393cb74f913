//! Between tokio-postgres' errors and ours.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use lakebase_core::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::NoTls;

/// Wraps `error` so that it passes through interfaces that are fixed to tokio-postgres' error type. It is an I/O error there, because it
/// means that there is no connection; the text and all causes are kept.
///
/// tokio-postgres makes its errors itself, so it gets a stream that fails with this one.
pub(crate) async fn into_tokio_postgres(error: Error) -> tokio_postgres::Error {
    match crate::factory::config().connect_raw(Failed(Some(error)), NoTls).await {
        Err(error) => error,
        Ok(_) => unreachable!("nothing can be written to a stream that has failed"),
    }
}

/// A stream that has failed.
struct Failed(Option<Error>);

impl Failed {
    fn fail(&mut self) -> io::Error {
        self.0.take().map_or_else(|| io::ErrorKind::BrokenPipe.into(), io::Error::other)
    }
}

impl AsyncRead for Failed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(Err(self.fail()))
    }
}

impl AsyncWrite for Failed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(self.fail()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(self.fail()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(self.fail()))
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use futures_util::FutureExt as _;
    use lakebase_core::ErrorKind;

    use super::*;

    #[test]
    fn wrapping_keeps_kind_text_and_causes() {
        let ours = Error::new(ErrorKind::TimedOut, "no login").with_source("refused");
        let wrapped = into_tokio_postgres(ours.clone()).now_or_never().unwrap();
        assert!(Error::find_in(&wrapped).unwrap().is_same(&ours));
        assert_eq!(wrapped.source().unwrap().to_string(), "no login");
    }
}
