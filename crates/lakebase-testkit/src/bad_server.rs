//! A server that misbehaves during a login, in the ways of which each once cost somebody gigabytes or a minute.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lakebase_core::ErrorKind::{self, InvalidRequest, Protocol, TimedOut, Unsupported};

/// How it misbehaves once it has the start-up packet, and the kind of error that a client gets.
pub const MODES: [(&str, ErrorKind); 14] = [
    ("silent", TimedOut),
    ("notices", Protocol),
    ("params", Protocol),
    ("huge error", Protocol),
    ("negative length", Protocol),
    ("zero length", Protocol),
    ("gss", Unsupported),
    ("unknown sasl", Unsupported),
    ("no ready", TimedOut),
    ("close", TimedOut),
    ("garbage", Protocol),
    ("too many", TimedOut),
    ("error without fields", InvalidRequest),
    ("byte by byte", TimedOut),
];

/// A server without TLS on a loopback port; it stays until the process ends.
#[derive(Debug)]
pub struct BadServer {
    address: SocketAddr,
    sent: Arc<AtomicU64>,
}

impl BadServer {
    /// Starts one of these [`MODES`], or one that is silent from the start (`mute`) or asks for a password first (`password`).
    ///
    /// # Panics
    ///
    /// If there is no loopback port.
    #[must_use]
    pub fn start(mode: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
        let address = listener.local_addr().expect("its address");
        let sent = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&sent);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let sent = Arc::clone(&counter);
                std::thread::spawn(move || misbehave(mode, Counted { stream, sent }));
            }
        });
        Self { address, sent }
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many bytes it got rid of.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX).to_be_bytes();
    [&[kind], &length[..], body].concat()
}

struct Counted {
    stream: TcpStream,
    sent: Arc<AtomicU64>,
}

impl Counted {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.sent.fetch_add(bytes.len() as u64, Ordering::SeqCst);
        Ok(())
    }

    /// Until the client goes away.
    fn wait(&mut self) -> io::Result<()> {
        while self.stream.read(&mut [0; 1024])? > 0 {}
        Ok(())
    }
}

fn misbehave(mode: &str, mut client: Counted) -> io::Result<()> {
    if mode == "mute" {
        return client.wait();
    }
    let mut first = [0; 8];
    client.stream.read_exact(&mut first)?;
    if first[4..] == [4, 210, 22, 47] {
        client.send(b"N")?;
        client.stream.read_exact(&mut first)?;
    }
    let ok = message(b'R', &[0; 4]);
    let mut forever = |greeting: &[u8], piece: Vec<u8>| {
        client.send(greeting)?;
        loop {
            client.send(&piece)?;
        }
    };
    match mode {
        "notices" => {
            let text = [b"SNOTICE\0C00000\0M", &[b'x'; 60_000][..], b"\0\0"].concat();
            forever(&ok, message(b'N', &text))
        }
        "params" => {
            let text = [b"name\0", &[b'v'; 1_000][..], b"\0"].concat();
            forever(&ok, message(b'S', &text))
        }
        "huge error" => forever(&[b'E', 0x40, 0, 0, 0], vec![b'x'; 65_536]),
        "close" => Ok(()),
        _ => {
            match mode {
                "negative length" => client.send(&[b'R', 0xff, 0xff, 0xff, 0xfb])?,
                "zero length" => client.send(&[b'R', 0, 0, 0, 0])?,
                "gss" => client.send(&message(b'R', &7_u32.to_be_bytes()))?,
                "unknown sasl" => client.send(&message(b'R', b"\0\0\0\x0aNOPE\0\0"))?,
                "password" => client.send(&message(b'R', &3_u32.to_be_bytes()))?,
                "no ready" => client.send(&ok)?,
                "garbage" => client.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")?,
                "too many" => {
                    let text = b"SFATAL\0VFATAL\0C53300\0Mtoo many connections for role\0\0";
                    client.send(&message(b'E', text))?;
                }
                "error without fields" => client.send(&message(b'E', b""))?,
                "byte by byte" => client.send(&ok[..3])?,
                _ => {}
            }
            client.wait()
        }
    }
}
