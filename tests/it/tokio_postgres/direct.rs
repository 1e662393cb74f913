//! What users of tokio-postgres expect of a client.

use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use futures::channel::mpsc;
use futures::future::{join_all, join3, try_join_all};
use futures::{SinkExt as _, StreamExt as _, TryStreamExt as _};
use lakebase::tokio_postgres::error::SqlState;
use lakebase::tokio_postgres::{AsyncMessage, Client};
use lakebase::{ErrorKind, SslMode};
use lakebase_emulator::{Effect, Fault, Operation};
use lakebase_testkit::assert_error;

use super::{cancels, client, drive};
use crate::support::{Setup, endpoint, own_endpoint, shared, until};

on_each_runtime! {
    logs_in_as_the_identity local_url pipelining copy_in_and_out notifications transactions large_results
    a_refused_token_is_replaced_once wakes_the_compute failures_are_ours ends_with_its_client settings_reach_the_server
}

async fn current_user(client: &Client) -> String {
    client.query_one("select current_user::text", &[]).await.unwrap().get(0)
}

async fn logs_in_as_the_identity() {
    let it = shared().description();
    for (setup, user) in [
        (Setup::m2m(shared()), &it.client_id),
        (Setup::pat(shared()), &it.user),
        (Setup::password(shared()), &it.password_user),
    ] {
        let client = client(&setup.build()).await;
        assert_eq!(current_user(&client).await, *user);
        let tls = "select version from pg_stat_ssl where pid = pg_backend_pid()";
        assert_eq!(client.query(tls, &[]).await.unwrap().len(), 1);
    }
}

/// A server of this machine, without TLS, by its Unix socket.
async fn local_url() {
    let folder = shared().description().ca_cert.clone();
    let folder = std::path::Path::new(&folder).parent().unwrap();
    let url = format!("postgresql://postgres@localhost/postgres?host={}", folder.display());
    let lakebase = Setup::empty().set("LAKEBASE_PG_URL", url).build();
    assert_eq!(lakebase.connector().config().tls.mode, SslMode::Prefer);
    let client = client(&lakebase).await;
    assert_eq!(current_user(&client).await, "postgres");
    cancels(&lakebase, &client, &self::client(&lakebase).await).await;
}

/// Requests go out without waiting for the answers before them.
async fn pipelining() {
    let client = client(&Setup::m2m(shared()).build()).await;
    let statement = client.prepare("select $1::int4 + 1").await.unwrap();
    let numbers: Vec<i32> = (0..100).collect();
    let asked = numbers.iter().map(|number| async {
        let row = client.query_one(&statement, &[number]).await?;
        Ok::<i32, lakebase::tokio_postgres::Error>(row.get(0))
    });
    let answers = try_join_all(asked).await.unwrap();
    assert_eq!(answers, (1..=100).collect::<Vec<i32>>());
    // One that fails does not disturb the others.
    let (one, failed, two) = join3(
        client.query_one("select 1", &[]),
        client.query_one("select 1 / 0", &[]),
        client.query_one("select 2", &[]),
    )
    .await;
    assert_eq!((one.unwrap().get::<_, i32>(0), two.unwrap().get::<_, i32>(0)), (1, 2));
    assert_eq!(failed.unwrap_err().code(), Some(&SqlState::DIVISION_BY_ZERO));
}

async fn copy_in_and_out() {
    let client = client(&Setup::m2m(shared()).build()).await;
    client.batch_execute("create temporary table copied (n int)").await.unwrap();
    let mut sink = pin!(client.copy_in("copy copied from stdin").await.unwrap());
    // More than a buffer on the way.
    for block in 0..100 {
        let lines: String = (0..1_000).map(|n| format!("{}\n", block * 1_000 + n)).collect();
        sink.send(bytes::Bytes::from(lines)).await.unwrap();
    }
    assert_eq!(sink.finish().await.unwrap(), 100_000);
    let out = client.copy_out("copy (select n from copied order by n) to stdout").await.unwrap();
    let lines: Vec<bytes::Bytes> = out.try_collect().await.unwrap();
    let text = lines.concat();
    let expected: String = (0..100_000).map(|n| format!("{n}\n")).collect();
    assert!(text == expected.as_bytes());
    // A copy that is given up leaves the client usable.
    drop(client.copy_in::<_, bytes::Bytes>("copy copied from stdin").await.unwrap());
    let count: i64 = client.query_one("select count(*) from copied", &[]).await.unwrap().get(0);
    assert_eq!(count, 100_000);
}

async fn notifications() {
    let lakebase = Setup::m2m(shared()).build();
    let (listener, mut connection) = lakebase.tokio_postgres().await.unwrap();
    let (mut told, mut messages) = mpsc::channel(8);
    let spawn = lakebase.connector().runtime().spawn.clone().unwrap();
    spawn.spawn(Box::pin(async move {
        while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
            if told.send(message).await.is_err() {
                return;
            }
        }
    }));
    // A channel of its own: tests of other runtimes run beside this one.
    let pid: i32 = listener.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
    listener.batch_execute(&format!("listen news_{pid}")).await.unwrap();
    let speaker = client(&lakebase).await;
    speaker.batch_execute(&format!("notify news_{pid}, 'read all about it'")).await.unwrap();
    let Some(AsyncMessage::Notification(news)) = messages.next().await else { panic!("no news") };
    assert_eq!((news.channel(), news.payload()), (&*format!("news_{pid}"), "read all about it"));
    listener.batch_execute("do $$ begin raise notice 'mind the gap'; end $$").await.unwrap();
    let Some(AsyncMessage::Notice(notice)) = messages.next().await else { panic!("no notice") };
    assert_eq!(notice.message(), "mind the gap");
}

