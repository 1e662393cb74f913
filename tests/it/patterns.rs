//! The ways in which programs use the connector: directly, by a pool, by URL, through direct DNS, with a
//! native password.

use std::time::Duration;

use futures::TryStreamExt as _;
use lakebase::sqlx::{self, Connection as _, Executor as _, PgPool, Row as _};
use lakebase::{Access, ErrorKind, Lakebase, LakebasePool, PoolOptions};
use lakebase_testkit::assert_error;

use crate::support::{Setup, current_user, endpoint_name, select_one, shared};

on_each_runtime! {
    direct pool pool_is_used_like_a_pg_pool local_url remote_url hostaddr native_password pooled_host
    by_project_and_branch read_only_on_request prefers_read_only_only_if_there_is_one
    disabled_endpoint tokens_are_refused_by_the_pooler settings_reach_the_server
    own_runtime
}

/// Logs in, and must be this user there.
async fn is_user(lakebase: &Lakebase, user: &str) {
    assert_eq!(current_user(lakebase).await.unwrap(), user);
}

async fn direct() {
    let emulator = shared();
    is_user(&Setup::m2m(emulator).build(), &emulator.description().client_id).await;
    is_user(&Setup::pat(emulator).build(), &emulator.description().user).await;
}

async fn pool() {
    let lakebase = Setup::m2m(shared()).build();
    let pool = lakebase.pool(PoolOptions::new().max_connections(5)).await.unwrap();
    assert_eq!(select_one(&pool).await, 1);
    assert!(pool.close().await);
    assert!(pool.is_closed());
}

async fn pool_is_used_like_a_pg_pool() {
    let lakebase = Setup::m2m(shared()).build();
    let options = PoolOptions::new().max_connections(3);
    let pool: LakebasePool = lakebase.pool(options).await.unwrap();

    // By every method of an executor.
    let rows = sqlx::query("select n from generate_series(1, 3) n").fetch_all(&pool).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.get::<i32, _>("n")).collect::<Vec<_>>(), [1, 2, 3]);
    let none = sqlx::query("select 1 where false").fetch_optional(&pool).await.unwrap();
    assert!(none.is_none());
    let mut stream = sqlx::query("select n from generate_series(1, 4) n").fetch(&pool);
    let mut sum = 0;
    while let Some(row) = stream.try_next().await.unwrap() {
        sum += row.get::<i32, _>(0);
    }
    drop(stream);
    assert_eq!(sum, 10);
    let prepared = (&pool).prepare(sqlx::SqlStr::from_static("select $1::int")).await.unwrap();
    drop(prepared);

    // Transactions, through the pool's own method and through `Acquire`.
    let mut transaction = pool.begin().await.unwrap();
    sqlx::query("create temporary table kept (n int)").execute(&mut *transaction).await.unwrap();
    let done = sqlx::query("insert into kept values (1), (2)").execute(&mut *transaction).await;
    assert_eq!(done.unwrap().rows_affected(), 2);
    transaction.rollback().await.unwrap();
    async fn generic<'a>(source: impl sqlx::Acquire<'a, Database = sqlx::Postgres>) -> i32 {
        let mut transaction = source.begin().await.unwrap();
        let found = sqlx::query_scalar("select 7").fetch_one(&mut *transaction).await.unwrap();
        transaction.commit().await.unwrap();
        found
    }
    assert_eq!(generic(&pool).await, 7);
    let mut conn = sqlx::Acquire::acquire(&pool).await.unwrap();
    let who = sqlx::query_scalar::<_, String>("select current_user::text");
    assert_eq!(who.fetch_one(&mut *conn).await.unwrap(), shared().description().client_id);
    drop(conn);

    // Clones are the same pool, and so is the `PgPool` inside.
    let plain: PgPool = (*pool.clone()).clone();
    let two: i32 = sqlx::query_scalar("select 2").fetch_one(&plain).await.unwrap();
    assert_eq!(two, 2);
    assert!(pool.size() <= 3);
    assert!(pool.clone().close().await);
    let error = sqlx::query("select 1").execute(&pool).await.unwrap_err();
    assert!(matches!(error, sqlx::Error::PoolClosed), "{error}");
    assert!(plain.is_closed());
}

