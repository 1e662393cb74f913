//! First packets of clients: read or refused, and what is read is written as it was understood.

use lakebase_session::startup::{CancelKey, FirstPacket, MAX_LENGTH, Startup};

/// Takes `data` for a whole packet, and for a packet without its length.
pub fn run(data: &[u8]) {
    if let Some((header, body)) = data.split_first_chunk::<4>() {
        if let Ok(length) = FirstPacket::body_length(*header) {
            assert!((4..=MAX_LENGTH - 4).contains(&length));
            check(&body[..length.min(body.len())]);
        }
    }
    check(data);
}

fn check(body: &[u8]) {
    match FirstPacket::parse(body) {
        Ok(FirstPacket::Startup(startup)) => check_startup(&startup),
        Ok(FirstPacket::Cancel(key)) => {
            assert_eq!(again(&key.request()), FirstPacket::Cancel(key.clone()));
            assert_eq!(CancelKey::new(&body[4..]).as_ref(), Ok(&key));
        }
        Ok(FirstPacket::Tls | FirstPacket::Gss) => assert!(body.len() >= 4),
        Err(error) => {
            assert_eq!(error.sqlstate().len(), 5);
            assert!(error.to_string().len() < 200, "errors do not quote what was sent");
        }
    }
}

fn check_startup(startup: &Startup) {
    if let Ok(packet) = startup.encode() {
        assert_eq!(again(&packet), FirstPacket::Startup(startup.clone()));
    }
    let mut changed = startup.clone();
    changed.set("user", "me\0database\0theirs");
    assert_eq!(changed.get("user"), Some(&b"me"[..]));
    if let Ok(packet) = changed.encode() {
        let FirstPacket::Startup(read) = again(&packet) else { panic!("another packet") };
        assert_eq!(read.get("user"), Some(&b"me"[..]));
        assert_eq!(read.get("database"), startup.get("database"));
    }
}

fn again(packet: &[u8]) -> FirstPacket {
    let header = *packet.first_chunk().expect("a packet has a length");
    let length = FirstPacket::body_length(header).expect("the length is possible");
    assert_eq!(length + 4, packet.len());
    FirstPacket::parse(&packet[4..]).expect("what was written can be read")
}
