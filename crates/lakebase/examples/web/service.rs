//! A web service without its database driver: a session per request, readiness without touching the database, and a shutdown that lets requests
//! finish and closes the pool. Each driver adds what it does with a pool of its own: `web.rs` with sqlx, `web_deadpool.rs` with tokio-postgres,
//! `tests/drivers/sea-orm/web.rs` with sea-orm.

use std::error::Error;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use lakebase::Lakebase;

/// What the service does with a pool.
pub(crate) trait Database: Clone + Send + Sync + 'static {
    /// What the driver reports.
    type Error: Error + Send;

    /// Counts in one transaction.
    fn count(&self) -> impl Future<Output = Result<i64, Self::Error>> + Send;

    /// Ends the pool; whether all its connections have ended.
    fn close(&self) -> impl Future<Output = bool> + Send;
}

/// Serves until Ctrl-C.
pub(crate) async fn serve<D: Database>(
    lakebase: Lakebase,
    database: D,
) -> Result<(), Box<dyn Error>> {
    let router = axum::Router::new()
        .route("/count", get(count::<D>).with_state(database.clone()))
        .route("/readyz", get(ready).with_state(lakebase));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    axum::serve(listener, router)
        .with_graceful_shutdown(async {
            // Also on SIGTERM in a real service.
            let _ = tokio::signal::ctrl_c().await;
        })
        .await?;
    println!("closed: {}", database.close().await);
    Ok(())
}

/// One request, one session: a connection is checked out, used, and goes back when it is dropped.
async fn count<D: Database>(State(database): State<D>) -> Result<String, (StatusCode, String)> {
    match database.count().await {
        Ok(count) => Ok(count.to_string()),
        Err(error) => Err((StatusCode::SERVICE_UNAVAILABLE, error.to_string())),
    }
}

/// Ready as long as a login has a token to use, also while its renewal fails.
async fn ready(State(lakebase): State<Lakebase>) -> (StatusCode, &'static str) {
    match lakebase.status() {
        Some(status) if !status.is_ready() => (StatusCode::SERVICE_UNAVAILABLE, "no token"),
        _ => (StatusCode::OK, "ready"),
    }
}
