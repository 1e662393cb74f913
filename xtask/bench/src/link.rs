//! A TCP link that takes time: whatever goes through arrives later, in both directions, in order and undamaged.
//!
//! Threads, because a runtime's timers are too coarse for half a millisecond. Bandwidth is not limited: bytes wait, they do not queue up behind
//! each other.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::clock;

/// Opens a link on loopback to `target` and gives its port. A round trip over it takes `round_trip` more than without.
pub(crate) fn open(target: SocketAddr, round_trip: Duration) -> io::Result<u16> {
    let delay = round_trip / 2;
    accept(target, move |near, far| {
        carry(near.try_clone()?, far.try_clone()?, delay)?;
        carry(far, near, delay)
    })
}

/// Opens a port of loopback and gives it. Each client is connected with `target` by `join`, in a thread of its own.
///
/// The port is there until the process ends.
pub(crate) fn accept(
    target: SocketAddr,
    join: impl Fn(TcpStream, TcpStream) -> io::Result<()> + Clone + Send + 'static,
) -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    small().spawn(move || {
        for near in listener.incoming().flatten() {
            let join = join.clone();
            // If that fails, the client sees the end of its connection.
            let _ = small().spawn(move || {
                let far = TcpStream::connect(target)?;
                near.set_nodelay(true)?;
                far.set_nodelay(true)?;
                join(near, far)
            });
        }
    })?;
    Ok(port)
}

/// A thread that needs little.
pub(crate) fn small() -> thread::Builder {
    thread::Builder::new().name("link".to_owned()).stack_size(64 * 1024)
}

/// Carries one direction in two threads: one notes when bytes came, the other hands them on when they are due.
fn carry(mut from: TcpStream, mut to: TcpStream, delay: Duration) -> io::Result<()> {
    let (sender, bytes) = mpsc::channel::<(Instant, Vec<u8>)>();
    small().spawn(move || {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let piece = buffer.get(..count).unwrap_or_default().to_vec();
            if sender.send((clock::now() + delay, piece)).is_err() {
                break;
            }
        }
    })?;
    small().spawn(move || {
        for (due, piece) in bytes {
            clock::sleep_until(due);
            if to.write_all(&piece).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends back whatever comes, with every bit turned.
    fn negator() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = [0; 1024];
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                buffer[..count].iter_mut().for_each(|byte| *byte = !*byte);
                stream.write_all(&buffer[..count]).unwrap();
            }
        });
        address
    }

    #[test]
    fn bytes_arrive_in_order_and_no_earlier_than_due() {
        let round_trip = Duration::from_millis(20);
        let port = open(negator(), round_trip).unwrap();
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        let sent: Vec<u8> = (0..=u8::MAX).cycle().take(100_000).collect();
        let mut writer = stream.try_clone().unwrap();
        let copy = sent.clone();
        let started = clock::now();
        let writing = thread::spawn(move || writer.write_all(&copy).unwrap());
        let mut first = [0];
        stream.read_exact(&mut first).unwrap();
        assert!(clock::since(started) >= round_trip);
        let mut rest = vec![0; sent.len() - 1];
        stream.read_exact(&mut rest).unwrap();
        writing.join().unwrap();
        let turned: Vec<u8> = sent.iter().map(|byte| !byte).collect();
        assert!(first == turned[..1] && rest == turned[1..]);
    }

    #[test]
    fn the_end_of_one_side_reaches_the_other() {
        let port = open(negator(), Duration::ZERO).unwrap();
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream.write_all(b"x").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        assert!(rest.len() <= 1);
    }
}
