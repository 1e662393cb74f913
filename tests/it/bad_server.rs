//! Servers that misbehave during a login: an error within the budget, and no more is read of them than a login needs.

use std::time::Duration;

use lakebase::{Error, Lakebase, PoolOptions, RecyclingOptions, lakebase_error};
use lakebase_testkit::bad_server::{BadServer, MODES};

use crate::psql::psql;
use crate::support::Setup;
use crate::tokio_postgres::pool::kinds;

on_each_runtime! { direct pool tokio_postgres tunnel silences }

/// What a server may send before it is cut off: what a login may hold, and what sockets hold on the way.
const MOST: u64 = 16 * 1024 * 1024;

const PATIENCE: Duration = Duration::from_millis(800);

/// Where it falls silent, and what the error says that it was waited for.
const SILENCES: [(&str, &str); 4] = [
    ("mute", "TLS"),
    ("silent", "the answer to the start-up packet"),
    ("password", "authentication"),
    ("no ready", "the end of the greeting"),
];

/// A handle that logs in there with a password and little patience.
fn handle(server: &BadServer) -> Lakebase {
    let url = format!("postgresql://u:p@127.0.0.1:{}/d", server.port());
    Setup::empty().set("LAKEBASE_PG_URL", url).build_within(PATIENCE)
}

fn was_cut_off(server: &BadServer, mode: &str) {
    let sent = server.sent();
    assert!(sent < MOST, "{mode}: {sent} bytes were read");
}

/// What each of them is for `refused`, the error of a client named `client`; and it is cut off.
async fn in_every_mode(client: &str, refused: impl AsyncFn(Lakebase) -> Error) {
    for (mode, kind) in MODES {
        let server = BadServer::start(mode);
        let error = refused(handle(&server)).await;
        assert_eq!(error.kind(), kind, "{client}: {mode}: {}", error.report());
        was_cut_off(&server, mode);
    }
}

async fn direct() {
    in_every_mode("sqlx", async |it| it.connect().await.map(drop).unwrap_err()).await;
}

async fn pool() {
    let options = || PoolOptions::new().acquire_timeout(PATIENCE);
    in_every_mode("pool", async |it| it.pool(options()).await.map(drop).unwrap_err()).await;
    assert!(lakebase_error(&lakebase::sqlx::Error::PoolTimedOut).is_none());
}

async fn tokio_postgres() {
    in_every_mode("tokio-postgres", async |it| it.tokio_postgres().await.map(drop).unwrap_err())
        .await;
    for kind in kinds() {
        let refused = async |lakebase| match kind.open(&lakebase, 2, RecyclingOptions::new()).await
        {
            Ok(pool) => {
                let error = pool.get().await.map(drop).unwrap_err();
                Error::find_in(&*error).unwrap().clone()
            }
            Err(error) => error,
        };
        in_every_mode(&format!("{kind:?}"), refused).await;
    }
}

/// The error names the server and what it did not answer to.
async fn silences() {
    for (mode, phase) in SILENCES {
        let server = BadServer::start(mode);
        let direct = handle(&server).connect().await.map(drop).unwrap_err();
        let options = PoolOptions::new().acquire_timeout(PATIENCE);
        let pooled = handle(&server).pool(options).await.map(drop).unwrap_err();
        let place = format!("127.0.0.1:{} accepted TCP and did not answer within", server.port());
        for error in [direct, pooled] {
            let report = error.report();
            assert!(report.contains(&place), "{mode}: {report}");
            assert!(report.contains(&format!("(waiting for {phase})")), "{mode}: {report}");
        }
    }
}

/// A program of its own connects, and gets the error.
async fn tunnel() {
    for (mode, _) in MODES {
        let server = BadServer::start(mode);
        let tunnel = handle(&server).tunnel_tcp().await.unwrap();
        let output = psql(tunnel.url().expose()).args(["-c", "select 1"]).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && told.contains("FATAL"), "{mode}: {told}");
        was_cut_off(&server, mode);
    }
}
