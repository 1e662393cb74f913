//! An address where nobody listens.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

/// An address that refuses connections, and that nobody else is given as long as this lives.
///
/// Its socket is bound and does not listen.
#[derive(Debug)]
pub struct RefusingAddress {
    address: SocketAddr,
    _socket: Socket,
}

impl RefusingAddress {
    /// Occupies a port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn open() -> io::Result<Self> {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&any.into())?;
        let address = socket.local_addr()?.as_socket().unwrap_or(any);
        Ok(Self { address, _socket: socket })
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
