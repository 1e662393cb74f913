//! A loopback port whose clients are each served by a thread.

use crate::lock;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// Listens until dropped, which ends all connections.
#[derive(Debug)]
pub(super) struct Served {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    open: Open,
}

/// What ends with the server.
#[derive(Clone, Debug, Default)]
pub(super) struct Open(Arc<Mutex<Vec<TcpStream>>>);

impl Open {
    fn keep(&self, stream: &TcpStream) {
        lock(&self.0).extend(stream.try_clone());
    }

    /// Copies both directions until the first end.
    pub(super) fn join(&self, mut client: &TcpStream, mut server: &TcpStream) -> io::Result<()> {
        self.keep(server);
        let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
        std::thread::spawn(move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        });
        let copied = io::copy(&mut server, &mut client);
        let _ = client.shutdown(Shutdown::Both);
        copied.map(drop)
    }
}

impl Served {
    /// Has `serve` speak to each client of a port of its own, and closes when it returns.
    pub(super) fn start(
        serve: impl Fn(&TcpStream, &Open) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").expect("a loopback port"), serve)
    }

    /// The same on `listener`.
    pub(super) fn on(
        listener: TcpListener,
        serve: impl Fn(&TcpStream, &Open) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().expect("its address");
        let server = Self { address, stop: Arc::default(), open: Open::default() };
        let (stop, open, serve) = (Arc::clone(&server.stop), server.open.clone(), Arc::new(serve));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                open.keep(&stream);
                let (open, serve) = (open.clone(), Arc::clone(&serve));
                std::thread::spawn(move || {
                    // The client's ways of leaving are part of the tests.
                    let _ = serve(&stream, &open);
                    let _ = stream.shutdown(Shutdown::Both);
                });
            }
        });
        server
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the accepting thread, which then sees the flag.
        let _ = TcpStream::connect(self.address);
        for stream in lock(&self.open.0).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}
