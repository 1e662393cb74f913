//! A network that misbehaves, on loopback.

use std::io;
use std::net::{IpAddr, SocketAddr};

use socket2::{Domain, Socket, Type};

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
