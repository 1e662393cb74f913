//! A small HTTP server of threads, whose paths are ways in which servers behave.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures::channel::oneshot;

use super::served::Served;
use crate::lock;

/// Listens on a loopback port of its own until dropped.
///
/// | Path | Behaviour |
/// |---|---|
/// | `/echo` | 200; the body is the request as it arrived |
/// | `/status/N` | N with the body `status` |
/// | `/redirect` | 302 to `/echo` |
/// | `/chunked` | `one two three` in three chunks |
/// | `/until-close` | a body without a length |
/// | `/size/N` | N bytes, chunked |
/// | `/cut` | ten of a hundred bytes, then closed |
/// | `/no-reply` | closed after the request |
/// | `/garbage` | something that is not HTTP |
/// | `/last` | a complete reply that promises more, then closed |
/// | `/hang` | no reply until the client leaves |
#[derive(Debug)]
pub struct HttpServer {
    served: Served,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    connections: AtomicUsize,
    requests: AtomicUsize,
    left: Mutex<Vec<oneshot::Sender<()>>>,
    closed: Mutex<Vec<oneshot::Sender<()>>>,
}

impl HttpServer {
    /// Starts the server.
    #[must_use]
    pub fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let of_clients = Arc::clone(&shared);
        let served = Served::start(move |stream, _| {
            of_clients.connections.fetch_add(1, Ordering::SeqCst);
            serve(stream, &of_clients)
        });
        Self { served, shared }
    }

    /// `127.0.0.1:port`.
    #[must_use]
    pub fn host(&self) -> String {
        self.served.address().to_string()
    }

    /// How many connections were accepted.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How many requests arrived.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// Completes when the next client of `/hang` leaves. Ask before the request.
    pub fn left(&self) -> oneshot::Receiver<()> {
        let (send, receive) = oneshot::channel();
        lock(&self.shared.left).push(send);
        receive
    }

    /// Completes when the next connection that `/last` was asked over is closed. Ask before the request.
    pub fn closed(&self) -> oneshot::Receiver<()> {
        let (send, receive) = oneshot::channel();
        lock(&self.shared.closed).push(send);
        receive
    }
}

fn serve(mut stream: &TcpStream, shared: &Shared) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let Some((head, body)) = read_request(&mut reader)? else {
            return Ok(());
        };
        shared.requests.fetch_add(1, Ordering::SeqCst);
        let target = head.split([' ', '?']).nth(1).unwrap_or_default();
        // Proxies pass the whole URL on (RFC 9112, section 3.2.2).
        let path = target.strip_prefix("http://").map_or(target, |rest| {
            rest.find('/').and_then(|start| rest.get(start..)).unwrap_or_default()
        });
        let mut parts = path.trim_start_matches('/').split('/');
        let (name, number) =
            (parts.next().unwrap_or_default(), parts.next().and_then(|n| n.parse().ok()));
        match (name, number) {
            ("echo", _) => reply(stream, "200 OK", format!("{head}{body}").as_bytes())?,
            ("status", Some(status)) => {
                reply(stream, &format!("{status} Status"), b"status")?;
            }
            ("redirect", _) => {
                stream.write_all(
                    b"HTTP/1.1 302 Found\r\nlocation: /echo\r\ncontent-length: 0\r\n\r\n",
                )?;
            }
            ("chunked", _) => {
                stream.write_all(
                    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\none \r\n",
                )?;
                stream.write_all(b"4\r\ntwo \r\n5\r\nthree\r\n0\r\n\r\n")?;
            }
            ("until-close", _) => {
                stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nuntil the end")?;
                return Ok(());
            }
            ("size", Some(size)) => send_chunks(stream, size)?,
            ("cut", _) => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n0123456789")?;
                return Ok(());
            }
            ("garbage", _) => {
                stream.write_all(b"SSH-2.0-not-http\r\n\r\n")?;
                return Ok(());
            }
            ("last", _) => {
                reply(stream, "200 OK", b"last")?;
                let done = stream.shutdown(Shutdown::Both);
                for closed in lock(&shared.closed).drain(..) {
                    let _ = closed.send(());
                }
                return done;
            }
            ("hang", _) => {
                let gone = reader.read(&mut [0]);
                for left in lock(&shared.left).drain(..) {
                    let _ = left.send(());
                }
                return gone.map(drop);
            }
            _ => return Ok(()),
        }
    }
}

fn read_request(reader: &mut BufReader<&TcpStream>) -> io::Result<Option<(String, String)>> {
    let mut head = String::new();
    let mut length = 0;
    loop {
        let start = head.len();
        if reader.read_line(&mut head)? == 0 {
            return Ok(None);
        }
        let line = head[start..].trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some((head, String::from_utf8_lossy(&body).into_owned())))
}

fn reply(mut stream: &TcpStream, status: &str, body: &[u8]) -> io::Result<()> {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\nx-many: a\r\nx-many: b\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(&[head.as_bytes(), body].concat())
}

fn send_chunks(mut stream: &TcpStream, size: usize) -> io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
    let block = [b'x'; 16 * 1024];
    let mut rest = size;
    while rest > 0 {
        let length = rest.min(block.len());
        stream.write_all(format!("{length:x}\r\n").as_bytes())?;
        stream.write_all(&block[..length])?;
        stream.write_all(b"\r\n")?;
        rest -= length;
    }
    stream.write_all(b"0\r\n\r\n")
}
