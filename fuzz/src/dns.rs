//! Replies of a DNS server to a query for `ep.example` with id 0x1234: A where the first byte of the input is
//! even, AAAA where it is odd. The rest is the message.

use std::net::IpAddr;

use lakebase_runtime::dns::message::{Answer, RecordType, normalize, parse, query};

const ID: u16 = 0x1234;
const NAME: &str = "ep.example";

/// Reads one reply.
pub fn run(data: &[u8]) {
    let Some((kind, reply)) = data.split_first() else { return };
    let kind = if kind % 2 == 0 { RecordType::A } else { RecordType::Aaaa };
    match parse(reply, ID, NAME, kind) {
        Ok(answer) => {
            assert_eq!(reply.first_chunk(), Some(&ID.to_be_bytes()), "a foreign reply is believed");
            if let Answer::Found(addresses, _) = &answer {
                assert!(!addresses.is_empty());
                let fits = |address: &IpAddr| address.is_ipv4() == (kind == RecordType::A);
                assert!(addresses.iter().all(fits), "{addresses:?}");
            }
        }
        Err(error) => assert!(error.to_string().contains(NAME), "{error}"),
    }
    if let Ok(name) = std::str::from_utf8(reply)
        && let Ok(normal) = normalize(name)
    {
        assert_eq!(normalize(&normal).expect("is normal"), normal);
        assert!(query(ID, &normal, kind).is_ok(), "{normal:?}");
    }
}
