//! What clients see once they are in, and when they cannot get in.

use lakebase_emulator::{Effect, Fault, Operation};
use lakebase_proxy::{Limits, Proxy};

use crate::support::{
    Raw, Running, failure, field, listener, listener_to, own_endpoint, shared, startup, success,
    until, within,
};

#[tokio::test(flavor = "multi_thread")]
async fn psql_needs_no_password_and_is_the_configured_user() {
    let proxy = Running::usual().await;
    let sql = "select current_user, current_database(), current_setting('application_name')";
    let row = success(proxy.psql(&["-d", "somebody", "-c", sql])).await;
    let it = shared().description();
    assert_eq!(row, format!("{}|{}|psql", it.client_id, it.database));
    let stats = proxy.monitor.stats();
    assert_eq!((stats.accepted, stats.logins, stats.rejected), (1, 1, 0));
    assert!(stats.bytes_to_clients > 0 && stats.bytes_to_servers > 0);
    until("the session has ended", || proxy.monitor.stats().sessions == 0).await;
    assert!(proxy.monitor.is_ready());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_is_ready_once_it_has_a_token() {
    let proxy = Proxy::bind([listener()], Limits::default()).await.unwrap();
    let monitor = proxy.monitor();
    assert!(!monitor.is_ready(), "nobody has asked for one");
    let running = tokio::spawn(proxy.run(std::future::pending()));
    until("there is a token", || monitor.is_ready()).await;
    running.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn start_up_parameters_are_passed_on() {
    let proxy = Running::usual().await;
    let mut psql = proxy.psql(&[
        "-d",
        "postgres",
        "-c",
        "select current_database(), current_setting('my.value'), current_setting('work_mem')",
    ]);
    psql.env("PGOPTIONS", "-c my.value=a\\ b -c work_mem=321kB");
    assert_eq!(success(psql).await, "postgres|a b|321kB");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_protocol_is_negotiated_with_the_server() {
    let proxy = Running::usual().await;
    let (_, greeting) = Raw::session(&proxy, 0).await;
    assert_eq!(greeting[0].0, b'R');
    let mut raw = Raw::open(&proxy).await;
    raw.send(&startup(9999, &[("user", "x"), ("_pq_.no_such_option", "1")])).await;
    let greeting = raw.messages_until(b'Z').await;
    let (kind, body) = &greeting[0];
    assert_eq!(*kind, b'v', "NegotiateProtocolVersion comes first");
    assert!(String::from_utf8_lossy(body).contains("_pq_.no_such_option"));
    assert_eq!(greeting[1], (b'R', vec![0; 4]), "then AuthenticationOk");
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_come_and_go_whole() {
    let proxy = Running::usual().await;
    let sql = "copy (select generate_series(1, 200000)) to stdout";
    let rows = success(proxy.psql(&["-q", "-c", sql])).await;
    assert_eq!(rows.lines().count(), 200_000);
    let mut psql = proxy.psql(&[
        "-q",
        "-c",
        "create temp table t(x text)",
        "-c",
        "copy t from stdin",
        "-c",
        "select count(*), sum(length(x)) from t",
    ]);
    psql.stdin(std::process::Stdio::piped());
    let mut child = psql.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writing = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt as _;
        stdin.write_all(rows.as_bytes()).await.unwrap();
    });
    let output = within(child.wait_with_output()).await.unwrap();
    writing.await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.trim_end(), "200000|1088895", "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_of_the_server_keep_their_sqlstate() {
    let proxy = Running::usual().await;
    let mut raw = Raw::start(&proxy, &[("user", "x"), ("database", "no_such_database")]).await;
    let (kind, body) = raw.message().await;
    assert_eq!(kind, b'E');
    assert_eq!((field(&body, b'S'), field(&body, b'C')), ("FATAL".into(), "3D000".into()));
    assert!(field(&body, b'M').contains("no_such_database"));
    assert!(raw.rest().await.is_empty());
    assert_eq!(proxy.monitor.stats().failed_logins["not_found"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_is_replaced_and_a_sleeping_compute_waited_for() {
    let endpoint = own_endpoint("patient");
    let proxy = Running::of(listener_to(&endpoint)).await;
    assert_eq!(success(proxy.psql(&["-c", "select 1"])).await, "1");
    shared().suspend(&endpoint).unwrap();
    assert_eq!(success(proxy.psql(&["-c", "select 2"])).await, "2");
    let host = shared().endpoint_host(&endpoint, false).unwrap();
    let effect = Effect::refuse("28P01", "password authentication failed");
    shared().inject(Fault::new(Operation::Login, effect).times(1).only(host));
    assert_eq!(success(proxy.psql(&["-c", "select 3"])).await, "3");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_endpoint_is_explained() {
    let endpoint = own_endpoint("disabled");
    shared().set_disabled(&endpoint, true).unwrap();
    let proxy = Running::of(listener_to(&endpoint)).await;
    let error = failure(proxy.psql(&["-c", "select 1"])).await;
    assert!(error.contains("FATAL") && error.contains("disabled"), "{error}");
    assert!(!error.contains("eyJ"), "{error}");
}
