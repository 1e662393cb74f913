//! Asks Postgres for TLS on behalf of a client that starts TLS at once, then hands bytes on as they are.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use crate::link::{accept, small};

/// `SSLRequest` of the protocol: length 8, code 80877103.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// Opens a shim on loopback before `target` and gives its port. With `ask`, it asks for TLS; else the client does.
pub(super) fn open(target: SocketAddr, ask: bool) -> io::Result<u16> {
    accept(target, move |near, mut far| {
        if ask {
            far.write_all(&SSL_REQUEST)?;
            let mut answer = [0];
            far.read_exact(&mut answer)?;
            if answer != *b"S" {
                return Err(io::Error::other("the server speaks no TLS"));
            }
        }
        let (back_from, back_to) = (far.try_clone()?, near.try_clone()?);
        small().spawn(move || carry(back_from, back_to))?;
        carry(near, far);
        Ok(())
    })
}

fn carry(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = vec![0; 32 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if to.write_all(buffer.get(..count).unwrap_or_default()).is_err() {
            break;
        }
    }
    // Whether one side closed or failed, it is over for both.
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};
    use std::thread;

    use super::*;

    #[test]
    fn tls_is_asked_for_before_the_first_byte_passes() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = open(listener.local_addr().unwrap(), true).unwrap();
        let client = thread::spawn(move || {
            let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
            client.write_all(b"hello").unwrap();
            let mut answer = [0; 5];
            client.read_exact(&mut answer).unwrap();
            answer
        });
        let (mut server, _) = listener.accept().unwrap();
        let mut request = [0; 8];
        server.read_exact(&mut request).unwrap();
        assert_eq!(request, SSL_REQUEST);
        server.write_all(b"S").unwrap();
        let mut bytes = [0; 5];
        server.read_exact(&mut bytes).unwrap();
        server.write_all(&bytes).unwrap();
        assert_eq!(&client.join().unwrap(), b"hello");
    }
}
