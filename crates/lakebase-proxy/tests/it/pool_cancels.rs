//! A cancel request reaches the statement of the client that sent it and no other, also when the session changes hands.

use lakebase_proxy::PoolOptions;

use crate::support::{Raw, Running, TERMINATE, field, key, listener, until, within};

/// Clients that end while a request of theirs is under way.
const ROUNDS: usize = 150;

async fn pooled() -> Running {
    Running::of(listener().pool(PoolOptions { size: 1, ..PoolOptions::default() })).await
}

async fn session(proxy: &Running) -> (Raw, Vec<u8>) {
    let (raw, greeting) = within(Raw::session(proxy, 0)).await;
    (raw, key(&greeting))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_a_used_session_cancels_its_own_statement() {
    let proxy = pooled().await;
    let (mut first, old) = session(&proxy).await;
    first.send(TERMINATE).await;
    let (mut second, key) = session(&proxy).await;
    assert_eq!(old[..4], key[..4], "the same session");
    second.query("select pg_sleep(600)").await;
    // The key of a client that left is nobody's.
    proxy.cancel(&old).await;
    let answer = tokio::spawn(async move { second.messages_until(b'Z').await });
    // The proxy has dealt with the request by now, and passed none on.
    assert_eq!(proxy.monitor.stats().cancel_requests, 0);
    assert!(!answer.is_finished());
    // The statement may not run yet when the first request arrives.
    within(async {
        while !answer.is_finished() {
            proxy.cancel(&key).await;
        }
    })
    .await;
    let answer = answer.await.unwrap();
    let (_, error) = answer.iter().find(|(kind, _)| *kind == b'E').unwrap();
    assert_eq!(field(error, b'C'), "57014");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_late_reach_nobody_else() {
    let proxy = pooled().await;
    for round in 0..ROUNDS {
        let (mut first, key) = session(&proxy).await;
        // Before, while and after the session changes hands.
        let leaving = async {
            for _ in 0..round % 10 {
                tokio::task::yield_now().await;
            }
            first.send(TERMINATE).await;
        };
        let late = async {
            for _ in 0..round % 7 {
                tokio::task::yield_now().await;
            }
            proxy.cancel(&key).await;
        };
        let next = async {
            let (mut second, _) = session(&proxy).await;
            second.query("select pg_sleep(0.005)").await;
            let answer = second.messages_until(b'Z').await;
            second.send(TERMINATE).await;
            answer
        };
        // At any moment, and surely before and surely after it.
        let answer = match round % 10 {
            0 => {
                late.await;
                tokio::join!(leaving, next).1
            }
            1 => {
                let ((), answer) = tokio::join!(leaving, next);
                late.await;
                answer
            }
            _ => tokio::join!(leaving, late, next).2,
        };
        assert!(answer.iter().all(|(kind, _)| *kind != b'E'), "round {round}: {answer:?}");
    }
    until("nobody has a session", || proxy.pool().active == 0).await;
    let stats = proxy.pool();
    // Both happened: requests in time, after which the session is closed, and requests that came too late.
    let in_time = proxy.monitor.stats().cancel_requests;
    assert!(in_time > 0 && stats.unsettled == in_time, "{in_time}, {stats:?}");
    assert!(in_time < ROUNDS as u64, "{in_time}");
    assert_eq!(stats.opened + stats.reused, 2 * ROUNDS as u64);
}
