//! Cancel requests reach the server of their session, encrypted as it is.

use futures::channel::oneshot;
use lakebase::{ErrorKind, Lakebase};

use super::{cancels, client};
use crate::support::{Setup, own_endpoint, shared};

on_each_runtime! { a_statement_is_cancelled whose_session_it_is }

async fn a_statement_is_cancelled() {
    let lakebase = Setup::m2m(shared()).build();
    let (busy, other) = (client(&lakebase).await, client(&lakebase).await);
    for _ in 0..3 {
        cancels(&lakebase, &busy, &other).await;
    }
    // Nothing to cancel is no error.
    lakebase.cancel_query(&busy.cancel_token()).await.unwrap();
}

async fn whose_session_it_is() {
    let (name, lakebase) = own_endpoint();
    let (client, connection) = lakebase.tokio_postgres().await.unwrap();
    let (over, ended) = oneshot::channel();
    let spawn = lakebase.connector().runtime().spawn.clone().unwrap();
    spawn.spawn(Box::pin(async move {
        drop(connection.await);
        over.send(()).unwrap();
    }));
    let token = client.cancel_token();
    let kind = async |handle: &Lakebase| handle.cancel_query(&token).await.map_err(|e| e.kind());
    assert_eq!(kind(&lakebase.clone()).await, Ok(()));
    let stranger = Setup::m2m(shared()).endpoint(&name).build();
    assert_eq!(kind(&stranger).await, Err(ErrorKind::NotFound));
    drop(client);
    ended.await.unwrap();
    assert_eq!(kind(&lakebase).await, Err(ErrorKind::NotFound));
}
