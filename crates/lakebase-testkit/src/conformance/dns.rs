//! What a [`HostResolver`] that asks DNS servers directly must do.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;

use lakebase_core::{Error, ErrorKind, HostResolver, Timer};

use super::dns_server::{DnsServer, V4, V6};
use super::within;

/// Makes a resolver that asks these servers; it should wait for each only for some tenths of a second.
pub type MakeResolver<'a> = &'a dyn Fn(Vec<SocketAddr>) -> Arc<dyn HostResolver>;

/// Every kind of answer, every kind of silence.
pub async fn dns(make: MakeResolver<'_>, timer: &dyn Timer) {
    let server = DnsServer::start();
    let resolver = make(vec![server.address()]);
    finds_addresses(&*resolver, timer).await;
    tells_failures_apart(&*resolver, timer, server.address()).await;
    keeps_answers_for_their_ttl(&*resolver, timer, &server).await;
    tries_servers_in_order(make, timer, &server).await;
}

async fn resolve(
    resolver: &dyn HostResolver,
    timer: &dyn Timer,
    host: &str,
) -> Result<Vec<IpAddr>, Error> {
    within(timer, host, resolver.resolve(host)).await
}

async fn finds_addresses(resolver: &dyn HostResolver, timer: &dyn Timer) {
    let both = [IpAddr::V4(V4), IpAddr::V6(V6)];
    // Longer than the names that macOS's resolver was seen to fail on.
    let long = ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(48), "both.test".into()];
    let long = long.join(".");
    assert_eq!(long.len(), 250);
    let cases: [(&str, &[IpAddr]); 12] = [
        (&long, &both),
        ("both.test", &both),
        ("BOTH.test.", &both),
        ("brief.test", &both),
        ("alias.test", &both),
        ("lost.test", &both),
        ("large.test", &both),
        ("forged.test", &both),
        ("garbage.test", &both),
        ("v4.test", &both[..1]),
        ("mute6.test", &both[..1]),
        ("10.9.8.7", &[IpAddr::V4(std::net::Ipv4Addr::new(10, 9, 8, 7))]),
    ];
    for (host, expected) in cases {
        let found = resolve(resolver, timer, host)
            .await
            .unwrap_or_else(|error| panic!("{host}: {error:?}"));
        assert_eq!(found, expected, "{host}");
    }
}

async fn tells_failures_apart(resolver: &dyn HostResolver, timer: &dyn Timer, server: SocketAddr) {
    let long = format!("{}.test", "a".repeat(64));
    let cases = [
        ("missing.test", ErrorKind::NotFound, "does not exist"),
        ("empty.test", ErrorKind::NotFound, "no address"),
        ("broken.test", ErrorKind::Unavailable, "no DNS server answered"),
        ("silent.test", ErrorKind::Unavailable, "no DNS server answered"),
        ("", ErrorKind::Config, "accepted"),
        (&long, ErrorKind::Config, "accepted"),
    ];
    for (host, kind, part) in cases {
        let error = resolve(resolver, timer, host).await.expect_err(host);
        assert_eq!(error.kind(), kind, "{host}: {error:?}");
        let text = error.to_string();
        assert!(text.contains(host) && text.contains(part), "{host}: {text}");
        if kind != ErrorKind::Config {
            assert!(text.contains(&server.to_string()), "{host}: {text}");
        }
    }
}

async fn keeps_answers_for_their_ttl(
    resolver: &dyn HostResolver,
    timer: &dyn Timer,
    server: &DnsServer,
) {
    for (host, is_kept) in [("both.test", true), ("brief.test", false), ("missing.test", false)] {
        // Whether it is found is checked elsewhere.
        let _ = resolve(resolver, timer, host).await;
        let before = server.asked(host);
        let _ = resolve(resolver, timer, host).await;
        assert_eq!(server.asked(host) == before, is_kept, "{host}");
    }
}

async fn tries_servers_in_order(make: MakeResolver<'_>, timer: &dyn Timer, server: &DnsServer) {
    let silent = UdpSocket::bind("127.0.0.1:0").expect("a loopback port");
    let silent_address = silent.local_addr().expect("its address");
    let closed = {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a loopback port");
        socket.local_addr().expect("its address")
    };
    let resolver = make(vec![closed, silent_address, server.address()]);
    let found = resolve(&*resolver, timer, "both.test").await.expect("the third server knows");
    assert_eq!(found, [IpAddr::V4(V4), IpAddr::V6(V6)]);

    // A "no" is an answer: the next server is not asked.
    let second = DnsServer::start();
    let resolver = make(vec![server.address(), second.address()]);
    let error = resolve(&*resolver, timer, "missing.test").await.expect_err("NXDOMAIN");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(second.asked("missing.test"), 0);
}
