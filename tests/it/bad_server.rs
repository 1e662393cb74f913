//! Servers that misbehave during a login: an error within the budget, and no more is read of them than a login needs.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lakebase::core::ErrorKind::{self, InvalidRequest, Protocol, TimedOut, Unsupported};
use lakebase::core::connect::ConnectPolicy;
use lakebase::{Lakebase, PoolOptions, RecyclingOptions, lakebase_error};

use crate::support::Setup;
use crate::tokio_postgres::pool::kinds;

on_each_runtime! { direct pool tokio_postgres tunnel silences }

/// What a server may send before it is cut off: what a login may hold, and what sockets hold on the way.
const MOST: u64 = 16 * 1024 * 1024;

/// How it misbehaves once it has the start-up packet, and what that is for the client.
const MODES: [(&str, ErrorKind); 14] = [
    ("silent", TimedOut),
    ("notices", Protocol),
    ("params", Protocol),
    ("huge error", Protocol),
    ("negative length", Protocol),
    ("zero length", Protocol),
    ("gss", Unsupported),
    ("unknown sasl", Unsupported),
    ("no ready", TimedOut),
    ("close", TimedOut),
    ("garbage", Protocol),
    ("too many", TimedOut),
    ("error without fields", InvalidRequest),
    ("byte by byte", TimedOut),
];

/// Where it falls silent, and what the error says that it was waited for.
const SILENCES: [(&str, &str); 4] = [
    ("mute", "TLS"),
    ("silent", "the answer to the start-up packet"),
    ("password", "authentication"),
    ("no ready", "the end of the greeting"),
];

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[kind], &length[..], body].concat()
}

/// A server and how many bytes it got rid of.
struct BadServer {
    port: u16,
    sent: Arc<AtomicU64>,
}

impl BadServer {
    fn start(mode: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let sent = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&sent);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, sent) = (stream.unwrap(), Arc::clone(&counter));
                std::thread::spawn(move || misbehave(mode, Counted { stream, sent }));
            }
        });
        Self { port, sent }
    }

    /// A handle that logs in here with a password and little patience.
    fn handle(&self) -> Lakebase {
        let url = format!("postgresql://u:p@127.0.0.1:{}/d", self.port);
        let policy = ConnectPolicy { budget: PATIENCE, ..ConnectPolicy::default() };
        Setup::empty().set("LAKEBASE_PG_URL", url).builder().connect_policy(policy).build().unwrap()
    }

    fn was_cut_off(&self, mode: &str) {
        let sent = self.sent.load(Ordering::SeqCst);
        assert!(sent < MOST, "{mode}: {sent} bytes were read");
    }
}

const PATIENCE: Duration = Duration::from_millis(800);

struct Counted {
    stream: TcpStream,
    sent: Arc<AtomicU64>,
}

impl Counted {
    fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes)?;
        self.sent.fetch_add(bytes.len() as u64, Ordering::SeqCst);
        Ok(())
    }

    /// Until the client goes away.
    fn wait(&mut self) -> std::io::Result<()> {
        while self.stream.read(&mut [0; 1024])? > 0 {}
        Ok(())
    }
}

