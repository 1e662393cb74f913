//! A pool when something is wrong: refused tokens, dead servers, no free connection, slow closing.

use std::error::Error as StdError;
use std::time::Duration;

use futures::future::join;
use lakebase::sqlx::{self, ConnectOptions as _, Connection as _};
use lakebase::{ErrorKind, Lakebase, LakebasePool, PoolOptions, lakebase_error};
use lakebase_emulator::{Effect, Fault, Operation};
use lakebase_sqlx::SqlxFactory;
use lakebase_testkit::assert_error;

use crate::support::{Setup, endpoint, own_endpoint, select_one, shared, until};

on_each_runtime! {
    a_refused_token_is_replaced_once a_role_that_stays_refused_is_an_error
    a_dead_server_is_the_cause all_in_use_is_the_cause a_missing_database_is_no_riddle
    close_waits_for_those_in_use close_gives_up_at_its_deadline close_ends_logins_under_way
    plain_clones_keep_working
    what_exceeds_keep_idle_is_closed plain_clones_outlive_the_pool_and_have_all_it_has
    sessions_over_loopback limits_of_zero
}

async fn open(name: &str, options: PoolOptions) -> (Lakebase, LakebasePool) {
    let lakebase = Setup::m2m(shared()).endpoint(name).build();
    // The time limits of pools are about what comes later: the first login takes as long as a busy machine needs.
    lakebase.connect().await.unwrap().close().await.unwrap();
    // No connection is used twice, so that each checkout needs a login.
    let pool = lakebase.pool(options.max_lifetime(Duration::ZERO)).await.unwrap();
    (lakebase, pool)
}

async fn what_exceeds_keep_idle_is_closed() {
    let (name, lakebase) = own_endpoint();
    let options = PoolOptions::new().max_connections(6).keep_idle(2);
    let pool = lakebase.pool(options).await.unwrap();
    // Opens six at once, and releases them at once.
    pool.warm_up(6).await.unwrap();
    assert!(shared().counters(&name).unwrap().peak >= 6);
    until(&lakebase, "the surplus is closed", || pool.size() == 2 && pool.num_idle() == 2).await;
    pool.acquire().await.unwrap().ping().await.unwrap();
    until(&lakebase, "it is idle again", || pool.num_idle() == 2).await;
    assert!(pool.close().await);
}

async fn a_refused_token_is_replaced_once() {
    let (name, host) = endpoint(shared());
    let (lakebase, pool) = open(&name, PoolOptions::new().max_connections(3)).await;
    let before = lakebase.credential().await.unwrap().generation();
    let held = pool.acquire().await.unwrap();
    let rejected = Effect::refuse("28P01", "password authentication failed for user \"x\"");
    shared().inject(Fault::new(Operation::Login, rejected).only(&host).times(1));
    // The pool has to log in for these two.
    let (a, b) = join(pool.acquire(), pool.acquire()).await;
    a.unwrap().ping().await.unwrap();
    b.unwrap().ping().await.unwrap();
    let after = lakebase.credential().await.unwrap().generation();
    assert!(after > before);
    assert_eq!(shared().counters(&name).unwrap().refused, 1);
    drop(held);
    assert!(pool.close().await);
}

async fn a_role_that_stays_refused_is_an_error() {
    let (name, host) = endpoint(shared());
    let (_, pool) = open(&name, PoolOptions::new()).await;
    shared().inject(Fault::new(Operation::Login, Effect::refuse("28P01", "no")).only(&host));
    let error = pool.acquire().await.map(drop).unwrap_err();
    let error = lakebase_error(&error).unwrap();
    assert_eq!(error.kind(), ErrorKind::LoginRefused, "{error:?}");
    let message = error.to_string();
    assert!(message.contains("refused, also with a fresh token; likely causes:"), "{message}");
    assert_eq!(shared().counters(&name).unwrap().refused, 2, "one with each token");
    assert!(pool.close().await);
}

