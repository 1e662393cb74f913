//! DNS messages (RFC 1035 §4) as far as an address look-up needs them: bytes in, bytes out, no sockets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use lakebase_core::{Error, ErrorKind, Result};
use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};

/// How many aliases in a row are followed.
const MAX_ALIASES: usize = 16;

/// The kind of address that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordType {
    /// IPv4.
    A,
    /// IPv6.
    Aaaa,
}

/// The answer of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Addresses, never empty, in the server's order, and how long they may be kept.
    Found(Vec<IpAddr>, Duration),
    /// The name exists and has no address of this kind.
    NoData,
    /// The name does not exist (NXDOMAIN).
    NoSuchName,
    /// The server could not or would not answer (SERVFAIL, REFUSED and others).
    Failed(String),
    /// The reply did not fit; ask again over TCP.
    Truncated,
}

/// Checks that `name` can be asked for and writes it in lower case without a final dot.
///
/// # Errors
///
/// [`Config`](ErrorKind::Config): labels are 1 to 63 letters, digits, `-` and `_`, and the whole name is at
/// most 253 characters. Other scripts must come in their `xn--` form.
pub fn normalize(name: &str) -> Result<String> {
    let bare = name.strip_suffix('.').unwrap_or(name);
    let fits = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if bare.len() <= 253 && bare.split('.').all(fits) {
        return Ok(bare.to_ascii_lowercase());
    }
    let message = format!(
        "{name:?} is not a host name; accepted: labels of 1 to 63 letters, digits, - and _, joined by dots, \
         at most 253 characters"
    );
    Err(Error::new(ErrorKind::Config, message))
}

/// A recursive query with one question.
///
/// # Errors
///
/// As [`normalize`].
pub fn query(id: u16, name: &str, kind: RecordType) -> Result<Vec<u8>> {
    let name = normalize(name)?;
    let unfit = |error: simple_dns::SimpleDnsError| {
        Error::new(ErrorKind::Config, format!("{name:?} is not a host name")).with_source(error)
    };
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let question = Name::new(&name).map_err(unfit)?;
    packet.questions.push(Question::new(question, kind.qtype(), QCLASS::CLASS(CLASS::IN), false));
    packet.build_bytes_vec().map_err(unfit)
}

/// Reads the reply to the [`query`] of the same `id`, `name` and `kind`.
///
/// # Errors
///
/// [`Protocol`](ErrorKind::Protocol) if the bytes are not a DNS message or answer something else. Over UDP
/// that is a packet to ignore, because any host can send one.
pub fn parse(reply: &[u8], id: u16, name: &str, kind: RecordType) -> Result<Answer> {
    let name = normalize(name)?;
    let foreign = |what: &str| {
        let message = format!("not the reply to the DNS query for {name}: {what}");
        Error::new(ErrorKind::Protocol, message)
    };
    let [id_high, id_low, flags, ..] = *reply else {
        return Err(foreign("too short"));
    };
    if u16::from_be_bytes([id_high, id_low]) != id {
        return Err(foreign("it has another id"));
    }
    if flags & 0x80 == 0 {
        return Err(foreign("it is a query"));
    }
    if flags & 0x02 != 0 {
        // The rest may be cut anywhere; all it can cause is the same question over TCP.
        return Ok(Answer::Truncated);
    }
    let packet = Packet::parse(reply).map_err(|error| foreign("malformed").with_source(error))?;
    let [question] = packet.questions.as_slice() else {
        return Err(foreign("it does not have one question"));
    };
    if text(&question.qname) != name || question.qtype != kind.qtype() {
        return Err(foreign("it answers another question"));
    }
    Ok(match packet.rcode() {
        RCODE::NoError => addresses(&packet, name, kind),
        RCODE::NameError => Answer::NoSuchName,
        other => Answer::Failed(format!("{other:?}")),
    })
}

/// Follows aliases from `name` through the answers and takes the addresses at their end.
fn addresses(packet: &Packet<'_>, mut name: String, kind: RecordType) -> Answer {
    let mut ttl = u32::MAX;
    for _ in 0..MAX_ALIASES {
        let mut found = Vec::new();
        let mut alias = None;
        for record in packet.answers.iter().filter(|record| record.class == CLASS::IN) {
            let address = match (&record.rdata, kind) {
                (RData::A(a), RecordType::A) => IpAddr::V4(Ipv4Addr::from(a.address)),
                (RData::AAAA(a), RecordType::Aaaa) => IpAddr::V6(Ipv6Addr::from(a.address)),
                (RData::CNAME(target), _) if text(&record.name) == name => {
                    alias = Some((text(&target.0), record.ttl));
                    continue;
                }
                _ => continue,
            };
            if text(&record.name) == name && !found.contains(&address) {
                ttl = ttl.min(record.ttl);
                found.push(address);
            }
        }
        if !found.is_empty() {
            return Answer::Found(found, Duration::from_secs(ttl.into()));
        }
        let Some((target, alias_ttl)) = alias else {
            return Answer::NoData;
        };
        ttl = ttl.min(alias_ttl);
        name = target;
    }
    Answer::Failed("more than 16 aliases".to_owned())
}

fn text(name: &Name<'_>) -> String {
    name.to_string().to_ascii_lowercase()
}

