//! First bytes that are no start-up packet: the proxy and the tunnel do what a real PostgreSQL does with them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use lakebase_proxy::{Address, Limits, Listener, Tunnel};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

use crate::support::{
    GSS, Running, SSL, TERMINATE, connector, loopback, shared, startup, with_length, within,
};

/// What a server says to a client, and then closes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Nothing,
    /// An `ErrorResponse`: severity, SQLSTATE, message up to what the server supports, detail.
    Error(String, String, String, Option<String>),
    /// An error in the form of protocol 2.
    Old(String),
    /// It goes on to log in.
    Login,
}

/// Sends `parts`, waits for one byte (`N`) between them, and hangs up if told so.
async fn ask(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    parts: &[Vec<u8>],
    hang_up: bool,
) -> (String, Answer) {
    let mut requests = String::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            requests.push(char::from(within(stream.read_u8()).await.unwrap()));
        }
        // A server that has heard enough may be gone.
        let _ = stream.write_all(part).await;
    }
    if hang_up {
        let _ = stream.shutdown().await;
    }
    let mut said = Vec::new();
    loop {
        match within(stream.read_u8()).await {
            // The answer to a request for encryption.
            Ok(byte @ (b'N' | b'S')) if said.is_empty() => requests.push(char::from(byte)),
            Ok(b'R') if said.is_empty() => return (requests, Answer::Login),
            Ok(byte) => said.push(byte),
            Err(_) => return (requests, read(&said)),
        }
    }
}

fn read(said: &[u8]) -> Answer {
    let until_supported = |text: &str| text.split(": server supports").next().unwrap().to_owned();
    let Some((b'E', rest)) = said.split_first() else {
        assert_eq!(said, b"");
        return Answer::Nothing;
    };
    let length = rest.first_chunk().map(|length| u32::from_be_bytes(*length));
    if length != Some(u32::try_from(rest.len()).unwrap()) {
        let text = rest.strip_suffix(b"\n\0").expect("a line of protocol 2");
        return Answer::Old(until_supported(&String::from_utf8_lossy(text)));
    }
    let fields: Vec<&[u8]> = rest[4..].split(|byte| *byte == 0).collect();
    let field = |kind: u8| {
        let found = fields.iter().find_map(|field| field.strip_prefix(&[kind]))?;
        Some(String::from_utf8_lossy(found).into_owned())
    };
    let message = until_supported(&field(b'M').unwrap());
    Answer::Error(field(b'S').unwrap(), field(b'C').unwrap(), message, field(b'D'))
}

/// The same two listeners and two tunnels for all bytes.
struct Doors {
    proxy: Running,
    tunnel: Tunnel,
    tunnel_tcp: Tunnel,
    _folder: tempfile::TempDir,
}

impl Doors {
    async fn open() -> Self {
        let connector = connector();
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let unix = Address::Unix(folder.path().to_owned(), 5432);
        let listeners = [loopback(), unix].map(|it| Listener::new(it, connector.clone()));
        Self {
            proxy: Running::start(listeners, Limits::default()).await,
            tunnel: Tunnel::open(connector.clone()).await.unwrap(),
            tunnel_tcp: Tunnel::open_tcp(connector).await.unwrap(),
            _folder: folder,
        }
    }

    /// What each of them says.
    async fn ask(&self, parts: &[Vec<u8>], hang_up: bool) -> Vec<(String, Answer)> {
        let mut all = Vec::new();
        for port in [self.proxy.tcp().port(), self.tunnel_tcp.port()] {
            let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            all.push(ask(stream, parts, hang_up).await);
        }
        let socket = Path::new(self.tunnel.directory().unwrap()).join(".s.PGSQL.5432");
        for socket in [self.proxy.addresses[1].to_string().into(), socket] {
            all.push(ask(UnixStream::connect(socket).await.unwrap(), parts, hang_up).await);
        }
        all
    }
}

/// What the PostgreSQL of this machine says.
async fn ask_postgres(parts: &[Vec<u8>], hang_up: bool) -> (String, Answer) {
    ask(UnixStream::connect(shared().postgres_socket()).await.unwrap(), parts, hang_up).await
}

