//! Sessions that one client after another has.

use std::time::Duration;

use lakebase::Lakebase;
use lakebase::core::Environment;
use lakebase_proxy::{Listener, PoolOptions};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

use crate::support::{
    Raw, Running, TERMINATE, field, listener, listener_to, loopback, message, own_endpoint, query,
    shared, success, until, within,
};

/// A proxy with a pool in front of the shared emulator.
async fn pooled(options: PoolOptions) -> Running {
    Running::of(listener().pool(options)).await
}

async fn pooled_by(size: usize) -> Running {
    pooled(PoolOptions { size, ..PoolOptions::default() }).await
}

/// Until nobody has a session any more.
async fn at_rest(proxy: &Running) {
    until("all sessions are idle", || proxy.pool().active == 0).await;
}

/// The process that serves a session, as its greeting and it itself says.
async fn process(raw: &mut Raw) -> String {
    rows(raw, "select pg_backend_pid()").await.remove(0)
}

/// The first column of all rows.
async fn rows(raw: &mut Raw, sql: &str) -> Vec<String> {
    raw.query(sql).await;
    let answer = raw.messages_until(b'Z').await;
    let failed = answer.iter().find(|(kind, _)| *kind == b'E');
    assert!(failed.is_none(), "{sql}: {}", field(&failed.unwrap().1, b'M'));
    let rows = answer.iter().filter(|(kind, _)| *kind == b'D');
    rows.map(|(_, body)| String::from_utf8(body[6..].to_vec()).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_client_gets_the_session_as_good_as_new() {
    let proxy = pooled_by(1).await;
    let sql = "set work_mem = '321kB'; set role pg_monitor; create temporary table mine (x int); \
               prepare mine as select 1; listen mine; select pg_advisory_lock(15); \
               declare mine cursor with hold for select 1; begin; select 1/0";
    let mut psql = proxy.psql(&["-c", sql]);
    psql.env("PGAPPNAME", "first");
    let _ = within(psql.output()).await.unwrap();
    at_rest(&proxy).await;
    let sql = "select current_setting('work_mem') <> '321kB', \
               current_user = session_user, to_regclass('pg_temp.mine') is null, \
               (select count(*) from pg_prepared_statements), (select count(*) from pg_listening_channels()), \
               (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()), \
               (select count(*) from pg_cursors), current_setting('application_name')";
    for name in ["first", "it's \\ another"] {
        let mut psql = proxy.psql(&["-c", sql]);
        psql.env("PGAPPNAME", name);
        assert_eq!(success(psql).await, format!("t|t|t|0|0|0|0|{name}"));
    }
    at_rest(&proxy).await;
    let stats = proxy.pool();
    assert_eq!((stats.opened, stats.reused, stats.resets_failed), (1, 2, 0), "{stats:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_greeted_as_the_server_would() {
    let proxy = pooled_by(1).await;
    let own = Running::usual().await;
    let without_secret = |greeting: Vec<(u8, Vec<u8>)>| {
        let mut secret = Vec::new();
        let mut said = greeting;
        for (kind, body) in &mut said {
            if *kind == b'K' {
                secret = body.split_off(4);
                body.clear();
            }
        }
        said.sort();
        (said, secret)
    };
    for minor in [0, 2] {
        let (mut direct, expected) = Raw::session(&own, minor).await;
        direct.send(TERMINATE).await;
        let (mut first, greeting) = Raw::session(&proxy, minor).await;
        let process = process(&mut first).await;
        // A parameter that changes in the session is what it was for the next one.
        rows(&mut first, "set timezone = 'Asia/Tokyo'; set application_name = 'x'").await;
        first.send(TERMINATE).await;
        at_rest(&proxy).await;
        let (mut second, again) = Raw::session(&proxy, minor).await;
        assert_eq!(self::process(&mut second).await, process);
        second.send(TERMINATE).await;
        let [(expected, server), (greeting, one), (again, other)] =
            [expected, greeting, again].map(without_secret);
        assert_eq!(greeting, expected);
        assert_eq!(again, expected);
        assert_eq!((one.len(), other.len()), (server.len(), server.len()));
        assert_ne!(one, other);
        at_rest(&proxy).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_wait_in_line_and_are_told_when_it_takes_too_long() {
    let wait = Duration::from_secs(20);
    let proxy = pooled(PoolOptions { size: 1, wait, ..PoolOptions::default() }).await;
    let (mut first, _) = Raw::session(&proxy, 0).await;
    let mut line = Vec::new();
    for number in 1..=4 {
        let name = number.to_string();
        let mut raw = Raw::start(&proxy, &[("user", "x"), ("application_name", &name)]).await;
        // What is said early is heard later.
        raw.query("select now()::text").await;
        line.push(raw);
        until("it waits", || proxy.pool().waiting == number).await;
    }
    // A client that leaves makes room.
    drop(line.remove(1));
    until("it is gone", || proxy.pool().waiting == 3).await;
    first.send(TERMINATE).await;
    for mut raw in line {
        raw.messages_until(b'Z').await;
        let answer = raw.messages_until(b'Z').await;
        assert!(answer.iter().any(|(kind, _)| *kind == b'D'), "{answer:?}");
        raw.send(TERMINATE).await;
    }
    at_rest(&proxy).await;
    assert_eq!((proxy.pool().opened, proxy.pool().reused), (1, 3));

    let wait = Duration::from_millis(50);
    let proxy = pooled(PoolOptions { size: 1, wait, ..PoolOptions::default() }).await;
    let (_first, _) = Raw::session(&proxy, 0).await;
    let mut raw = Raw::start(&proxy, &[("user", "x")]).await;
    let (kind, body) = raw.message().await;
    assert_eq!((kind, field(&body, b'C')), (b'E', "53300".to_owned()));
    assert!(field(&body, b'H').contains("--pool-size"), "{}", field(&body, b'H'));
    assert_eq!(proxy.pool().timed_out, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_another_kind_makes_room() {
    let proxy = pooled_by(1).await;
    let mut processes = Vec::new();
    for database in ["postgres", "x", "postgres"] {
        let mut raw = Raw::start(&proxy, &[("user", "x"), ("database", database)]).await;
        raw.messages_until(b'Z').await;
        processes.push(process(&mut raw).await);
        raw.send(TERMINATE).await;
        at_rest(&proxy).await;
    }
    let stats = proxy.pool();
    assert_eq!((stats.opened, stats.reused, stats.idle), (3, 0, 1), "{stats:?}");
    processes.dedup();
    assert_eq!(processes.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_in_which_something_is_open_are_not_used_again() {
    let proxy = pooled_by(1).await;
    let parse = message(b'P', b"\0select 1\0\0\0");
    let copy = query("create temp table t (x int); copy t from stdin");
    let much = query("select repeat('x', 1000) from generate_series(1, 100000)");
    let mut closed = 0;
    for (what, said, last) in [
        ("the middle of a message", vec![b'Q', 0, 0, 0, 100, b's'], None),
        ("COPY", copy.clone(), None),
        ("COPY that the server has begun", copy, Some(b'G')),
        ("a pipeline without Sync", parse, None),
        ("a statement that runs", query("select pg_sleep(600)"), None),
        ("large results", much, Some(b'D')),
    ] {
        for terminate in [true, false] {
            let (mut raw, _) = Raw::session(&proxy, 0).await;
            let process = process(&mut raw).await;
            raw.send(&said).await;
            if let Some(kind) = last {
                raw.messages_until(kind).await;
            }
            if terminate && what != "the middle of a message" {
                raw.send(TERMINATE).await;
            }
            drop(raw);
            closed += 1;
            let (mut next, _) = within(Raw::session(&proxy, 0)).await;
            assert_ne!(self::process(&mut next).await, process, "{what}, {terminate}");
            next.send(TERMINATE).await;
            at_rest(&proxy).await;
            let all = proxy.pool();
            assert_eq!(all.opened, closed + 1, "{what}, {terminate}: {all:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn small_results_that_nobody_wants_are_dropped() {
    let proxy = pooled_by(1).await;
    let (mut raw, _) = Raw::session(&proxy, 0).await;
    let process = process(&mut raw).await;
    raw.query("select repeat('x', 1000) from generate_series(1, 20)").await;
    raw.send(TERMINATE).await;
    drop(raw);
    let (mut next, _) = Raw::session(&proxy, 0).await;
    assert_eq!(self::process(&mut next).await, process);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_over_leaves_nothing_open() {
    let proxy = pooled_by(1).await;
    let row = message(b'd', b"1\n");
    let copy = "copy t from stdin";
    let simple = query(copy);
    let parse = message(b'P', &[&[0], copy.as_bytes(), &[0, 0, 0]].concat());
    let (bind, execute) = (message(b'B', &[0; 8]), message(b'E', &[0; 5]));
    let (sync, done) = (message(b'S', b""), message(b'c', b""));
    // libpq sends a Sync before the data, which is never answered, and one after it.
    let extended = [&parse[..], &bind, &execute, &sync].concat();
    let bad = message(b'd', b"no number\n");
    let (mut first, _) = Raw::session(&proxy, 0).await;
    let process = process(&mut first).await;
    first.send(TERMINATE).await;
    for (begins, goes_on) in [
        (&simple, [&row[..], &row, &done].concat()),
        (&extended, [&row[..], &row, &done, &sync].concat()),
        // The server fails while data is still on its way.
        (&simple, [&bad[..], &row, &row, &done].concat()),
        (&simple, message(b'f', b"enough\0")),
    ] {
        let (mut raw, _) = Raw::session(&proxy, 0).await;
        assert_eq!(self::process(&mut raw).await, process);
        rows(&mut raw, "create temporary table t (x int)").await;
        raw.send(begins).await;
        raw.messages_until(b'G').await;
        raw.send(&goes_on).await;
        raw.messages_until(b'Z').await;
        raw.send(TERMINATE).await;
        at_rest(&proxy).await;
    }
    let stats = proxy.pool();
    assert_eq!((stats.opened, stats.reused, stats.resets_failed), (1, 4, 0), "{stats:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn replication_passes_by() {
    let proxy = pooled_by(1).await;
    let (_first, _) = Raw::session(&proxy, 0).await;
    let mut raw = Raw::start(&proxy, &[("user", "x"), ("replication", "database")]).await;
    // Whether this role may is for the server to say.
    let (kind, _) = raw.message().await;
    assert!(matches!(kind, b'R' | b'E'));
    assert_eq!(proxy.pool().opened, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_sessions_end_with_their_compute() {
    let endpoint = own_endpoint("pooling-suspend");
    let proxy = Running::of(listener_to(&endpoint).pool(PoolOptions::default())).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(Raw::session(&proxy, 0).await.0);
    }
    drop(open);
    until("all are idle", || proxy.pool().idle == 3).await;
    shared().suspend(&endpoint).unwrap();
    until("all are gone", || proxy.pool().idle == 0).await;
    assert_eq!(proxy.pool().ended, 3);
    assert_eq!(success(proxy.psql(&["-c", "select 1"])).await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_that_fails_costs_the_session_and_nobody_notices() {
    let endpoint = own_endpoint("pooling-reset");
    let options = PoolOptions { size: 1, ..PoolOptions::default() };
    let proxy = Running::of(listener_to(&endpoint).pool(options)).await;
    for round in 0..5 {
        let (mut raw, _) = Raw::session(&proxy, 0).await;
        raw.send(TERMINATE).await;
        // Before, while or after it is reset.
        for _ in 0..round * 20 {
            tokio::task::yield_now().await;
        }
        shared().end_sessions(&endpoint).unwrap();
        assert_eq!(success(proxy.psql(&["-c", "select 1"])).await, "1");
        at_rest(&proxy).await;
    }
}

/// Logs clients in, and ends `bad` sessions at their first statement.
async fn ends_at_once(listener: TcpListener, bad: usize) {
    for number in 0.. {
        let mut raw = Raw(listener.accept().await.unwrap().0);
        let length = raw.0.read_u32().await.unwrap() as usize;
        raw.0.read_exact(&mut vec![0; length - 4]).await.unwrap();
        raw.send(b"R\0\0\0\x08\0\0\0\0S\0\0\0\x16application_name\0\0").await;
        raw.send(b"K\0\0\0\x0c\0\0\0\x01\0\0\0\x02Z\0\0\0\x05I").await;
        let (kind, statement) = raw.message().await;
        assert_eq!(kind, b'Q');
        assert!(statement.starts_with(b"SET"), "{}", String::from_utf8_lossy(&statement));
        if number >= bad {
            raw.send(b"S\0\0\0\x1aapplication_name\0late\0C\0\0\0\x08SET\0Z\0\0\0\x05I").await;
            return drop(raw.0.read(&mut [0]).await);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_end_right_after_their_login_are_opened_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgresql://u:p@{}/d?sslmode=disable", listener.local_addr().unwrap());
    let server = tokio::spawn(ends_at_once(listener, 4));
    let environment = Environment::from_pairs([("LAKEBASE_PG_URL", url.as_str())]);
    let lakebase = Lakebase::builder().environment(environment).build().unwrap();
    let listener = Listener::new(loopback(), lakebase.connector().clone());
    let options = PoolOptions { size: 1, ..PoolOptions::default() };
    let proxy = Running::of(listener.pool(options)).await;
    let mut raw = Raw::start(&proxy, &[("user", "x"), ("application_name", "late")]).await;
    let greeting = raw.messages_until(b'Z').await;
    assert!(greeting.iter().any(|(kind, body)| *kind == b'S' && body.ends_with(b"late\0")));
    assert_eq!(proxy.pool().opened, 1);
    server.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_replaced_when_they_are_old() {
    let max_lifetime = Duration::from_millis(50);
    let proxy = pooled(PoolOptions { size: 1, max_lifetime, ..PoolOptions::default() }).await;
    for opened in 1..=3 {
        assert_eq!(success(proxy.psql(&["-c", "select 1"])).await, "1");
        until("it is closed", || proxy.pool().idle + proxy.pool().active == 0).await;
        assert_eq!((proxy.pool().opened, proxy.pool().reused), (opened, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_sessions_are_closed_in_time_and_the_last_ones_stay() {
    let idle_timeout = Duration::from_millis(50);
    let options = PoolOptions { min: 1, idle_timeout, ..PoolOptions::default() };
    let proxy = pooled(options).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(Raw::session(&proxy, 0).await.0);
    }
    drop(open);
    until("one is left", || proxy.pool().idle + proxy.pool().active == 1).await;
    assert_eq!(proxy.pool().ended, 0, "the server has ended none");
    assert_eq!(success(proxy.psql(&["-c", "select 1"])).await, "1");
    assert_eq!(proxy.pool().opened, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_the_proxy_is_that_of_its_sessions() {
    let endpoint = own_endpoint("pooling-drain");
    let proxy = Running::of(listener_to(&endpoint).pool(PoolOptions::default())).await;
    let (mut stays, _) = Raw::session(&proxy, 0).await;
    let (idle, _) = Raw::session(&proxy, 0).await;
    drop(idle);
    until("one is idle", || proxy.pool().idle == 1).await;
    let monitor = proxy.monitor.clone();
    let pool = move || monitor.pools().remove(0).unwrap();
    let ending = proxy.stop();
    until("it is closed", || pool().idle == 0).await;
    assert_eq!(rows(&mut stays, "select 1").await, ["1"]);
    stays.send(TERMINATE).await;
    assert!(stays.rest().await.is_empty());
    assert_eq!(within(ending).await.unwrap().cut, 0);
    assert_eq!((pool().idle, pool().active, pool().resets_failed), (0, 0, 0));
}
