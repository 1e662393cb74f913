//! Drivers that know nothing of tokens and block their thread, through a tunnel.

use std::path::Path;

use lakebase::Tunnel;

use crate::psql::{Psql, psql};
use crate::support::{Setup, shared, until};

on_each_runtime! { unix_socket tcp end }

const ROW: &str = "select current_user, current_database()";

/// The answer to [`ROW`]. This thread waits for it, too.
fn row(tunnel: &Tunnel) -> String {
    let output = psql(tunnel.url().expose()).args(["-c", ROW]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

async fn unix_socket() {
    let it = shared().description();
    let tunnel = Setup::m2m(shared()).build().tunnel().await.unwrap();
    assert_eq!(row(&tunnel), format!("{}|{}", it.client_id, it.database));
    let directory = tunnel.directory().expect("there are Unix sockets here");
    assert_eq!(tunnel.host(), directory.to_str().unwrap());
    assert!(tunnel.password().is_none());
    // A second one is another one.
    let other = Setup::pat(shared()).build().tunnel().await.unwrap();
    assert_eq!(row(&other), format!("{}|{}", it.user, it.database));
    assert_eq!((tunnel.monitor().stats().logins, other.monitor().stats().logins), (1, 1));
}

async fn tcp() {
    let it = shared().description();
    let tunnel = Setup::m2m(shared()).build().tunnel_tcp().await.unwrap();
    assert_eq!(row(&tunnel), format!("{}|{}", it.client_id, it.database));
    let password = tunnel.password().expect("loopback needs one").expose().to_owned();
    assert!(!format!("{tunnel:?}").contains(&password));
    let wrong = tunnel.url().expose().replace(&password, "wrong");
    let output = psql(&wrong).args(["-c", ROW]).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "{error}");
    assert!(error.contains("password authentication failed"), "{error}");
    assert_eq!(tunnel.monitor().stats().logins, 1, "a stranger is not logged in");
}

async fn end() {
    let lakebase = Setup::m2m(shared()).build();
    let tunnel = lakebase.tunnel().await.unwrap();
    assert!(!row(&tunnel).is_empty());
    let monitor = tunnel.monitor();
    until(&lakebase, "that session is closed", || monitor.stats().sessions == 0).await;
    let directory = Path::new(&tunnel.host()).to_owned();
    let sleep = "select pg_sleep(600)";
    let mut asleep = Psql::start(psql(tunnel.url().expose()).args(["-c", sleep]));
    until(&lakebase, "a session is open", || monitor.stats().sessions == 1).await;
    drop(tunnel);
    assert!(!directory.exists(), "nothing is left");
    until(&lakebase, "sessions end with their tunnel", || asleep.status().is_some()).await;
    assert!(!asleep.status().unwrap().success());
}

/// One thread for everything: the driver blocks the very runtime that opened the tunnel.
#[cfg(feature = "tokio")]
#[test]
fn from_a_runtime_of_one_thread() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let lakebase = Setup::m2m(shared()).build();
        let _token = lakebase.credential().await.unwrap();
        let tunnel = lakebase.tunnel().await.unwrap();
        assert!(row(&tunnel).starts_with(&shared().description().client_id));
    });
}
