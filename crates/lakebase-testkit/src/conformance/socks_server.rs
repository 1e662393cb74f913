//! A small SOCKS 5 proxy of threads, and the ways in which proxies fail.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};

use super::served::{Open, Served};
use crate::lock;

/// What a [`SocksServer`] does with a client.
#[derive(Clone, Debug)]
pub enum SocksBehaviour {
    /// Connects to this address, whatever was asked for, and copies bytes.
    LeadTo(SocketAddr),
    /// The same for this user and this password alone.
    LeadOnly(SocketAddr, &'static str, &'static str),
    /// Lets anybody in and answers each request with this.
    Reply(u8),
    /// Answers the greeting with these bytes, and nothing after them.
    Answer(&'static [u8]),
    /// Answers the request with these bytes, and nothing after them.
    AnswerRequest(&'static [u8]),
    /// Does not answer the greeting until the client leaves.
    Silence,
    /// Does not answer the request until the client leaves.
    SilenceWhenAsked,
}

/// Listens on a loopback port of its own until dropped.
#[derive(Debug)]
pub struct SocksServer {
    served: Served,
    requests: Requests,
}

/// What was asked for, as `host:port`.
type Requests = Arc<Mutex<Vec<String>>>;

impl SocksServer {
    /// Starts the proxy.
    #[must_use]
    pub fn start(behaviour: SocksBehaviour) -> Self {
        let requests = Requests::default();
        let shared = Arc::clone(&requests);
        let served = Served::start(move |stream, open| serve(stream, &behaviour, &shared, open));
        Self { served, requests }
    }

    /// `127.0.0.1:port`.
    #[must_use]
    pub fn host(&self) -> String {
        self.served.address().to_string()
    }

    /// The host and port of each request so far.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        lock(&self.requests).clone()
    }
}

fn serve(
    mut stream: &TcpStream,
    behaviour: &SocksBehaviour,
    requests: &Requests,
    open: &Open,
) -> io::Result<()> {
    use SocksBehaviour::{
        Answer, AnswerRequest, LeadOnly, LeadTo, Reply, Silence, SilenceWhenAsked,
    };
    let [_, count] = read(stream)?;
    let methods = read_many(stream, count)?;
    match behaviour {
        Silence => return stream.read(&mut [0]).map(drop),
        Answer(bytes) => {
            stream.write_all(bytes)?;
            return stream.read(&mut [0]).map(drop);
        }
        LeadOnly(..) if !methods.contains(&2) => return stream.write_all(&[5, 0xff]),
        LeadOnly(_, name, password) => {
            stream.write_all(&[5, 2])?;
            let [_, length] = read(stream)?;
            let said_name = read_many(stream, length)?;
            let [length] = read(stream)?;
            let said_password = read_many(stream, length)?;
            let fits = said_name == name.as_bytes() && said_password == password.as_bytes();
            stream.write_all(&[1, u8::from(!fits)])?;
            if !fits {
                return Ok(());
            }
        }
        _ => stream.write_all(&[5, 0])?,
    }
    let request = request(stream)?;
    lock(requests).push(request);
    match behaviour {
        LeadTo(address) | LeadOnly(address, ..) => {
            let server = TcpStream::connect(address)?;
            // A name as the address that the way starts at: unusual and allowed.
            stream.write_all(b"\x05\x00\x00\x03\x05proxy\x00\x00")?;
            open.join(stream, &server)
        }
        Reply(reply) => stream.write_all(&[5, *reply, 0, 1, 0, 0, 0, 0, 0, 0]),
        AnswerRequest(bytes) => stream.write_all(bytes),
        SilenceWhenAsked | Silence | Answer(_) => stream.read(&mut [0]).map(drop),
    }
}

fn request(stream: &TcpStream) -> io::Result<String> {
    let [_, _, _, kind] = read(stream)?;
    let host = match kind {
        1 => IpAddr::from(Ipv4Addr::from(read(stream)?)).to_string(),
        4 => IpAddr::from(Ipv6Addr::from(read(stream)?)).to_string(),
        _ => {
            let [length] = read(stream)?;
            String::from_utf8_lossy(&read_many(stream, length)?).into_owned()
        }
    };
    Ok(format!("{host}:{}", u16::from_be_bytes(read(stream)?)))
}

fn read<const N: usize>(mut stream: &TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).map(|()| bytes)
}

fn read_many(mut stream: &TcpStream, length: u8) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::from(length)];
    stream.read_exact(&mut bytes).map(|()| bytes)
}
