//! async-io's sockets.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_net::{TcpStream, UdpSocket};
use futures_rustls::TlsConnector;
use futures_util::io::{AsyncReadExt as _, AsyncWriteExt as _};
use lakebase_core::{BoxFuture, Result, Timer};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use smol_hyper::rt::FuturesIo;

use super::SpawnFn;
use super::io::HyperIo;
use crate::net::{HttpStream, Net, unspecified};

/// async-io's sockets, and tasks wherever `spawn` starts them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AsyncIoNet {
    pub(super) spawn: SpawnFn,
}

impl Net for AsyncIoNet {
    type Tcp = TcpStream;
    type Udp = UdpSocket;
    #[cfg(unix)]
    type Listener = async_net::unix::UnixListener;
    #[cfg(unix)]
    type Unix = async_net::unix::UnixStream;

    fn check(&self) -> Result<()> {
        Ok(())
    }

    async fn look_up(&self, host: String) -> io::Result<Vec<SocketAddr>> {
        async_net::resolve((host, 0)).await
    }

    fn plain(&self, tcp: TcpStream) -> Box<dyn HttpStream> {
        Box::new(FuturesIo::new(tcp))
    }

    async fn tls(
        &self,
        stream: Box<dyn HttpStream>,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> io::Result<Box<dyn HttpStream>> {
        let stream = TlsConnector::from(config).connect(name, HyperIo(stream)).await?;
        Ok(Box::new(FuturesIo::new(stream)))
    }

    async fn tcp(&self, to: SocketAddr) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn write(&self, to: &mut TcpStream, message: &[u8]) -> io::Result<()> {
        to.write_all(message).await
    }

    async fn read(&self, from: &mut TcpStream, buffer: &mut [u8]) -> io::Result<()> {
        from.read_exact(buffer).await
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

    #[cfg(unix)]
    fn listen(&self, listener: std::os::unix::net::UnixListener) -> io::Result<Self::Listener> {
        listener.try_into()
    }

    #[cfg(unix)]
    async fn accept(&self, listener: &Self::Listener) -> io::Result<Self::Unix> {
        Ok(listener.accept().await?.0)
    }

    #[cfg(unix)]
    async fn copy(&self, client: Self::Unix, server: TcpStream) -> io::Result<()> {
        let (from_client, mut to_client) = client.split();
        let (from_server, mut to_server) = server.split();
        let up = async {
            futures_util::io::copy(from_client, &mut to_server).await?;
            to_server.close().await
        };
        let down = async {
            futures_util::io::copy(from_server, &mut to_client).await?;
            to_client.close().await
        };
        futures_util::future::try_join(up, down).await.map(drop)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Timer::sleep(self, duration)
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        (self.spawn)(task);
    }
}
