//! Packets that clients send, and packets that none should.

use proptest::prelude::*;

use super::*;

/// Protocol 3.`minor` with these bytes as its parameters.
fn body(minor: u16, parameters: &[u8]) -> Vec<u8> {
    [&[0, 3], &minor.to_be_bytes()[..], parameters].concat()
}

fn startup(minor: u16, parameters: &[u8]) -> Startup {
    match FirstPacket::parse(&body(minor, parameters)) {
        Ok(FirstPacket::Startup(startup)) => startup,
        other => panic!("{other:?}"),
    }
}

#[test]
fn requests_are_told_apart() {
    let parse = |code: u32| FirstPacket::parse(&code.to_be_bytes());
    assert_eq!(parse(80_877_103), Ok(FirstPacket::Tls));
    assert_eq!(parse(80_877_104), Ok(FirstPacket::Gss));
    assert_eq!(parse(80_877_102), Err(StartupError::CancelKey(0)));
    assert_eq!(parse(0x0002_0000), Err(StartupError::Version(0x0002_0000)));
    assert_eq!(parse(0x0002_0000).unwrap_err().sqlstate(), "0A000");
    assert_eq!(FirstPacket::parse(b"GE"), Err(StartupError::Length(6)));
    let long = [&80_877_103_u32.to_be_bytes()[..], b"x"].concat();
    assert_eq!(FirstPacket::parse(&long), Ok(FirstPacket::Tls), "as PostgreSQL reads it");
}

#[test]
fn lengths_are_those_of_postgres() {
    let length = |length: u32| FirstPacket::body_length(length.to_be_bytes());
    assert_eq!(length(8), Ok(4));
    assert_eq!(length(10_004), Ok(10_000));
    for wrong in [0, 7, 10_005, 0x4745_5420, u32::MAX] {
        assert_eq!(length(wrong), Err(StartupError::Length(wrong)));
    }
    assert!(FirstPacket::body_length([TLS_HANDSHAKE, 3, 1, 0]).is_err());
}

#[test]
fn parameters_keep_their_bytes_and_the_last_one_counts() {
    let read = startup(2, b"user\0a\0search_path\0\xff\0user\0b\0options\0\0\0");
    assert_eq!(read.version(), ProtocolVersion { minor: 2 });
    assert_eq!(read.get("user"), Some(&b"b"[..]));
    assert_eq!(read.get("search_path"), Some(&b"\xff"[..]));
    assert_eq!(read.get("options"), Some(&b""[..]));
    assert_eq!(read.get("database"), None);
}

#[test]
fn broken_layouts_are_refused() {
    for wrong in [&b""[..], b"user", b"user\0", b"user\0a", b"user\0a\0", b"\0user\0a\0", b"\0\0"] {
        let parsed = FirstPacket::parse(&body(0, wrong));
        assert_eq!(parsed, Err(StartupError::Layout), "{wrong:?}");
    }
    assert_eq!(startup(0, b"user\0a\0x"), startup(0, b"user\0a\0\0"), "as PostgreSQL reads it");
}

#[test]
fn lengths_say_who_was_there() {
    let shown = |first: &[u8; 4]| StartupError::Length(u32::from_be_bytes(*first)).to_string();
    for (first, text) in [
        (b"GET ", "(it began with 'GET ', as HTTP does)"),
        (
            b"\x16\x03\x01\x00",
            "(it began with '\\x16\\x03\\x01\\x00', as TLS does, which is not offered here)",
        ),
        (
            b"X\0\0\0",
            "(it began with 'X\\x00\\x00\\x00', as a message does that has no place before a startup packet)",
        ),
        (b"PROX", "(it began with 'PROX', as the PROXY protocol of load balancers does)"),
        (b"'\n\x1b\xff", "(it began with '\\'\\n\\x1b\\xff')"),
        (b"\0\x01\0\0", "invalid length of startup packet: 65536 bytes; accepted: 8 to 10004"),
    ] {
        let shown = shown(first);
        assert!(shown.ends_with(text) && shown.is_ascii() && !shown.contains('\n'), "{shown}");
    }
}

#[test]
fn a_parameter_is_replaced_and_cannot_smuggle_another() {
    let mut packet = startup(0, b"user\0a\0user\0b\0_pq_.x\x001\0\0");
    packet.set("user", "c\0database\0other");
    let written = packet.encode().unwrap();
    assert_eq!(&written[8..], b"_pq_.x\x001\0user\0c\0\0");
    packet.set("options", vec![b'x'; MAX_LENGTH]);
    assert!(matches!(packet.encode(), Err(StartupError::Length(_))));
}

#[test]
fn cancel_requests_are_written_as_they_were_read() {
    for length in [8, 36, 260] {
        let key = CancelKey::new(&vec![7; length]).unwrap();
        let request = key.request();
        let header = *request.first_chunk().unwrap();
        assert_eq!(FirstPacket::body_length(header), Ok(request.len() - 4));
        assert_eq!(FirstPacket::parse(&request[4..]), Ok(FirstPacket::Cancel(key.clone())));
        assert_eq!(format!("{key:?}"), "CancelKey(..)");
    }
    assert!(CancelKey::new(&[0; 261]).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
        let _ = FirstPacket::parse(&bytes);
    }

    #[test]
    fn what_is_written_is_read_again(
        minor: u16,
        parameters in proptest::collection::vec(("[^\0]{1,9}", "[^\0]{0,9}"), 0..9),
    ) {
        let parameters = parameters.into_iter().map(|(name, value)| (name.into(), value.into()));
        let packet = Startup { version: ProtocolVersion { minor }, parameters: parameters.collect() };
        let written = packet.encode().unwrap();
        let length = FirstPacket::body_length(*written.first_chunk().unwrap()).unwrap();
        prop_assert_eq!(length + 4, written.len());
        prop_assert_eq!(FirstPacket::parse(&written[4..]), Ok(FirstPacket::Startup(packet)));
    }
}
