//! A DNS server that knows the gateway's host names and nothing else.
//!
//! Invariant: [`answer`] is pure; what it cannot parse gets no answer.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use simple_dns::rdata::{A, AAAA, CNAME, RData};
use simple_dns::{CLASS, Name, Packet, PacketFlag, QTYPE, RCODE, ResourceRecord, TYPE};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use crate::Error;
use crate::fault::{Effect, Operation};
use crate::shared::Shared;
use crate::state::State;

/// Seconds that an answer may be kept.
const TTL: u32 = 30;
/// Longest message accepted over TCP.
const MAX_QUERY: usize = 4_096;
/// Time that a TCP client may stay quiet.
const TCP_IDLE: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    Udp,
    Tcp,
}

/// The two sockets, on the same port.
#[derive(Debug)]
pub(crate) struct Sockets {
    udp: UdpSocket,
    tcp: TcpListener,
    pub(crate) address: SocketAddr,
}

impl Sockets {
    pub(crate) async fn bind() -> Result<Self, Error> {
        let mut bound = Self::try_bind().await;
        // The port that UDP was given may be taken for TCP.
        for _ in 1..50 {
            if bound.is_ok() {
                break;
            }
            bound = Self::try_bind().await;
        }
        bound.map_err(|e| Error::with("cannot bind UDP and TCP to one port on 127.0.0.1", e))
    }

    async fn try_bind() -> std::io::Result<Self> {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = udp.local_addr()?;
        let tcp = TcpListener::bind(address).await?;
        Ok(Self { udp, tcp, address })
    }
}