async fn transactions() {
    let mut client = client(&Setup::m2m(shared()).build()).await;
    client.batch_execute("create temporary table kept (n int)").await.unwrap();
    for keep in [false, true] {
        let transaction = client.transaction().await.unwrap();
        transaction.execute("insert into kept values (1)", &[]).await.unwrap();
        if keep {
            transaction.commit().await.unwrap();
        }
    }
    let count: i64 = client.query_one("select count(*) from kept", &[]).await.unwrap().get(0);
    assert_eq!(count, 1);
}

/// Rows larger than anything that is read at once.
async fn large_results() {
    let client = client(&Setup::m2m(shared()).build()).await;
    let text = "é".repeat(5_000_000);
    let row = client.query_one("select $1::text, 1::int4", &[&text]).await.unwrap();
    assert!(row.get::<_, &str>(0) == text);
    assert_eq!(row.get::<_, i32>(1), 1);
}

async fn a_refused_token_is_replaced_once() {
    let (name, host) = endpoint(shared());
    let lakebase = Setup::m2m(shared()).endpoint(&name).build();
    let before = lakebase.credential().await.unwrap().generation();
    let rejected = Effect::refuse("28P01", "password authentication failed for user \"x\"");
    shared().inject(Fault::new(Operation::Login, rejected.clone()).only(&host).times(1));
    current_user(&client(&lakebase).await).await;
    assert!(lakebase.credential().await.unwrap().generation() > before);
    assert_eq!(shared().counters(&name).unwrap().refused, 1);
    shared().inject(Fault::new(Operation::Login, rejected).only(&host));
    let error = lakebase.tokio_postgres().await.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LoginRefused, "{}", error.report());
}

async fn wakes_the_compute() {
    let (name, _) = endpoint(shared());
    shared().suspend(&name).unwrap();
    let lakebase = Setup::m2m(shared()).endpoint(&name).build();
    let clients = join_all((0..4).map(|_| client(&lakebase))).await;
    for client in &clients {
        current_user(client).await;
    }
    assert_eq!(shared().counters(&name).unwrap().wakes, 1);
}

async fn failures_are_ours() {
    let missing = Setup::m2m(shared()).set("PGDATABASE", "nowhere").build();
    let error = missing.tokio_postgres().await.map(drop).unwrap_err();
    assert_error(&error, ErrorKind::NotFound, &["database \"nowhere\" does not exist"]);
    let nobody = Setup::m2m(shared()).set("PGHOSTADDR", "127.0.0.1").set("PGPORT", 1);
    let lakebase = nobody.build_within(Duration::from_secs(3));
    let error = lakebase.tokio_postgres().await.map(drop).unwrap_err();
    assert_error(&error, ErrorKind::TimedOut, &["onnection refused"]);
}

/// Either half ends the session, whichever is dropped.
async fn ends_with_its_client() {
    let (name, lakebase) = own_endpoint();
    let open = || shared().counters(&name).unwrap().open;
    let (client, connection) = lakebase.tokio_postgres().await.unwrap();
    assert_eq!(open(), 1);
    drop(connection);
    until(&lakebase, "the server sees the end", || open() == 0).await;
    assert!(client.is_closed());
    let client = self::client(&lakebase).await;
    assert_eq!(open(), 1);
    drop(client);
    until(&lakebase, "the session ends", || open() == 0).await;
    // The server's end is seen at once, without a statement.
    let (client, connection) = lakebase.tokio_postgres().await.unwrap();
    drive(&lakebase, connection);
    shared().suspend(&name).unwrap();
    until(&lakebase, "the client sees the end", || client.is_closed()).await;
    let error = client.simple_query("").await.unwrap_err();
    assert!(error.is_closed(), "{error:?}");
}

async fn settings_reach_the_server() {
    let setup = Setup::m2m(shared())
        .set("PGAPPNAME", "nightly report")
        .set("PGOPTIONS", "-c statement_timeout=7s --lakebase.note=a\\ b");
    let (client, connection) = setup.build().tokio_postgres().await.unwrap();
    assert_eq!(connection.parameter("client_encoding"), Some("UTF8"));
    assert_eq!(connection.parameter("application_name"), Some("nightly report"));
    drive(&setup.build(), connection);
    let settings =
        "select current_setting('application_name'), current_setting('statement_timeout'),
                    current_setting('lakebase.note')";
    let row = client.query_one(settings, &[]).await.unwrap();
    let found: Vec<String> = (0..3).map(|column| row.get(column)).collect();
    assert_eq!(found, ["nightly report", "7s", "a b"]);
}
