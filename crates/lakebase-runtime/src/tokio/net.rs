//! tokio's sockets.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use lakebase_core::{BoxFuture, Result, Spawn as _, Timer as _};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::runtime::Handle;
use tokio_rustls::TlsConnector;

use super::TokioRuntime;
use super::io::{HyperIo, TokioIo};
use crate::net::{HttpStream, Net, unspecified};

/// The sockets of the current tokio runtime.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokioNet;

impl Net for TokioNet {
    type Tcp = TcpStream;
    type Udp = UdpSocket;
    #[cfg(unix)]
    type Listener = tokio::net::UnixListener;
    #[cfg(unix)]
    type Unix = tokio::net::UnixStream;

    fn check(&self) -> Result<()> {
        super::check()
    }

    /// A socket is driven by the runtime that opened it, and by nobody once that is gone.
    fn scope(&self) -> String {
        Handle::try_current().map_or(String::new(), |runtime| runtime.id().to_string())
    }

    async fn look_up(&self, host: String) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.collect())
    }

    fn plain(&self, tcp: TcpStream) -> Box<dyn HttpStream> {
        Box::new(TokioIo(tcp))
    }

    async fn tls(
        &self,
        stream: Box<dyn HttpStream>,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> io::Result<Box<dyn HttpStream>> {
        let stream = TlsConnector::from(config).connect(name, HyperIo(stream)).await?;
        Ok(Box::new(TokioIo(stream)))
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
        from.read_exact(buffer).await.map(drop)
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
        tokio::net::UnixListener::from_std(listener)
    }

    #[cfg(unix)]
    async fn accept(&self, listener: &Self::Listener) -> io::Result<Self::Unix> {
        Ok(listener.accept().await?.0)
    }

    #[cfg(unix)]
    async fn copy(&self, mut client: Self::Unix, mut server: TcpStream) -> io::Result<()> {
        tokio::io::copy_bidirectional(&mut client, &mut server).await.map(drop)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        TokioRuntime.sleep(duration)
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        TokioRuntime.spawn(task);
    }
}
