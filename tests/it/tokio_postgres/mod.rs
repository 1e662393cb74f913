//! tokio-postgres on every runtime: direct connections, driven by whatever executor there is, and pools.

mod cancel;
mod direct;
mod failures;
mod leaks;
pub(crate) mod pool;
mod pools;

use futures::future::join;
use lakebase::tokio_postgres::Client;
use lakebase::tokio_postgres::error::SqlState;
use lakebase::{Lakebase, TokioPostgresConnection};

/// Drives `connection` on the runtime of `lakebase` until its client is gone.
fn drive(lakebase: &Lakebase, connection: TokioPostgresConnection) {
    let spawn = lakebase.connector().runtime().spawn.clone().unwrap();
    spawn.spawn(Box::pin(async move { drop(connection.await) }));
}

/// A client that is driven.
async fn client(lakebase: &Lakebase) -> Client {
    let (client, connection) = lakebase.tokio_postgres().await.unwrap();
    drive(lakebase, connection);
    client
}

/// Cancels a statement of `busy` by `lakebase`; `other` sees when it runs.
async fn cancels(lakebase: &Lakebase, busy: &Client, other: &Client) {
    let pid: i32 = busy.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
    let (slow, ()) = join(busy.batch_execute("select pg_sleep(60)"), async {
        let active = "select 1 from pg_stat_activity where pid = $1 and query like 'select pg_sleep%' and state = 'active'";
        while other.query(active, &[&pid]).await.unwrap().is_empty() {}
        lakebase.cancel_query(&busy.cancel_token()).await.unwrap();
    })
    .await;
    assert_eq!(slow.unwrap_err().code(), Some(&SqlState::QUERY_CANCELED));
    // The session is as good as before.
    let one: i32 = busy.query_one("select 1", &[]).await.unwrap().get(0);
    assert_eq!(one, 1);
}
