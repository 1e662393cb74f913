//! tokio's sockets.

use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;

use lakebase_core::Result;
use lakebase_core::connect::TcpOptions;
use lakebase_core::effect::ByteStream;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::Handle;

use crate::dial::{Connect, tune};
use crate::net::{Net, StdListener, unspecified};
use crate::tokio_io::TokioIo;

/// The sockets of the current tokio runtime.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokioNet;

impl Connect for TokioNet {
    fn check(&self) -> Result<()> {
        super::check()
    }

    async fn look_up(&self, host: String) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.collect())
    }

    async fn tcp(&self, to: SocketAddr, options: TcpOptions) -> io::Result<Box<dyn ByteStream>> {
        let stream = TcpStream::connect(to).await?;
        tune(&stream, options)?;
        Ok(Box::new(TokioIo(stream)))
    }

    #[cfg(unix)]
    async fn unix(&self, path: &Path) -> io::Result<Box<dyn ByteStream>> {
        Ok(Box::new(TokioIo(UnixStream::connect(path).await?)))
    }
}

impl Net for TokioNet {
    type Udp = UdpSocket;
    type Listener = Listener;

    /// A socket is driven by the runtime that opened it, and by none once that is gone.
    fn scope(&self) -> String {
        Handle::try_current().map_or(String::new(), |runtime| runtime.id().to_string())
    }

    async fn udp(&self, peer: SocketAddr) -> io::Result<UdpSocket> {
        let socket = UdpSocket::bind(unspecified(peer)).await?;
        socket.connect(peer).await?;
        Ok(socket)
    }

    async fn send(&self, over: &UdpSocket, message: &[u8]) -> io::Result<()> {
        over.send(message).await.map(drop)
    }

    async fn receive(&self, over: &UdpSocket, buffer: &mut [u8]) -> io::Result<usize> {
        over.recv(buffer).await
    }

    fn listen(&self, listener: StdListener) -> io::Result<Listener> {
        match listener {
            StdListener::Tcp(listener) => TcpListener::from_std(listener).map(Listener::Tcp),
            #[cfg(unix)]
            StdListener::Unix(listener) => UnixListener::from_std(listener).map(Listener::Unix),
        }
    }

    async fn accept(&self, listener: &Listener) -> io::Result<Box<dyn ByteStream>> {
        match listener {
            Listener::Tcp(listener) => {
                let stream = listener.accept().await?.0;
                stream.set_nodelay(true)?;
                Ok(Box::new(TokioIo(stream)))
            }
            #[cfg(unix)]
            Listener::Unix(listener) => Ok(Box::new(TokioIo(listener.accept().await?.0))),
        }
    }
}

/// A listening socket of a runtime.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
}