/// Serves both sockets until dropped.
pub(crate) async fn serve(sockets: Sockets, shared: Arc<Shared>) {
    let udp = Arc::new(sockets.udp);
    let mut clients = tokio::task::JoinSet::new();
    let mut buffer = [0; 1_500];
    loop {
        let shared = Arc::clone(&shared);
        tokio::select! {
            Ok((length, peer)) = udp.recv_from(&mut buffer) => {
                let query = buffer.get(..length).unwrap_or_default().to_vec();
                let udp = Arc::clone(&udp);
                clients.spawn(async move {
                    if let Some(reply) = timely(&shared, &query, Transport::Udp).await {
                        // A client that went away needs no answer.
                        let _ = udp.send_to(&reply, peer).await;
                    }
                });
            }
            Ok((stream, _)) = sockets.tcp.accept() => {
                clients.spawn(async move { drop(conversation(stream, &shared).await) });
            }
            Some(_) = clients.join_next() => {}
            else => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn conversation(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    loop {
        let length = tokio::time::timeout(TCP_IDLE, stream.read_u16()).await??;
        let mut query = vec![0; usize::from(length)];
        if query.len() > MAX_QUERY {
            return Ok(());
        }
        tokio::time::timeout(TCP_IDLE, stream.read_exact(&mut query)).await??;
        let Some(reply) = timely(shared, &query, Transport::Tcp).await else { return Ok(()) };
        stream.write_u16(u16::try_from(reply.len()).map_err(std::io::Error::other)?).await?;
        stream.write_all(&reply).await?;
    }
}

async fn timely(shared: &Shared, query: &[u8], transport: Transport) -> Option<Vec<u8>> {
    let (reply, delay) = shared.with(|state, _| answer(state, query, transport))?;
    tokio::time::sleep(delay).await;
    Some(reply)
}

/// The reply and the real time to hold it back; `None` for no reply.
fn answer(state: &mut State, query: &[u8], transport: Transport) -> Option<(Vec<u8>, Duration)> {
    let query = Packet::parse(query).ok()?;
    if query.has_flags(PacketFlag::RESPONSE) {
        return None;
    }
    let [question] = query.questions.as_slice() else { return None };
    state.dns_queries += 1;
    let host = question.qname.to_string().trim_end_matches('.').to_ascii_lowercase();
    let effects = state.faults.take(Operation::Dns, &host);
    let mut delay = Duration::ZERO;
    for effect in &effects {
        match effect {
            Effect::Drop => return None,
            Effect::Latency { duration } => delay = delay.saturating_add(*duration),
            _ => {}
        }
    }
    let has = |wanted: fn(&Effect) -> bool| effects.iter().any(wanted);
    let mut reply = Packet::new_reply(query.id());
    reply.set_flags(PacketFlag::AUTHORITATIVE_ANSWER);
    if query.has_flags(PacketFlag::RECURSION_DESIRED) {
        reply.set_flags(PacketFlag::RECURSION_DESIRED | PacketFlag::RECURSION_AVAILABLE);
    }
    reply.questions.push(question.clone());
    if has(|effect| matches!(effect, Effect::ServFail)) {
        *reply.rcode_mut() = RCODE::ServerFailure;
    } else if !known(state, &host) || has(|effect| matches!(effect, Effect::NxDomain)) {
        *reply.rcode_mut() = RCODE::NameError;
    } else if transport == Transport::Udp && has(|effect| matches!(effect, Effect::Truncate)) {
        reply.set_flags(PacketFlag::TRUNCATION);
    } else {
        let mut owner = question.qname.clone();
        if has(|effect| matches!(effect, Effect::Cname)) {
            let alias = Name::new(ALIAS).ok()?;
            let record = RData::CNAME(CNAME(alias.clone()));
            reply.answers.push(ResourceRecord::new(owner, CLASS::IN, TTL, record));
            owner = alias;
        }
        let address = match question.qtype {
            QTYPE::TYPE(TYPE::A) => Some(RData::A(A::from(Ipv4Addr::LOCALHOST))),
            QTYPE::TYPE(TYPE::AAAA) if has(|effect| matches!(effect, Effect::Ipv6)) => {
                Some(RData::AAAA(AAAA::from(Ipv6Addr::LOCALHOST)))
            }
            _ => None,
        };
        let record = address.map(|address| ResourceRecord::new(owner, CLASS::IN, TTL, address));
        reply.answers.extend(record);
    }
    Some((reply.build_bytes_vec_compressed().ok()?, delay))
}

/// Where the simulated alias leads.
const ALIAS: &str = "gateway.emulator.lakebase.test";

fn known(state: &mut State, host: &str) -> bool {
    let Some((label, suffix)) = host.split_once('.') else { return false };
    let found = state.world.by_label(label);
    host == ALIAS || found.is_some_and(|(endpoint, _)| endpoint.suffix() == suffix)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Fault;
    use crate::state::tests::{PRIMARY, state};
    use crate::world::INSTANCE;
    use proptest::prelude::*;
    use simple_dns::{QCLASS, Question};

    fn ask(state: &mut State, host: &str, kind: TYPE, transport: Transport) -> Option<Vec<u8>> {
        let mut query = Packet::new_query(77);
        let name = Name::new(host).unwrap();
        query.questions.push(Question::new(
            name,
            QTYPE::TYPE(kind),
            QCLASS::CLASS(CLASS::IN),
            false,
        ));
        answer(state, &query.build_bytes_vec().unwrap(), transport).map(|(reply, _)| reply)
    }

    #[test]
    fn knows_its_hosts_only() {
        let mut state = state();
        let host = state.world.endpoint(PRIMARY).unwrap().host();
        let reply = ask(&mut state, &host, TYPE::A, Transport::Udp).unwrap();
        let reply = Packet::parse(&reply).unwrap();
        assert_eq!((reply.id(), reply.rcode(), reply.answers.len()), (77, RCODE::NoError, 1));
        let reply = ask(&mut state, &host, TYPE::AAAA, Transport::Udp).unwrap();
        assert!(Packet::parse(&reply).unwrap().answers.is_empty());
        let instance = state.world.endpoint(INSTANCE).unwrap();
        let hosts = [instance.host(), instance.read_only_host().unwrap()];
        let elsewhere = hosts[0].replace("database.", "database.us-west-2.");
        for host in &hosts {
            let reply = ask(&mut state, host, TYPE::A, Transport::Udp).unwrap();
            assert_eq!(Packet::parse(&reply).unwrap().answers.len(), 1, "{host}");
        }
        for host in [elsewhere.as_str(), "ep-none.example.com", "localhost"] {
            let reply = ask(&mut state, host, TYPE::A, Transport::Udp).unwrap();
            assert_eq!(Packet::parse(&reply).unwrap().rcode(), RCODE::NameError, "{host}");
        }
    }

    #[test]
    fn misbehaves_on_request() {
        let mut state = state();
        let host = state.world.endpoint(PRIMARY).unwrap().host();
        let once = |state: &mut State, effect, kind, transport| {
            state.faults.inject(Fault::new(Operation::Dns, effect).times(1));
            ask(state, &host, kind, transport)
        };
        assert_eq!(once(&mut state, Effect::Drop, TYPE::A, Transport::Udp), None);
        let truncated = once(&mut state, Effect::Truncate, TYPE::A, Transport::Udp).unwrap();
        assert!(Packet::parse(&truncated).unwrap().has_flags(PacketFlag::TRUNCATION));
        let whole = once(&mut state, Effect::Truncate, TYPE::A, Transport::Tcp).unwrap();
        assert_eq!(Packet::parse(&whole).unwrap().answers.len(), 1);
        let alias = once(&mut state, Effect::Cname, TYPE::A, Transport::Udp).unwrap();
        assert_eq!(Packet::parse(&alias).unwrap().answers.len(), 2);
        let six = once(&mut state, Effect::Ipv6, TYPE::AAAA, Transport::Udp).unwrap();
        assert_eq!(Packet::parse(&six).unwrap().answers.len(), 1);
        let failed = once(&mut state, Effect::ServFail, TYPE::A, Transport::Udp).unwrap();
        assert_eq!(Packet::parse(&failed).unwrap().rcode(), RCODE::ServerFailure);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = answer(&mut state(), &bytes, Transport::Udp);
        }
    }
}