async fn a_dead_server_is_the_cause() {
    let limit = Duration::from_secs(5);
    // From the beginning: nothing listens there.
    let setup = Setup::m2m(shared()).set("PGHOSTADDR", "127.0.0.1").set("PGPORT", 1);
    let options = PoolOptions::new().acquire_timeout(limit);
    let error = setup.build().pool(options.clone()).await.map(drop).unwrap_err();
    assert_error(&error, ErrorKind::TimedOut, &["within 5s", "onnection refused"]);

    // Later: connections are accepted and nothing comes.
    let (name, host) = endpoint(shared());
    let (_, pool) = open(&name, options).await;
    let duration = Duration::from_secs(60);
    shared().inject(Fault::new(Operation::Login, Effect::Latency { duration }).only(&host));
    let error = sqlx::query("select 1").execute(&pool).await.unwrap_err();
    assert!(!matches!(error, sqlx::Error::PoolTimedOut));
    let error = lakebase_error(&error).unwrap();
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error:?}");
    assert!(error.source().is_some());
    assert!(error.report().contains("answer"), "{}", error.report());
    assert!(pool.close().await);
}

async fn all_in_use_is_the_cause() {
    let options = PoolOptions::new().max_connections(2).acquire_timeout(Duration::from_secs(5));
    let (name, _) = endpoint(shared());
    let (_, pool) = open(&name, options).await;
    let held = [pool.acquire().await.unwrap(), pool.acquire().await.unwrap()];
    let error = pool.acquire().await.map(drop).unwrap_err();
    let error = lakebase_error(&error).unwrap();
    let part = "all 2 connections of the pool are in use or being opened";
    assert_error(&error, ErrorKind::TimedOut, &[part]);
    drop(held);
    // It recovers as soon as one is free.
    pool.acquire().await.unwrap().ping().await.unwrap();
    assert!(pool.close().await);
}

/// sqlx's task that looks for such connections would never rest.
async fn limits_of_zero() {
    let (name, _) = endpoint(shared());
    let (_, pool) = open(&name, PoolOptions::new().idle_timeout(Duration::ZERO)).await;
    let shortest = Some(Duration::from_millis(100));
    let given = pool.options();
    assert_eq!((given.get_idle_timeout(), given.get_max_lifetime()), (shortest, shortest));
    let process = "select pg_backend_pid()";
    let first: i32 = sqlx::query_scalar(process).fetch_one(&pool).await.unwrap();
    let second: i32 = sqlx::query_scalar(process).fetch_one(&pool).await.unwrap();
    assert_ne!(first, second, "none is used twice");
    assert!(pool.close().await);
}

async fn a_missing_database_is_no_riddle() {
    let setup = Setup::m2m(shared()).set("PGDATABASE", "nowhere");
    let error = setup.build().pool(PoolOptions::new()).await.map(drop).unwrap_err();
    assert_error(&error, ErrorKind::NotFound, &["database \"nowhere\" does not exist"]);
}

async fn close_waits_for_those_in_use() {
    let (name, _) = endpoint(shared());
    let (_, pool) = open(&name, PoolOptions::new().max_connections(2)).await;
    let mut held = pool.acquire().await.unwrap();
    let closing = pool.close();
    let work = async {
        let slow: i32 =
            sqlx::query_scalar("select 1 from pg_sleep(0.05)").fetch_one(&mut *held).await.unwrap();
        assert_eq!(slow, 1, "a connection in use is not taken away");
        assert!(pool.is_closed());
        drop(held);
    };
    let (closed, ()) = join(closing, work).await;
    assert!(closed);
    assert_eq!(pool.size(), 0);
}

async fn close_gives_up_at_its_deadline() {
    let (name, _) = endpoint(shared());
    let options = PoolOptions::new().close_timeout(Duration::from_millis(50));
    let (lakebase, pool) = open(&name, options).await;
    let mut held = pool.acquire().await.unwrap();
    assert!(!pool.close().await);
    held.ping().await.unwrap();
    drop(held);
    until(&lakebase, "the one in use ends when it is released", || pool.size() == 0).await;
    assert!(pool.close().await);
}

