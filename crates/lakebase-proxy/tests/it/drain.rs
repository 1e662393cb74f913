//! How a proxy ends.

use std::time::Duration;

use lakebase_proxy::Limits;
use tokio::net::TcpStream;

use crate::support::{Raw, Running, TERMINATE, listener, within};

async fn with_patience(drain_timeout: Duration) -> Running {
    Running::start([listener()], Limits { drain_timeout, ..Limits::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_may_end_and_nobody_else_gets_in() {
    let proxy = with_patience(Duration::from_secs(600)).await;
    let address = proxy.tcp();
    let (mut raw, _) = Raw::session(&proxy, 0).await;
    let monitor = proxy.monitor.clone();
    let ending = proxy.stop();
    within(async { while TcpStream::connect(address).await.is_ok() {} }).await;
    raw.query("select 1").await;
    assert!(raw.messages_until(b'Z').await.iter().any(|(kind, _)| *kind == b'D'));
    assert!(!ending.is_finished());
    assert_eq!(monitor.stats().sessions, 1);
    raw.send(TERMINATE).await;
    assert!(raw.rest().await.is_empty());
    assert_eq!(within(ending).await.unwrap().cut, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_stay_are_told_where_they_can_be() {
    let proxy = with_patience(Duration::ZERO).await;
    let (mut idle, _) = Raw::session(&proxy, 0).await;
    let (mut copying, _) = Raw::session(&proxy, 0).await;
    // A client that reads nothing is in the middle of a message.
    copying
        .query("copy (select repeat('x', 1000) from generate_series(1, 100000)) to stdout")
        .await;
    assert_eq!(copying.byte().await, b'H');
    let ending = proxy.stop();
    assert_eq!(within(ending).await.unwrap().cut, 2);
    assert_eq!(idle.sqlstate().await, "57P01");
    assert!(idle.rest().await.is_empty());
    let rest = copying.rest().await;
    assert!(!rest.windows(5).any(|bytes| bytes == b"57P01"), "no message inside another");
}
