//! A web service: the pool in its state, a session per request, readiness without touching the database,
//! and a shutdown that lets requests finish and closes the pool.
#![expect(clippy::print_stdout, reason = "printing is what an example is for")]

// ANCHOR: web
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use lakebase::{Lakebase, LakebasePool, PoolOptions, sqlx};

#[derive(Clone)]
struct App {
    lakebase: Lakebase,
    pool: LakebasePool,
}

/// One request, one session: a connection is checked out, used, and goes back when it is dropped.
async fn count(State(app): State<App>) -> Result<String, (StatusCode, String)> {
    let unavailable = |error: sqlx::Error| (StatusCode::SERVICE_UNAVAILABLE, error.to_string());
    let mut session = app.pool.begin().await.map_err(unavailable)?;
    let count: i64 = sqlx::query_scalar("select count(*) from pg_class")
        .fetch_one(&mut *session)
        .await
        .map_err(unavailable)?;
    session.commit().await.map_err(unavailable)?;
    Ok(count.to_string())
}

/// Ready as long as a login has a token to use, also while its renewal fails.
async fn ready(State(app): State<App>) -> (StatusCode, String) {
    match app.lakebase.status() {
        Some(status) if !status.is_ready() => (StatusCode::SERVICE_UNAVAILABLE, "no token".into()),
        _ => (StatusCode::OK, "ready".into()),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let lakebase = Lakebase::from_env()?;
    let pool = lakebase.pool(PoolOptions::new().max_connections(5)).await?;
    let app = App { lakebase, pool: pool.clone() };
    let router = axum::Router::new()
        .route("/count", get(count))
        .route("/readyz", get(ready))
        .with_state(app);

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    axum::serve(listener, router)
        .with_graceful_shutdown(async {
            // Also on SIGTERM in a real service.
            let _ = tokio::signal::ctrl_c().await;
        })
        .await?;

    let all = pool.close().await;
    println!("closed: {all}");
    Ok(())
}
// ANCHOR_END: web