async fn local_url() {
    // The emulator's Postgres itself is a local server without TLS.
    let folder = shared().description().ca_cert.clone();
    let folder = std::path::Path::new(&folder).parent().unwrap();
    for scheme in ["postgresql", "postgres", "postgresql+psycopg"] {
        let url = format!("{scheme}://postgres@localhost/postgres?host={}", folder.display());
        let setup = Setup::empty().set("LAKEBASE_PG_URL", url);
        let lakebase = setup.build();
        assert!(lakebase.workspace().is_none());
        assert!(lakebase.endpoint().await.unwrap().is_none());
        is_user(&lakebase, "postgres").await;
        let error = lakebase.credential().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
}

async fn remote_url() {
    let it = shared().description();
    let url = format!(
        "postgresql+psycopg://{}:{}@{}:{}/{}?hostaddr=127.0.0.1&sslrootcert=/emulated/ca.pem",
        it.password_user, it.password, it.pg_host, it.pg_port, it.database
    );
    let setup = Setup::empty().file("/emulated/ca.pem", shared().ca_pem());
    let setup = setup.set("LAKEBASE_PG_URL", url);
    let pool = setup.build().pool(PoolOptions::new().max_connections(2)).await.unwrap();
    let user: String =
        sqlx::query_scalar("select current_user::text").fetch_one(&pool).await.unwrap();
    assert_eq!(user, it.password_user);
    assert!(pool.close().await);
}

async fn hostaddr() {
    // No DNS server is asked that could know the name.
    let setup = Setup::m2m(shared()).unset("LAKEBASE_DNS").set("PGHOSTADDR", "127.0.0.1");
    is_user(&setup.build(), &shared().description().client_id).await;
}

async fn native_password() {
    is_user(&Setup::password(shared()).build(), &shared().description().password_user).await;

    let wrong = Setup::password(shared()).set("PGPASSWORD", "wrong").refused().await;
    assert_error(&wrong, ErrorKind::LoginRefused, &["password authentication failed"]);
}

async fn pooled_host() {
    let lakebase = Setup::password(shared()).builder().pooled(true).build().unwrap();
    let login = lakebase.connector().login().await.unwrap();
    assert!(login.params.host.contains("-pooler."), "{}", login.params.host);
    is_user(&lakebase, &shared().description().password_user).await;
}

async fn tokens_are_refused_by_the_pooler() {
    let error = Setup::m2m(shared()).builder().pooled(true).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("pooled hosts take native passwords only"), "{error}");

    let host = shared().endpoint_host(&shared().description().endpoint, true).unwrap();
    let error = Setup::m2m(shared()).set("PGHOST", host).refused().await;
    let part = "is a pooled host, which takes native passwords only";
    assert_error(&error, ErrorKind::Config, &[part]);
}

async fn by_project_and_branch() {
    let it = shared().description();
    let lakebase = Setup::m2m(shared()).branch(&it.project, &it.branch).build();
    let mut conn = lakebase.connect().await.unwrap();
    let show = sqlx::query_scalar::<_, String>("show default_transaction_read_only");
    assert_eq!(show.fetch_one(&mut conn).await.unwrap(), "off");
    conn.close().await.unwrap();
    // The read-only one is listed first.
    assert_eq!(endpoint_name(&lakebase).await, it.endpoint);
}

async fn read_only_on_request() {
    let it = shared().description();
    let setup = Setup::m2m(shared()).branch(&it.project, &it.branch);
    for access in [Access::ReadOnly, Access::PreferReadOnly] {
        let lakebase = setup.builder().access(access).build().unwrap();
        assert_eq!(endpoint_name(&lakebase).await, it.read_only_endpoint);
        let mut conn = lakebase.connect().await.unwrap();
        let error = sqlx::query("create table never (n int)").execute(&mut conn).await.unwrap_err();
        assert!(error.to_string().contains("read-only transaction"), "{error}");
        conn.close().await.unwrap();
    }
}

async fn prefers_read_only_only_if_there_is_one() {
    let project = &shared().description().project;
    let setup = Setup::m2m(shared()).branch(project, "dev");
    let lakebase = setup.builder().access(Access::PreferReadOnly).build().unwrap();
    let endpoint = lakebase.endpoint().await.unwrap().unwrap();
    assert_eq!(endpoint.name.id(), "sleepy");

    let error = setup.builder().access(Access::ReadOnly).build().unwrap();
    let error = error.connect().await.map(drop).unwrap_err();
    let part = "projects/demo/branches/dev has no read-only endpoint; there: ";
    assert_error(&error, ErrorKind::NotFound, &[part]);
}

async fn disabled_endpoint() {
    let project = &shared().description().project;
    let by_branch = Setup::m2m(shared()).branch(project, "frozen");
    let name = format!("projects/{project}/branches/frozen/endpoints/disabled");
    let by_name = Setup::m2m(shared()).set("LAKEBASE_ENDPOINT", name);
    for setup in [by_branch, by_name] {
        let error = setup.refused().await;
        assert_error(&error, ErrorKind::Disabled, &["disabled"]);
    }
}

async fn settings_reach_the_server() {
    let setup = Setup::m2m(shared())
        .set("PGAPPNAME", "nightly report")
        .set("PGOPTIONS", "-c statement_timeout=7s --lakebase.note=a\\ b");
    let lakebase = setup.build_within(Duration::from_secs(20));
    let mut conn = lakebase.connect().await.unwrap();
    let row = conn
        .fetch_one(
            "select current_setting('application_name'), current_setting('statement_timeout'),
             current_setting('lakebase.note')",
        )
        .await
        .unwrap();
    let found: Vec<String> = (0..3).map(|column| row.get(column)).collect();
    assert_eq!(found, ["nightly report", "7s", "a b"]);
    conn.close().await.unwrap();
}

/// With several runtimes in one binary, the program may name the one it wants.
async fn own_runtime() {
    let it = shared().description();
    let servers = lakebase_runtime::parse_servers(&it.dns).unwrap();
    let options = lakebase_runtime::Options::new().dns_servers(servers);
    let mut runtimes = Vec::new();
    #[cfg(feature = "tokio")]
    if tokio::runtime::Handle::try_current().is_ok() {
        runtimes.push(lakebase_runtime::tokio_with(&options));
    }
    #[cfg(feature = "async-std")]
    runtimes.push(lakebase_runtime::async_std_with(&options));
    #[cfg(feature = "smol")]
    runtimes.push(lakebase_runtime::smol_with(&options));
    for runtime in runtimes {
        let lakebase = Setup::m2m(shared()).builder().build_with(runtime.unwrap()).unwrap();
        is_user(&lakebase, &it.client_id).await;
    }
}
