//! A small DNS server of threads, over UDP and TCP, whose names are ways in which servers behave.

use std::collections::HashMap;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::served::Served;
use crate::lock;

const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;

/// The IPv4 address of every name that has one.
pub const V4: Ipv4Addr = Ipv4Addr::new(10, 1, 2, 3);
/// The IPv6 address of every name that has one.
pub const V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
/// What forged replies say.
pub const FORGED: Ipv4Addr = Ipv4Addr::new(10, 6, 6, 6);

/// Listens on one loopback port over UDP and TCP until dropped.
///
/// | Name | Behaviour |
/// |---|---|
/// | `both.test` | [`V4`] and [`V6`], to be kept for an hour |
/// | `brief.test` | the same with a TTL of 0 |
/// | `alias.test` | the same behind two aliases |
/// | `v4.test` | [`V4`]; nothing for IPv6 |
/// | `mute6.test` | [`V4`]; no reply for IPv6 |
/// | `empty.test` | exists without addresses |
/// | `broken.test` | SERVFAIL |
/// | `silent.test` | no reply |
/// | `lost.test` | no reply to the first question of each kind |
/// | `large.test` | cut over UDP, complete over TCP |
/// | `forged.test` | four replies to ignore, then the right one |
/// | `garbage.test` | bytes that are no message, then the right reply |
/// | anything else | NXDOMAIN |
#[derive(Debug)]
pub struct DnsServer {
    tcp: Served,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    asked: Mutex<HashMap<(String, u16), usize>>,
}

impl DnsServer {
    /// Starts the server.
    #[must_use]
    pub fn start() -> Self {
        let (udp, tcp) = bind_both();
        let shared = Arc::new(Shared::default());
        let (for_udp, for_tcp) = (Arc::clone(&shared), Arc::clone(&shared));
        std::thread::spawn(move || serve_udp(&udp, &for_udp));
        let tcp = Served::on(tcp, move |stream, _| serve_tcp(stream, &for_tcp));
        Self { tcp, shared }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.tcp.address()
    }

    /// How often `name` was asked for, over both transports.
    #[must_use]
    pub fn asked(&self, name: &str) -> usize {
        let asked = lock(&self.shared.asked);
        asked.iter().filter(|((known, _), _)| known == name).map(|(_, count)| count).sum()
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        // Wakes the thread, which then sees the flag.
        if let Ok(socket) = UdpSocket::bind("127.0.0.1:0") {
            let _ = socket.send_to(&[], self.address());
        }
    }
}

/// A port that is free for both transports.
fn bind_both() -> (UdpSocket, TcpListener) {
    for _ in 0..100 {
        let udp = UdpSocket::bind("127.0.0.1:0").expect("a loopback port");
        let address = udp.local_addr().expect("its address");
        if let Ok(tcp) = TcpListener::bind(address) {
            return (udp, tcp);
        }
    }
    panic!("no port is free over both UDP and TCP");
}

fn serve_udp(socket: &UdpSocket, shared: &Shared) {
    let mut buffer = [0; 512];
    loop {
        let received = socket.recv_from(&mut buffer);
        if shared.stop.load(Ordering::SeqCst) {
            return;
        }
        let Ok((length, client)) = received else { continue };
        let Some(question) = Question::read(&buffer[..length]) else { continue };
        let is_first = shared.count(&question) == 1;
        match question.name.as_str() {
            "silent.test" => continue,
            "mute6.test" if question.kind == AAAA => continue,
            "lost.test" if is_first => continue,
            "large.test" => {
                let mut cut = question.reply(0, &[]);
                cut[2] |= 0x02;
                let _ = socket.send_to(&cut[..cut.len() - 3], client);
                continue;
            }
            "forged.test" => forge(&question, socket, client),
            "garbage.test" => {
                let _ = socket.send_to(b"garbage", client);
                let _ = socket.send_to(&[0xff; 400], client);
            }
            _ => {}
        }
        let _ = socket.send_to(&question.answer(), client);
    }
}

