//! A network that misbehaves: on loopback, and on Linux between namespaces (`Link`).

#[cfg(target_os = "linux")]
mod link;

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use socket2::{Domain, Socket, Type};

#[cfg(target_os = "linux")]
pub use self::link::Link;

/// How many connections fill the queue of a listener that asks for none: more than any kernel adds of its own.
const FILL: usize = 4;

/// An address that swallows packets: connecting to it takes for ever, as behind a broken route.
///
/// It is a listener whose queue is full, which Linux answers with silence.
#[derive(Debug)]
pub struct DeadAddress {
    address: SocketAddr,
    _listener: Socket,
    _fill: Vec<Socket>,
}

impl DeadAddress {
    /// Occupies `port` of `ip`, an address of this machine such as 127.0.0.2. Port 0 lets the system choose.
    ///
    /// # Errors
    ///
    /// Those of the system: the port is in use, or the address is not this machine's.
    pub fn open(ip: IpAddr, port: u16) -> io::Result<Self> {
        let wanted = SocketAddr::new(ip, port);
        let socket = || Socket::new(Domain::for_address(wanted), Type::STREAM, None);
        let listener = socket()?;
        listener.bind(&wanted.into())?;
        listener.listen(0)?;
        let address = listener.local_addr()?.as_socket().unwrap_or(wanted);
        let mut fill = Vec::new();
        for _ in 0..FILL {
            let socket = socket()?;
            socket.set_nonblocking(true)?;
            // It is under way, which is all that is wanted of it.
            let _ = socket.connect(&address.into());
            fill.push(socket);
        }
        Ok(Self { address, _listener: listener, _fill: fill })
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// A way to a server that can forget its connections without a word, as load balancers and NAT do.
///
/// Those that were open then stay open on both sides, and no byte passes any more; later ones work.
#[derive(Debug)]
pub struct ForgetfulLink {
    address: SocketAddr,
    /// Each connection belongs to the generation in which it was opened.
    generation: Arc<AtomicUsize>,
}

impl ForgetfulLink {
    /// Leads from a port of loopback to `server`.
    ///
    /// Its threads end with their connections; the one that accepts lives as long as the process.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn open(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let generation = Arc::new(AtomicUsize::new(0));
        forward(listener, server, Arc::clone(&generation));
        Ok(Self { address, generation })
    }

    /// Where clients connect to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Forgets the connections that are open.
    pub fn forget(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }
}

/// Leads each connection that `listener` accepts on to `server`, for as long as `generation` is what it was then.
fn forward(listener: TcpListener, server: SocketAddr, generation: Arc<AtomicUsize>) {
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let Ok(server) = TcpStream::connect(server) else { continue };
            let own = generation.load(Ordering::SeqCst);
            for (from, to) in [(&client, &server), (&server, &client)] {
                let _ = to.set_nodelay(true);
                let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else { continue };
                let generation = Arc::clone(&generation);
                thread::spawn(move || carry(from, to, || generation.load(Ordering::SeqCst) == own));
            }
        }
    });
}

/// Copies until an end, which is passed on. What comes once `passes` says no is swallowed, and so is the end.
fn carry(mut from: TcpStream, mut to: TcpStream, passes: impl Fn() -> bool) {
    let mut chunk = [0; 16 * 1024];
    loop {
        // A connection that broke has ended.
        let count = from.read(&mut chunk).unwrap_or_default();
        let part = chunk.get(..count).unwrap_or_default();
        if passes() && (part.is_empty() || to.write_all(part).is_err()) {
            let _ = to.shutdown(Shutdown::Both);
            return;
        }
        if part.is_empty() {
            return;
        }
    }
}
