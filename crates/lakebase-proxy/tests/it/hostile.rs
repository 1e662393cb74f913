//! Clients that are broken, slow or mean, and those beside them.

use std::collections::VecDeque;
use std::time::Duration;

use lakebase_proxy::{Limits, Listener};
use tokio::io::AsyncReadExt as _;

use crate::support::{
    Raw, Running, connector_to, listener, loopback, shared, startup, success, until, with_length,
    within,
};

async fn with_limits(limits: Limits) -> Running {
    Running::start([listener()], limits).await
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_packets_disturb_nobody() {
    let proxy = Running::usual().await;
    let (mut bystander, _) = Raw::session(&proxy, 0).await;
    for (packet, answer) in [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(), None),
        (u32::MAX.to_be_bytes().to_vec(), None),
        (with_length(&80_877_102_u32.to_be_bytes()), None),
        (with_length(&[0, 3, 0, 0, b'u', b's']), Some("08P01")),
        (with_length(&[0xff; 9_000]), Some("0A000")),
    ] {
        let mut raw = Raw::open(&proxy).await;
        raw.send(&packet).await;
        if let Some(sqlstate) = answer {
            assert_eq!(raw.sqlstate().await, sqlstate, "{packet:?}");
        }
        // A client that goes on talking is not read for ever, and sees an end and no reset.
        let mut rest = Vec::new();
        within(raw.0.read_to_end(&mut rest)).await.unwrap();
        assert!(rest.is_empty(), "{packet:?}");
    }
    bystander.query("select 1").await;
    assert_eq!(bystander.messages_until(b'Z').await[1].1, b"\0\x01\0\0\0\x011");
    let stats = proxy.monitor.stats();
    assert_eq!((stats.rejected, stats.logins, stats.accepted), (5, 1, 6));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_client_is_closed_in_time() {
    let limits = Limits { startup_timeout: Duration::from_millis(50), ..Limits::default() };
    let proxy = with_limits(limits).await;
    let mut all = Vec::new();
    for half in [&b""[..], b"\0\0", &startup(0, &[("user", "x")])[..12], &[0x16, 3, 1]] {
        let mut raw = Raw::open(&proxy).await;
        raw.send(half).await;
        all.push(raw);
    }
    for mut raw in all {
        assert!(raw.rest().await.is_empty());
    }
    until("all are counted", || proxy.monitor.stats().rejected == 4).await;
    assert_eq!(success(proxy.psql(&["-c", "select 1"])).await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_session_too_many_is_told_so() {
    let proxy = with_limits(Limits { max_connections: 2, ..Limits::default() }).await;
    let (first, _) = Raw::session(&proxy, 0).await;
    let (_second, _) = Raw::session(&proxy, 0).await;
    let mut third = Raw::start(&proxy, &[("user", "x")]).await;
    assert_eq!(third.sqlstate().await, "53300");
    drop(first);
    until("there is room", || proxy.monitor.stats().sessions == 1).await;
    Raw::session(&proxy, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_keep_nobody_out() {
    let proxy = with_limits(Limits { max_connections: 8, ..Limits::default() }).await;
    let mut silent = VecDeque::new();
    for _ in 0..10_000 {
        silent.push_back(Raw::open(&proxy).await);
        // More than are kept waiting: the oldest was ended for the sake of the newest.
        if silent.len() > 200 {
            let mut oldest = silent.pop_front().unwrap();
            assert!(oldest.rest().await.is_empty());
        }
    }
    assert_eq!(success(proxy.psql(&["-c", "select 1"])).await, "1");
    // All but the last 64 were ended.
    until("the others are ended", || proxy.monitor.stats().rejected >= 9_936).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_nothing_stops_nobody() {
    let proxy = Running::usual().await;
    let (mut stalled, _) = Raw::session(&proxy, 0).await;
    stalled.query("select repeat('x', 10000) from generate_series(1, 20000)").await;
    assert_eq!(stalled.byte().await, b'T');
    until("its way is full", {
        let mut before = 0;
        let proxy = &proxy;
        move || {
            let now = proxy.monitor.stats().bytes_to_clients;
            std::mem::replace(&mut before, now) == now && now > 0
        }
    })
    .await;
    assert!(proxy.monitor.stats().bytes_to_clients < 100_000_000, "it is not read ahead for");
    assert_eq!(success(proxy.psql(&["-c", "select 1"])).await, "1");
    drop(stalled);
    until("it is gone", || proxy.monitor.stats().sessions == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_ends_with_the_client_that_wanted_it() {
    // Nothing answers at this address, so logins take their time.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    let connector = connector_to(&shared().description().endpoint, &[("PGPORT", &port)]);
    let proxy = Running::of(Listener::new(loopback(), connector)).await;
    let raw = Raw::start(&proxy, &[("user", "x")]).await;
    until("it is logging in", || proxy.monitor.stats().sessions == 1).await;
    drop(raw);
    until("the login was given up", || proxy.monitor.stats().sessions == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_before_the_login_is_answered_is_not_lost() {
    let proxy = Running::usual().await;
    let mut raw = Raw::start(&proxy, &[("user", "x")]).await;
    raw.query("select 2").await;
    raw.messages_until(b'Z').await;
    assert_eq!(raw.messages_until(b'Z').await[1].1, b"\0\x01\0\0\0\x012");
}