/// Replies that an attacker could send: each has one thing wrong.
fn forge(question: &Question, socket: &UdpSocket, client: SocketAddr) {
    let records = [record(&question.name, A, 60, &FORGED.octets())];
    let mut other_id = question.reply(0, &records);
    other_id[0] ^= 0x55;
    let mut other_name = question.clone();
    other_name.name = "other.test".to_owned();
    let mut a_query = question.reply(0, &records);
    a_query[2] &= 0x7f;
    let forged = [other_id, other_name.reply(0, &records), a_query];
    for reply in forged {
        let _ = socket.send_to(&reply, client);
    }
    if let Ok(elsewhere) = UdpSocket::bind("127.0.0.1:0") {
        let _ = elsewhere.send_to(&question.reply(0, &records), client);
    }
}

fn serve_tcp(mut stream: &TcpStream, shared: &Shared) -> io::Result<()> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut message = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut message)?;
    let Some(question) = Question::read(&message) else { return Ok(()) };
    shared.count(&question);
    let reply = question.answer();
    let length = u16::try_from(reply.len()).expect("a short reply");
    // In two parts, as a network may do.
    stream.write_all(&length.to_be_bytes())?;
    stream.write_all(&reply)
}

impl Shared {
    fn count(&self, question: &Question) -> usize {
        let mut asked = lock(&self.asked);
        let count = asked.entry((question.name.clone(), question.kind)).or_default();
        *count += 1;
        *count
    }
}

#[derive(Clone, Debug)]
struct Question {
    id: [u8; 2],
    name: String,
    kind: u16,
}

impl Question {
    fn read(message: &[u8]) -> Option<Self> {
        let id = [*message.first()?, *message.get(1)?];
        let mut rest = message.get(12..)?;
        let mut labels = Vec::new();
        loop {
            let (length, tail) = rest.split_first()?;
            let length = usize::from(*length);
            if length == 0 {
                let kind = u16::from_be_bytes([*tail.first()?, *tail.get(1)?]);
                return Some(Self { id, name: labels.join("."), kind });
            }
            labels.push(String::from_utf8_lossy(tail.get(..length)?).into_owned());
            rest = tail.get(length..)?;
        }
    }

    fn answer(&self) -> Vec<u8> {
        let name = self.name.as_str();
        let address = |owner: &str, ttl| match self.kind {
            A => record(owner, A, ttl, &V4.octets()),
            _ => record(owner, AAAA, ttl, &V6.octets()),
        };
        match name {
            "both.test" | "lost.test" | "large.test" | "forged.test" | "garbage.test" => {
                self.reply(0, &[address(name, 3600)])
            }
            name if name.ends_with(".both.test") => self.reply(0, &[address(name, 60)]),
            "brief.test" => self.reply(0, &[address(name, 0)]),
            "alias.test" => self.reply(
                0,
                &[
                    record(name, CNAME, 60, &encode("middle.test")),
                    record("middle.test", CNAME, 60, &encode("end.test")),
                    address("end.test", 60),
                ],
            ),
            "v4.test" | "mute6.test" if self.kind == A => self.reply(0, &[address(name, 60)]),
            "v4.test" | "empty.test" => self.reply(0, &[]),
            "broken.test" => self.reply(2, &[]),
            _ => self.reply(3, &[]),
        }
    }

    fn reply(&self, code: u8, records: &[Vec<u8>]) -> Vec<u8> {
        let count = u8::try_from(records.len()).expect("few records");
        let mut reply = vec![self.id[0], self.id[1], 0x81, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0];
        reply.extend(encode(&self.name));
        reply.extend(self.kind.to_be_bytes());
        reply.extend([0, 1]);
        reply.extend(records.concat());
        reply
    }
}

fn record(name: &str, kind: u16, ttl: u32, data: &[u8]) -> Vec<u8> {
    let mut record = encode(name);
    record.extend(kind.to_be_bytes());
    record.extend([0, 1]);
    record.extend(ttl.to_be_bytes());
    record.extend(u16::try_from(data.len()).expect("short data").to_be_bytes());
    record.extend(data);
    record
}

fn encode(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).expect("a short label"));
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}
