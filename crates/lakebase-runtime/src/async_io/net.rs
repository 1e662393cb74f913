//! async-io's sockets.

use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;

#[cfg(unix)]
use async_net::unix::{UnixListener, UnixStream};
use async_net::{TcpListener, TcpStream, UdpSocket};
use lakebase_core::Result;
use lakebase_core::connect::TcpOptions;
use lakebase_core::effect::ByteStream;

use super::SpawnFn;
use crate::dial::{Connect, tune};
use crate::net::{Net, StdListener, unspecified};

/// async-io's sockets, and tasks wherever `spawn` starts them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AsyncIoNet {
    pub(super) spawn: SpawnFn,
}

impl Connect for AsyncIoNet {
    fn check(&self) -> Result<()> {
        Ok(())
    }

    async fn look_up(&self, host: String) -> io::Result<Vec<SocketAddr>> {
        async_net::resolve((host, 0)).await
    }

    async fn tcp(&self, to: SocketAddr, options: TcpOptions) -> io::Result<Box<dyn ByteStream>> {
        let stream = TcpStream::connect(to).await?;
        tune(&stream, options)?;
        Ok(Box::new(stream))
    }

    #[cfg(unix)]
    async fn unix(&self, path: &Path) -> io::Result<Box<dyn ByteStream>> {
        Ok(Box::new(UnixStream::connect(path).await?))
    }
}

impl Net for AsyncIoNet {
    type Udp = UdpSocket;
    type Listener = Listener;

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
            StdListener::Tcp(listener) => listener.try_into().map(Listener::Tcp),
            #[cfg(unix)]
            StdListener::Unix(listener) => listener.try_into().map(Listener::Unix),
        }
    }

    async fn accept(&self, listener: &Listener) -> io::Result<Box<dyn ByteStream>> {
        match listener {
            Listener::Tcp(listener) => {
                let stream = listener.accept().await?.0;
                stream.set_nodelay(true)?;
                Ok(Box::new(stream))
            }
            #[cfg(unix)]
            Listener::Unix(listener) => Ok(Box::new(listener.accept().await?.0)),
        }
    }
}

/// A listening socket of async-io.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
}
