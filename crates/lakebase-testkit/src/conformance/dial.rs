//! The contract of [`Dial`].

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use futures::io::{AsyncReadExt as _, AsyncWriteExt as _};
use lakebase_core::connect::{LoadBalanceHosts, TcpOptions};
use lakebase_core::effect::{DialTarget, Dialed};
use lakebase_core::{Clock, Dial, ErrorKind, Result, Timer};

use super::within;
use crate::network::DeadAddress;

const FIRST: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const SECOND: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const REFUSES: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));

/// Reaches servers past addresses that are dead or refuse, names all of them where none answers, and carries bytes.
///
/// Linux only: elsewhere there is one loopback address, and full queues refuse.
pub async fn dial(dial: &dyn Dial, timer: &dyn Timer, clock: &dyn Clock) {
    let server = start_echo();
    let port = server.port();
    let dead = DeadAddress::open(FIRST, port).expect("a dead address");
    let started = clock.monotonic();
    let dialed = connect(dial, timer, &[FIRST, SECOND], port, 10_000).await.expect("a connection");
    assert_eq!(dialed.peer, Some(server));
    carries_bytes(dialed, timer).await;
    let refused = connect(dial, timer, &[REFUSES, SECOND], port, 10_000).await;
    assert_eq!(refused.expect("a connection").peer, Some(server));
    assert!(clock.monotonic() - started < Duration::from_secs(5), "it waited for a dead address");

    let error = connect(dial, timer, &[FIRST, REFUSES], port, 700).await.expect_err("no server");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let report = error.report();
    for address in [dead.address(), SocketAddr::new(REFUSES, port)] {
        assert!(report.contains(&address.to_string()), "{report}");
    }
    assert!(report.contains("no answer within") && report.contains("refused"), "{report}");
    looks_hosts_up(dial, timer, server).await;
}

/// With options that are not the defaults.
async fn connect(
    dial: &dyn Dial,
    timer: &dyn Timer,
    addresses: &[IpAddr],
    port: u16,
    millis: u64,
) -> Result<Dialed> {
    let tcp = TcpOptions { keepalive: None, user_timeout: None };
    let timeout = Duration::from_millis(millis);
    let target = DialTarget { addresses, tcp, timeout, ..by_name("db.example", port) };
    within(timer, "dialling", dial.dial(target)).await
}

fn by_name(host: &str, port: u16) -> DialTarget<'_> {
    DialTarget {
        host,
        addresses: &[],
        port,
        tcp: TcpOptions::default(),
        load_balance_hosts: LoadBalanceHosts::Random,
        timeout: Duration::from_secs(10),
    }
}

async fn carries_bytes(dialed: Dialed, timer: &dyn Timer) {
    let mut stream = dialed.stream;
    let large: Vec<u8> = (0..=255).cycle().take(200_000).collect();
    let mut answer = Vec::new();
    within(timer, "a round trip", async {
        stream.write_all(&large).await?;
        stream.close().await?;
        stream.read_to_end(&mut answer).await
    })
    .await
    .expect("an answer");
    assert!(answer == large, "{} bytes", answer.len());
}

async fn looks_hosts_up(dial: &dyn Dial, timer: &dyn Timer, server: SocketAddr) {
    for host in ["localhost", "127.0.0.1"] {
        let target = by_name(host, server.port());
        let dialed = within(timer, "dialling by name", dial.dial(target)).await;
        assert_eq!(dialed.expect("a connection").peer, Some(server), "{host}");
    }
    let host = "no-such-host.invalid";
    let unknown = within(timer, "an unknown host", dial.dial(by_name(host, 1))).await;
    let error = unknown.expect_err("no such host");
    assert!(error.report().contains(host), "{}", error.report());
}

/// A server on 127.0.0.1 alone that sends back what it gets, once the client has ended.
fn start_echo() -> SocketAddr {
    let listener = TcpListener::bind((SECOND, 0)).expect("a loopback port");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            std::thread::spawn(move || {
                let mut all = Vec::new();
                stream.read_to_end(&mut all)?;
                stream.write_all(&all)
            });
        }
    });
    address
}
