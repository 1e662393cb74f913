//! The contract of [`Relay`].

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use lakebase_core::effect::RelaySocket;
use lakebase_core::{ErrorKind, Relay, Timer};

use super::{on_thread, within};

/// Bytes arrive in both directions, addresses that do not answer are passed over and reported, and nothing
/// of the relay is left behind.
pub async fn relay(relay: &dyn Relay, timer: &dyn Timer) {
    let echo = start_echo();
    let dead = dead_address();
    carries_bytes(relay, timer, echo).await;
    passes_over_dead_addresses(relay, timer, echo, dead).await;
    reports_and_recovers(relay, timer, echo, dead).await;
    leaves_nothing(relay, timer, echo).await;
}

async fn open(
    relay: &dyn Relay,
    timer: &dyn Timer,
    targets: &[SocketAddr],
) -> (Box<dyn RelaySocket>, PathBuf) {
    let relay =
        within(timer, "opening", relay.open(5432, targets.to_vec())).await.expect("a relay");
    let path = relay.directory().join(".s.PGSQL.5432");
    (relay, path)
}

async fn round_trip(
    timer: &dyn Timer,
    path: &std::path::Path,
    message: Vec<u8>,
) -> io::Result<Vec<u8>> {
    let path = path.to_path_buf();
    on_thread(timer, "a round trip", move || {
        let mut stream = UnixStream::connect(path)?;
        let mut writer = stream.try_clone()?;
        let writing = std::thread::spawn(move || {
            writer.write_all(&message)?;
            writer.shutdown(Shutdown::Write)
        });
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        // A relay without a target closes at any time.
        let _ = writing.join().expect("the writer does not panic");
        Ok(answer)
    })
    .await
}

async fn carries_bytes(relay: &dyn Relay, timer: &dyn Timer, echo: SocketAddr) {
    let (relay, path) = open(relay, timer, &[echo]).await;
    let mode = std::fs::metadata(relay.directory()).expect("the folder").permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "others can enter the folder");
    // The echo says "end" after the client's end of sending, so this also shows that the end is passed on.
    assert_eq!(
        round_trip(timer, &path, b"hello ".to_vec()).await.expect("an answer"),
        b"hello end"
    );
    let large: Vec<u8> = (0..=255).cycle().take(2 * 1024 * 1024).collect();
    let answer = round_trip(timer, &path, large.clone()).await.expect("an answer");
    assert!(answer.starts_with(&large) && answer.ends_with(b"end"), "{} bytes", answer.len());
    let many = (0..8).map(|_| round_trip(timer, &path, b"x".to_vec()));
    for answer in futures::future::join_all(many).await {
        assert_eq!(answer.expect("an answer"), b"xend");
    }
    assert!(relay.last_error().is_none());
}

async fn passes_over_dead_addresses(
    relay: &dyn Relay,
    timer: &dyn Timer,
    echo: SocketAddr,
    dead: SocketAddr,
) {
    let (relay, path) = open(relay, timer, &[dead, echo]).await;
    for _ in 0..3 {
        assert_eq!(round_trip(timer, &path, b"x".to_vec()).await.expect("an answer"), b"xend");
    }
    assert!(relay.last_error().is_none(), "the last attempt succeeded");
}

async fn reports_and_recovers(
    relay: &dyn Relay,
    timer: &dyn Timer,
    echo: SocketAddr,
    dead: SocketAddr,
) {
    let (relay, path) = open(relay, timer, &[dead]).await;
    let answer = round_trip(timer, &path, Vec::new()).await;
    assert!(answer.is_err() || answer.is_ok_and(|bytes| bytes.is_empty()));
    let error = relay.last_error().expect("the reason is known once the client sees the end");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains(&dead.to_string()), "{error}");
    assert!(std::error::Error::source(&error).is_some(), "{error:?} has no cause");

    relay.retarget(vec![echo]);
    assert_eq!(round_trip(timer, &path, b"x".to_vec()).await.expect("an answer"), b"xend");
    assert!(relay.last_error().is_none(), "the last attempt succeeded");

    relay.retarget(Vec::new());
    let answer = round_trip(timer, &path, Vec::new()).await;
    assert!(answer.is_err() || answer.is_ok_and(|bytes| bytes.is_empty()));
    assert_eq!(relay.last_error().expect("a reason").kind(), ErrorKind::Unavailable);
}

async fn leaves_nothing(relay: &dyn Relay, timer: &dyn Timer, echo: SocketAddr) {
    let (relay, path) = open(relay, timer, &[echo]).await;
    let mut stream = {
        let path = path.clone();
        on_thread(timer, "a first exchange", move || {
            let mut stream = UnixStream::connect(path)?;
            stream.write_all(b"before ")?;
            let mut answer = [0; 7];
            stream.read_exact(&mut answer)?;
            assert_eq!(&answer, b"before ");
            io::Result::Ok(stream)
        })
        .await
        .expect("a connection")
    };
    let directory = relay.directory().to_path_buf();
    drop(relay);
    assert!(!directory.exists(), "{directory:?} is still there");
    assert!(UnixStream::connect(path).is_err(), "the relay still listens");
    let rest = on_thread(timer, "a carried connection", move || {
        stream.write_all(b"after ")?;
        stream.shutdown(Shutdown::Write)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map(|_| answer)
    });
    assert_eq!(rest.await.expect("the connection lives on"), "after end");
}

/// Closing a client ends its connection to the server, so that nothing is left of it.
pub async fn relay_passes_resets_on(relay: &dyn Relay, timer: &dyn Timer) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let address = listener.local_addr().expect("its address");
    let (_relay, path) = open(relay, timer, &[address]).await;
    let seen = on_thread(timer, "the server's view", move || {
        let client = UnixStream::connect(path)?;
        let (mut server, _) = listener.accept()?;
        server.set_read_timeout(Some(Duration::from_secs(20)))?;
        drop(client);
        server.read(&mut [0])
    });
    assert_eq!(seen.await.expect("an end, not a time-out"), 0);
}

/// An address that refuses connections.
fn dead_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    listener.local_addr().expect("its address")
}

/// A server that sends back what it gets, and `end` once the client has ended.
fn start_echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            std::thread::spawn(move || {
                let mut reader = stream.try_clone()?;
                io::copy(&mut reader, &mut stream)?;
                stream.write_all(b"end")
            });
        }
    });
    address
}
