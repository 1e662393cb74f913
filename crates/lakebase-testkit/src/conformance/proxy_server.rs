//! A small HTTP proxy of threads, and the ways in which proxies fail.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};

use super::served::{Open, Served};
use crate::lock;

/// What an [`HttpProxyServer`] does with a request.
#[derive(Clone, Debug)]
pub enum ProxyBehaviour {
    /// Connects to this address, whatever host was asked for, and copies bytes; a request that is no `CONNECT`
    /// is passed on as it came.
    LeadTo(SocketAddr),
    /// The same for clients that send this value of the header; others get 407.
    LeadOnly(SocketAddr, String),
    /// Answers with this status.
    Status(u16),
    /// Answers something that is not HTTP.
    Garbage,
    /// Sends headers without an end.
    EndlessHead,
    /// Opens the way and says something before it was spoken to.
    Talkative,
    /// Closes without an answer.
    Close,
    /// Does not answer until the client leaves.
    Silence,
}

/// Listens on a loopback port of its own until dropped.
#[derive(Debug)]
pub struct HttpProxyServer {
    served: Served,
    heads: Heads,
}

type Heads = Arc<Mutex<Vec<String>>>;

impl HttpProxyServer {
    /// Starts the proxy.
    #[must_use]
    pub fn start(behaviour: ProxyBehaviour) -> Self {
        let heads = Heads::default();
        let shared = Arc::clone(&heads);
        let served = Served::start(move |stream, open| serve(stream, &behaviour, &shared, open));
        Self { served, heads }
    }

    /// `127.0.0.1:port`.
    #[must_use]
    pub fn host(&self) -> String {
        self.served.address().to_string()
    }

    /// The heads of all requests so far; one connection brings one.
    #[must_use]
    pub fn heads(&self) -> Vec<String> {
        lock(&self.heads).clone()
    }
}

fn serve(
    mut stream: &TcpStream,
    behaviour: &ProxyBehaviour,
    heads: &Heads,
    open: &Open,
) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    lock(heads).push(head.clone());
    match behaviour {
        ProxyBehaviour::LeadTo(address) => lead(stream, *address, &head, reader.buffer(), open),
        ProxyBehaviour::LeadOnly(address, value) => {
            let wanted = format!("\r\nproxy-authorization: {value}\r\n");
            match head.replace("Proxy-Authorization", "proxy-authorization").contains(&wanted) {
                true => lead(stream, *address, &head, reader.buffer(), open),
                false => answer(stream, 407),
            }
        }
        ProxyBehaviour::Status(status) => answer(stream, *status),
        ProxyBehaviour::Garbage => stream.write_all(b"SSH-2.0-not-http\r\n\r\n"),
        ProxyBehaviour::EndlessHead => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
            loop {
                stream.write_all(b"x-more: 0123456789012345678901234567890123456789\r\n")?;
            }
        }
        ProxyBehaviour::Talkative => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n220 ready\r\n")?;
            reader.read(&mut [0]).map(drop)
        }
        ProxyBehaviour::Close => Ok(()),
        ProxyBehaviour::Silence => reader.read(&mut [0]).map(drop),
    }
}

fn answer(mut stream: &TcpStream, status: u16) -> io::Result<()> {
    let head = format!("HTTP/1.1 {status} Said\r\ncontent-length: 6\r\nconnection: close\r\n");
    let ask = if status == 407 { "proxy-authenticate: Basic realm=\"corp\"\r\n" } else { "" };
    stream.write_all(format!("{head}{ask}\r\nno way").as_bytes())
}

/// Copies both directions, from what was `read` behind the head on.
fn lead(
    mut client: &TcpStream,
    address: SocketAddr,
    head: &str,
    read: &[u8],
    open: &Open,
) -> io::Result<()> {
    let mut server = TcpStream::connect(address)?;
    if head.starts_with("CONNECT ") {
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    } else {
        server.write_all(head.as_bytes())?;
    }
    server.write_all(read)?;
    open.join(client, &server)
}
