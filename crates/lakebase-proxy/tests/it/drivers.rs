//! sqlx, which knows nothing of the proxy: a pool, prepared statements, copies, notifications.

use std::time::Duration;

use lakebase::sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions, PgSslMode};
use lakebase::sqlx::{Executor as _, query, query_scalar};

use crate::support::{Running, shared, until, within};

#[tokio::test(flavor = "multi_thread")]
async fn sqlx_works_as_on_any_server() {
    let proxy = Running::usual().await;
    let database = &shared().description().database;
    let options = PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(proxy.tcp().port())
        .username("somebody")
        .database(database)
        .ssl_mode(PgSslMode::Prefer);
    let pool = PgPoolOptions::new()
        .max_connections(4)
        .acquire_timeout(Duration::from_secs(60))
        .connect_with(options)
        .await
        .unwrap();
    let sums = (1..=32).map(|number: i64| {
        let sum = query_scalar::<_, i64>("select sum(i)::bigint from generate_series(1, $1) i");
        sum.bind(number).fetch_one(&pool)
    });
    let sums = within(futures::future::try_join_all(sums)).await.unwrap();
    assert_eq!(sums, (1..=32).map(|number| number * (number + 1) / 2).collect::<Vec<i64>>());

    let mut connection = pool.acquire().await.unwrap();
    connection.execute("create temporary table t (x int)").await.unwrap();
    let mut copy = connection.copy_in_raw("copy t from stdin").await.unwrap();
    copy.send("1\n2\n3\n".as_bytes()).await.unwrap();
    assert_eq!(copy.finish().await.unwrap(), 3);
    let sum: i64 = query_scalar("select sum(x) from t").fetch_one(&mut *connection).await.unwrap();
    assert_eq!(sum, 6);
    let error = query("select 1 / 0").execute(&mut *connection).await.unwrap_err();
    assert_eq!(error.as_database_error().unwrap().code().as_deref(), Some("22012"));
    drop(connection);

    let mut listener = PgListener::connect_with(&pool).await.unwrap();
    listener.listen("drivers").await.unwrap();
    query("select pg_notify('drivers', 'hello')").execute(&pool).await.unwrap();
    assert_eq!(within(listener.recv()).await.unwrap().payload(), "hello");
    drop(listener);
    pool.close().await;
    until("all sessions have ended", || proxy.monitor.stats().sessions == 0).await;
}