impl RecordType {
    fn qtype(self) -> QTYPE {
        QTYPE::TYPE(match self {
            Self::A => TYPE::A,
            Self::Aaaa => TYPE::AAAA,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use simple_dns::ResourceRecord;
    use simple_dns::rdata::CNAME;

    const HOST: &str = "ep-cool.database.cloud.example";

    fn reply(change: impl FnOnce(&mut Packet<'_>)) -> Vec<u8> {
        let bytes = query(7, HOST, RecordType::A).unwrap();
        let mut packet = Packet::parse(&bytes).unwrap().into_reply();
        change(&mut packet);
        packet.build_bytes_vec_compressed().unwrap()
    }

    fn a(name: &'static str, ttl: u32, address: [u8; 4]) -> ResourceRecord<'static> {
        let data = RData::A(Ipv4Addr::from(address).into());
        ResourceRecord::new(Name::new_unchecked(name), CLASS::IN, ttl, data)
    }

    fn alias(name: &'static str, ttl: u32, target: &'static str) -> ResourceRecord<'static> {
        let data = RData::CNAME(CNAME(Name::new_unchecked(target)));
        ResourceRecord::new(Name::new_unchecked(name), CLASS::IN, ttl, data)
    }

    fn check(bytes: &[u8]) -> Result<Answer, String> {
        parse(bytes, 7, HOST, RecordType::A).map_err(|error| error.to_string())
    }

    #[test]
    fn query_is_the_one_of_rfc_1035() {
        let bytes = query(0x1234, "A.bc.", RecordType::Aaaa).unwrap();
        let expected = b"\x12\x34\x01\x00\0\x01\0\0\0\0\0\0\x01a\x02bc\0\0\x1c\0\x01";
        assert_eq!(bytes, expected);
    }

    #[test]
    fn follows_aliases_in_any_order_and_takes_the_smallest_ttl() {
        let bytes = reply(|packet| {
            packet.answers = vec![
                a("NLB.cloud.example", 300, [10, 0, 0, 2]),
                alias("x.example", 20, "nlb.cloud.example"),
                alias("EP-cool.database.cloud.example", 60, "x.example"),
                a("nlb.cloud.example", 300, [10, 0, 0, 1]),
                a("other.example", 1, [10, 0, 0, 9]),
            ];
        });
        let addresses = vec![[10, 0, 0, 2].into(), [10, 0, 0, 1].into()];
        assert_eq!(check(&bytes), Ok(Answer::Found(addresses, Duration::from_secs(20))));
    }

    #[test]
    fn alias_loops_end() {
        let bytes = reply(|packet| packet.answers = vec![alias(HOST, 60, HOST)]);
        assert_eq!(check(&bytes), Ok(Answer::Failed("more than 16 aliases".to_owned())));
    }

    #[test]
    fn tells_the_ways_of_finding_nothing_apart() {
        let code = |code| reply(move |packet| *packet.rcode_mut() = code);
        assert_eq!(check(&reply(|_| {})), Ok(Answer::NoData));
        assert_eq!(check(&code(RCODE::NameError)), Ok(Answer::NoSuchName));
        assert!(matches!(check(&code(RCODE::ServerFailure)), Ok(Answer::Failed(_))));
        assert!(matches!(check(&code(RCODE::Refused)), Ok(Answer::Failed(_))));
        let cut = reply(|packet| packet.set_flags(PacketFlag::TRUNCATION));
        assert_eq!(check(&cut[..20]), Ok(Answer::Truncated));
    }

    #[test]
    fn ignores_what_was_not_asked() {
        let fine = reply(|packet| packet.answers = vec![a(HOST, 60, [10, 0, 0, 1])]);
        assert!(check(&fine).is_ok());
        let other_id = parse(&fine, 8, HOST, RecordType::A).unwrap_err();
        assert_eq!(other_id.kind(), ErrorKind::Protocol);
        assert!(parse(&fine, 7, "other.example", RecordType::A).is_err());
        assert!(parse(&fine, 7, HOST, RecordType::Aaaa).is_err());
        assert!(check(&query(7, HOST, RecordType::A).unwrap()).is_err());
        assert!(check(&fine[..20]).is_err());
        assert!(check(&[]).is_err());
    }

    #[test]
    fn names_are_checked_before_anything_is_sent() {
        let long = "a".repeat(64);
        for name in ["", ".", "a..b", "a b", "ü.example", "a\\.b", &long, &"a.".repeat(127)] {
            let result = query(1, name, RecordType::A).map_err(|error| error.to_string());
            if name.len() == 254 {
                assert!(result.is_ok(), "253 characters and a dot are fine");
            } else {
                assert!(result.unwrap_err().contains("accepted: labels"), "{name}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = check(&bytes);
            // Also behind a header that lets it go on.
            let start = reply(|_| {});
            bytes.splice(0..bytes.len().min(start.len()), start);
            let _ = check(&bytes);
        }

        #[test]
        fn damaged_replies_do_not_make_it_panic(at in 0usize..200, with: u8) {
            let mut bytes = reply(|packet| {
                packet.answers = vec![alias(HOST, 9, "x.example"), a("x.example", 9, [1, 2, 3, 4])];
            });
            let length = bytes.len();
            bytes[at % length] = with;
            let _ = check(&bytes);
        }

        #[test]
        fn any_accepted_name_round_trips(name in "[a-zA-Z0-9_-]{1,63}(\\.[a-z0-9-]{1,20}){0,4}") {
            let bytes = query(9, &name, RecordType::Aaaa).unwrap();
            let packet = Packet::parse(&bytes).unwrap();
            prop_assert_eq!(text(&packet.questions[0].qname), name.to_ascii_lowercase());
        }
    }
}