fn misbehave(mode: &str, mut client: Counted) -> std::io::Result<()> {
    if mode == "mute" {
        return client.wait();
    }
    let mut first = [0; 8];
    client.stream.read_exact(&mut first)?;
    if first[4..] == [4, 210, 22, 47] {
        client.send(b"N")?;
        client.stream.read_exact(&mut first)?;
    }
    let ok = message(b'R', &[0; 4]);
    let mut forever = |greeting: &[u8], piece: Vec<u8>| {
        client.send(greeting)?;
        loop {
            client.send(&piece)?;
        }
    };
    match mode {
        "notices" => {
            let text = [b"SNOTICE\0C00000\0M", &[b'x'; 60_000][..], b"\0\0"].concat();
            forever(&ok, message(b'N', &text))
        }
        "params" => {
            let text = [b"name\0", &[b'v'; 1_000][..], b"\0"].concat();
            forever(&ok, message(b'S', &text))
        }
        "huge error" => forever(&[b'E', 0x40, 0, 0, 0], vec![b'x'; 65_536]),
        "close" => Ok(()),
        _ => {
            match mode {
                "negative length" => client.send(&[b'R', 0xff, 0xff, 0xff, 0xfb])?,
                "zero length" => client.send(&[b'R', 0, 0, 0, 0])?,
                "gss" => client.send(&message(b'R', &7_u32.to_be_bytes()))?,
                "unknown sasl" => client.send(&message(b'R', b"\0\0\0\x0aNOPE\0\0"))?,
                "password" => client.send(&message(b'R', &3_u32.to_be_bytes()))?,
                "no ready" => client.send(&ok)?,
                "garbage" => client.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")?,
                "too many" => {
                    let text = b"SFATAL\0VFATAL\0C53300\0Mtoo many connections for role\0\0";
                    client.send(&message(b'E', text))?;
                }
                "error without fields" => client.send(&message(b'E', b""))?,
                "byte by byte" => client.send(&ok[..3])?,
                _ => {}
            }
            client.wait()
        }
    }
}

async fn direct() {
    for (mode, kind) in MODES {
        let server = BadServer::start(mode);
        let error = server.handle().connect().await.map(drop).unwrap_err();
        assert_eq!(error.kind(), kind, "{mode}: {}", error.report());
        server.was_cut_off(mode);
    }
}

async fn pool() {
    for (mode, kind) in MODES {
        let server = BadServer::start(mode);
        let options = PoolOptions::new().acquire_timeout(PATIENCE);
        let error = server.handle().pool(options).await.map(drop).unwrap_err();
        assert_eq!(error.kind(), kind, "{mode}: {}", error.report());
        server.was_cut_off(mode);
    }
    assert!(lakebase_error(&lakebase::sqlx::Error::PoolTimedOut).is_none());
}

async fn tokio_postgres() {
    for (mode, kind) in MODES {
        let server = BadServer::start(mode);
        let error = server.handle().tokio_postgres().await.map(drop).unwrap_err();
        assert_eq!(error.kind(), kind, "{mode}: {}", error.report());
        server.was_cut_off(mode);
        for pool in kinds() {
            let server = BadServer::start(mode);
            let error = match pool.open(&server.handle(), 2, RecyclingOptions::new()).await {
                Ok(pool) => {
                    let error = pool.get().await.map(drop).unwrap_err();
                    lakebase::Error::find_in(&*error).unwrap().clone()
                }
                Err(error) => error,
            };
            assert_eq!(error.kind(), kind, "{pool:?}: {mode}: {}", error.report());
            server.was_cut_off(mode);
        }
    }
}

/// The error names the server and what it did not answer to.
async fn silences() {
    for (mode, phase) in SILENCES {
        let server = BadServer::start(mode);
        let direct = server.handle().connect().await.map(drop).unwrap_err();
        let options = PoolOptions::new().acquire_timeout(PATIENCE);
        let pooled = server.handle().pool(options).await.map(drop).unwrap_err();
        let place = format!("127.0.0.1:{} accepted TCP and did not answer within", server.port);
        for error in [direct, pooled] {
            let report = error.report();
            assert!(report.contains(&place), "{mode}: {report}");
            assert!(report.contains(&format!("(waiting for {phase})")), "{mode}: {report}");
        }
    }
}

/// A program of its own connects, and is told.
async fn tunnel() {
    for (mode, _) in MODES {
        let server = BadServer::start(mode);
        let tunnel = server.handle().tunnel_tcp().await.unwrap();
        let mut psql = std::process::Command::new("psql");
        psql.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        psql.args(["-X", "-d", tunnel.url().expose(), "-c", "select 1"]);
        let output = psql.output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && told.contains("FATAL"), "{mode}: {told}");
        server.was_cut_off(mode);
    }
}