/// sqlx waits for a login that it has begun, also once the pool is closed.
async fn close_ends_logins_under_way() {
    let (name, host) = endpoint(shared());
    let (lakebase, pool) = open(&name, PoolOptions::new()).await;
    until(&lakebase, "no connection is left", || pool.size() == 0).await;
    let duration = Duration::from_secs(60);
    shared().inject(Fault::new(Operation::Login, Effect::Latency { duration }).only(&host));
    let (opened, closed) = join(pool.acquire(), async {
        until(&lakebase, "a connection is opened", || pool.size() == 1).await;
        pool.close().await
    })
    .await;
    assert!(matches!(opened, Err(sqlx::Error::PoolClosed)), "{opened:?}");
    assert!(closed);
    // A driver that connects later gets the error, too.
    let error = pool.connect_options().connect().await.unwrap_err();
    assert_eq!(lakebase_error(&error).unwrap().kind(), ErrorKind::Closed, "{error:?}");
}

async fn plain_clones_keep_working() {
    let (name, _) = endpoint(shared());
    let (_, pool) = open(&name, PoolOptions::new().max_connections(2)).await;
    let plain = (*pool).clone();
    let one = select_one(&plain).await;
    let mut transaction = plain.begin().await.unwrap();
    let two: i32 = sqlx::query_scalar("select 2").fetch_one(&mut *transaction).await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!((one, two), (1, 2));
    assert!(pool.close().await);
    assert!(plain.acquire().await.is_err());
}

async fn plain_clones_outlive_the_pool_and_have_all_it_has() {
    let (name, host) = endpoint(shared());
    let (lakebase, pool) = open(&name, PoolOptions::new().max_connections(3)).await;
    let plain = (*pool).clone();
    drop(pool);
    let token = lakebase.credential().await.unwrap().token.clone();
    let printed = format!("{:?}", plain.connect_options());
    assert!(!printed.contains(token.expose()), "sqlx has the token");

    let rejected = Effect::refuse("28P01", "password authentication failed for user \"x\"");
    let waking = Effect::refuse("57P03", "the database system is starting up");
    for problem in [rejected, waking] {
        shared().inject(Fault::new(Operation::Login, problem).only(&host).times(1));
        plain.acquire().await.unwrap().ping().await.unwrap();
    }
    assert_eq!(shared().counters(&name).unwrap().refused, 2);

    shared().inject(
        Fault::new(Operation::Login, Effect::refuse("3D000", "no such database")).only(&host),
    );
    let error = plain.acquire().await.map(drop).unwrap_err();
    assert_eq!(error.as_database_error().unwrap().code().as_deref(), Some("3D000"), "{error}");
    let ours = lakebase_error(&error).expect("the error itself");
    assert_error(&ours, ErrorKind::NotFound, &["no such database"]);
    plain.close().await;
    until(&lakebase, "its sessions end", || shared().counters(&name).unwrap().open == 0).await;
}

/// As on platforms without Unix sockets.
async fn sessions_over_loopback() {
    let lakebase = Setup::m2m(shared()).build();
    let connector = lakebase.connector();
    let factory = SqlxFactory::new(connector.runtime()).over_tcp();
    let mut direct = connector.connect(&factory).await.unwrap();
    let one = select_one(&mut direct).await;
    direct.close().await.unwrap();
    let pool = LakebasePool::open(connector.clone(), factory, PoolOptions::new()).await.unwrap();
    let two: i32 = sqlx::query_scalar("select 2").fetch_one(&pool).await.unwrap();
    assert_eq!((one, two), (1, 2));

    // Others find the port, and do not know the password.
    let options = (*pool.connect_options()).clone();
    let stranger = options.password("guessed").connect().await;
    assert!(stranger.is_err());
    assert!(pool.close().await);
}