/// A packet whose parameters are these bytes.
fn parameters(version: [u8; 4], bytes: &[u8]) -> Vec<u8> {
    with_length(&[&version[..], bytes].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn they_are_dealt_with_as_by_postgres() {
    use Answer::{Login, Nothing};
    let error = |sqlstate: &str, message: &str| {
        Answer::Error("FATAL".to_owned(), sqlstate.to_owned(), message.to_owned(), None)
    };
    let layout = error("08P01", "invalid startup packet layout: expected terminator as last byte");
    let nobody = error("28000", "no PostgreSQL user name specified in startup packet");
    let version =
        |version: &str| error("0A000", &format!("unsupported frontend protocol {version}"));
    let old =
        |version: &str| Answer::Old(format!("FATAL:  unsupported frontend protocol {version}"));
    let early = |request: &str| {
        let detail = "This could be either a client-software bug or evidence of an attempted man-in-the-middle attack.";
        Answer::Error(
            "FATAL".to_owned(),
            "08P01".to_owned(),
            format!("received unencrypted data after {request} request"),
            Some(detail.to_owned()),
        )
    };
    let three = [0, 3, 0, 0];
    let hello = startup(0, &[("user", "nobody")]);
    let cancel = |key: &[u8]| parameters(80_877_102_u32.to_be_bytes(), key);
    let long = |length: usize| startup(0, &[("user", &"a".repeat(length - 15))]);
    let after = |request: [u8; 8], bytes: &[u8]| [&request[..], bytes].concat();
    let doors = Doors::open().await;
    // What is sent, with an answer awaited in between; whether the client then hangs up; `N`s; the answer.
    let cases: Vec<(Vec<Vec<u8>>, bool, &str, Answer)> = vec![
        // Clients that come and go.
        (vec![vec![]], true, "", Nothing),
        (vec![SSL.to_vec()], true, "N", Nothing),
        (vec![GSS.to_vec()], true, "N", Nothing),
        (vec![SSL.to_vec(), GSS.to_vec()], true, "NN", Nothing),
        (vec![SSL.to_vec(), b"\0\0".to_vec()], true, "N", Nothing),
        (vec![b"\0\0\0".to_vec()], true, "", Nothing),
        (vec![hello[..12].to_vec()], true, "", Nothing),
        (vec![SSL.to_vec(), hello[..12].to_vec()], true, "N", Nothing),
        // Lengths that cannot be.
        (vec![vec![0; 4]], false, "", Nothing),
        (vec![vec![0, 0, 0, 7, 0, 0, 0]], false, "", Nothing),
        (vec![vec![0xff; 8]], false, "", Nothing),
        (vec![vec![0x80, 0, 0, 0]], false, "", Nothing),
        (vec![long(10_004)], false, "", Login),
        (vec![long(10_005)], false, "", Nothing),
        // Other protocols.
        (vec![b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()], false, "", Nothing),
        (vec![[&b"POST / HTTP/1.1\r\n\r\n"[..], &[b'x'; 30_000]].concat()], false, "", Nothing),
        (vec![vec![0x16, 3, 1, 0, 0xc8, 1, 0, 0, 0xc4]], false, "", Nothing),
        (vec![b"SSH-2.0-OpenSSH\r\n".to_vec()], false, "", Nothing),
        (vec![b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n".to_vec()], false, "", Nothing),
        // A client may send it as its first message, as one of node-postgres' tests does.
        (vec![TERMINATE.to_vec()], false, "", Nothing),
        (vec![SSL.to_vec(), TERMINATE.to_vec()], false, "N", Nothing),
        // Requests for encryption.
        (vec![SSL.to_vec(), hello.clone()], false, "N", Login),
        (vec![GSS.to_vec(), SSL.to_vec(), hello.clone()], false, "NN", Login),
        (vec![parameters(80_877_103_u32.to_be_bytes(), b"more"), hello.clone()], false, "N", Login),
        (vec![after(SSL, &hello)], false, "N", early("SSL")),
        (vec![after(SSL, TERMINATE)], false, "N", early("SSL")),
        (vec![after(GSS, &hello)], false, "N", early("GSSAPI encryption")),
        (vec![SSL.to_vec(), SSL.to_vec()], false, "N", version("1234.5679")),
        (vec![GSS.to_vec(), GSS.to_vec()], false, "N", version("1234.5680")),
        // Cancel requests get no answer, whatever is in them.
        (vec![cancel(b"")], false, "", Nothing),
        (vec![cancel(&[0; 3])], false, "", Nothing),
        (vec![cancel(&[0; 8])], false, "", Nothing),
        (vec![cancel(&[0; 12])], false, "", Nothing),
        (vec![cancel(&[0; 300])], false, "", Nothing),
        // Versions.
        (vec![parameters([0, 0, 0, 0], b"\0")], false, "", version("0.0")),
        (vec![parameters([0, 0, 0, 7], b"\0")], false, "", old("0.7")),
        (vec![parameters([0, 1, 0, 0], b"\0")], false, "", old("1.0")),
        (vec![parameters([0, 2, 0, 0], &[0; 288])], false, "", old("2.0")),
        (vec![parameters([0, 4, 0, 0], b"user\0nobody\0\0")], false, "", version("4.0")),
        (vec![parameters([0xff; 4], &[0xff; 8_000])], false, "", version("65535.65535")),
        // Layouts.
        (vec![parameters(three, b"")], false, "", layout.clone()),
        (vec![parameters(three, b"us")], false, "", layout.clone()),
        (vec![parameters(three, b"user\0")], false, "", layout.clone()),
        (vec![parameters(three, b"user\0nobody")], false, "", layout.clone()),
        (vec![parameters(three, b"user\0nobody\0")], false, "", layout.clone()),
        (vec![parameters(three, b"\0user\0nobody\0\0")], false, "", layout.clone()),
        (vec![parameters(three, b"user\0nobody\0\0\0")], false, "", layout),
        // Any bytes may be a value.
        (vec![parameters(three, b"user\0nobody\0application_name\0\xa5\0\0")], false, "", Login),
        // PostgreSQL looks at the place of the last byte and not at the byte.
        (vec![parameters(three, b"user\0nobody\0x")], false, "", Login),
        // Users.
        (vec![parameters(three, b"\0")], false, "", nobody.clone()),
        (vec![parameters(three, b"x")], false, "", nobody.clone()),
        (vec![parameters(three, b"database\0postgres\0\0")], false, "", nobody.clone()),
        (vec![parameters(three, b"user\0nobody\0user\0\0\0")], false, "", nobody.clone()),
        (vec![SSL.to_vec(), parameters(three, b"\0")], false, "N", nobody),
    ];
    let count = cases.len();
    for (parts, hang_up, requests, answer) in cases {
        let expected = (requests.to_owned(), answer);
        let shown = &parts.concat()[..parts.concat().len().min(64)];
        let shown = shown.escape_ascii();
        assert_eq!(ask_postgres(&parts, hang_up).await, expected, "PostgreSQL with {shown}");
        for said in doors.ask(&parts, hang_up).await {
            assert_eq!(said, expected, "{shown}");
        }
    }
    let stats = doors.proxy.monitor.stats();
    assert_eq!(stats.accepted, 2 * u64::try_from(count).unwrap());
    assert_eq!(stats.cancel_requests, 0);
}

/// Whatever follows the version.
#[tokio::test(flavor = "multi_thread")]
async fn random_packets_are_dealt_with_as_by_postgres() {
    let byte = prop_oneof![3 => Just(0), 3 => Just(b'a'), 1 => any::<u8>()];
    let word = prop_oneof![
        3 => proptest::collection::vec(byte, 0..4),
        1 => Just(b"user\0".to_vec()),
        1 => Just(b"user\0nobody\0".to_vec()),
        1 => Just(b"\0".to_vec()),
    ];
    let body = proptest::collection::vec(word, 0..5);
    let doors = Doors::open().await;
    let mut runner = TestRunner::default();
    for _ in 0..100 {
        let mut bytes = body.new_tree(&mut runner).unwrap().current().concat();
        // Names of settings are the server's business, after the login.
        bytes.truncate(64);
        let parts = [parameters([0, 3, 0, 0], &bytes)];
        let (_, expected) = ask_postgres(&parts, false).await;
        for (_, said) in doors.ask(&parts, false).await {
            // Who gets so far is logged in before it is let in: the server's objections come instead.
            let same = match (&said, &expected) {
                (Answer::Error(_, sqlstate, ..), Answer::Login) => {
                    !["08P01", "0A000", "28000"].contains(&sqlstate.as_str())
                }
                (said, expected) => said == expected,
            };
            assert!(same, "{}: {said:?} instead of {expected:?}", bytes.escape_ascii());
        }
    }
}
