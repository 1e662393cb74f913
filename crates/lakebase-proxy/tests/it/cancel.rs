//! Cancel requests reach the session that they name, and nobody else.

use tokio::time::Duration;

use crate::support::{Raw, Running, field, key, until, within};

#[tokio::test(flavor = "multi_thread")]
async fn a_running_statement_is_cancelled() {
    let proxy = Running::usual().await;
    let (mut victim, greeting) = Raw::session(&proxy, 0).await;
    let (mut bystander, _) = Raw::session(&proxy, 0).await;
    victim.query("select pg_sleep(600)").await;
    bystander.query("select pg_sleep(0.5)").await;
    let answer = tokio::spawn(async move { victim.messages_until(b'Z').await });
    // The statement may not run yet when the first request arrives.
    let cancelling = async {
        while !answer.is_finished() {
            proxy.cancel(&key(&greeting)).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within(cancelling).await;
    let answer = answer.await.unwrap();
    let (_, error) = answer.iter().find(|(kind, _)| *kind == b'E').unwrap();
    assert_eq!(field(error, b'C'), "57014");
    let answer = bystander.messages_until(b'Z').await;
    assert!(answer.iter().all(|(kind, _)| *kind != b'E'), "{answer:?}");
    assert!(proxy.monitor.stats().cancel_requests >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_not_known_go_nowhere() {
    let proxy = Running::usual().await;
    let (victim, greeting) = Raw::session(&proxy, 0).await;
    let mut wrong = key(&greeting);
    *wrong.last_mut().unwrap() ^= 1;
    for key in [&wrong[..], &[0; 8], &[1; 260]] {
        proxy.cancel(key).await;
    }
    assert_eq!(proxy.monitor.stats().cancel_requests, 0);
    drop(victim);
    until("the session has ended", || proxy.monitor.stats().sessions == 0).await;
    proxy.cancel(&key(&greeting)).await;
    assert_eq!(proxy.monitor.stats().cancel_requests, 0, "a session that ended is forgotten");
}
