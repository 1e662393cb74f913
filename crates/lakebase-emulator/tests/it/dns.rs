//! The DNS server over UDP and TCP.

use lakebase_emulator::{Effect, Emulator, Fault, Operation};
use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};

fn query(host: &str) -> Vec<u8> {
    let mut packet = Packet::new_query(4_711);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let name = Name::new(host).unwrap();
    packet.questions.push(Question::new(
        name,
        QTYPE::TYPE(TYPE::A),
        QCLASS::CLASS(CLASS::IN),
        false,
    ));
    packet.build_bytes_vec().unwrap()
}

async fn udp(server: &str, host: &str) -> Vec<u8> {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.send_to(&query(host), server).await.unwrap();
    let mut reply = vec![0; 512];
    let length = socket.recv(&mut reply).await.unwrap();
    reply.truncate(length);
    reply
}

async fn tcp(server: &str, host: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(server).await.unwrap();
    let query = query(host);
    stream.write_u16(u16::try_from(query.len()).unwrap()).await.unwrap();
    stream.write_all(&query).await.unwrap();
    let mut reply = vec![0; usize::from(stream.read_u16().await.unwrap())];
    stream.read_exact(&mut reply).await.unwrap();
    reply
}

#[tokio::test]
async fn hosts_resolve_to_loopback_over_both_transports() {
    let emulator = Emulator::builder().start().unwrap();
    let d = emulator.description();
    for reply in [
        udp(&d.dns, &d.pg_host).await,
        tcp(&d.dns, &d.pg_host).await,
        udp(&d.dns, &d.provisioned_host).await,
    ] {
        let reply = Packet::parse(&reply).unwrap();
        assert_eq!((reply.id(), reply.rcode()), (4_711, RCODE::NoError));
        let RData::A(address) = &reply.answers[0].rdata else { panic!("{reply:?}") };
        assert_eq!(address.address, 0x7f00_0001);
    }
    let unknown = udp(&d.dns, "ep-other.example.com").await;
    assert_eq!(Packet::parse(&unknown).unwrap().rcode(), RCODE::NameError);
    emulator.inject(Fault::new(Operation::Dns, Effect::Truncate));
    let truncated = udp(&d.dns, &d.pg_host).await;
    assert!(Packet::parse(&truncated).unwrap().has_flags(PacketFlag::TRUNCATION));
    assert_eq!(Packet::parse(&tcp(&d.dns, &d.pg_host).await).unwrap().answers.len(), 1);
}
