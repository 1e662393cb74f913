//! What a user writes: README's snippet, with checks of what it found.

use lakebase::sqlx::Connection as _;
use lakebase::{Lakebase, PoolOptions};

pub async fn program() -> Result<(), Box<dyn std::error::Error>> {
    let lakebase = Lakebase::from_env()?;
    let mut conn = lakebase.connect().await?;
    let user: String =
        lakebase::sqlx::query_scalar("select current_user::text").fetch_one(&mut conn).await?;
    assert_eq!(*user, *lakebase.user().await?);
    let encrypted: bool =
        lakebase::sqlx::query_scalar("select ssl from pg_stat_ssl where pid = pg_backend_pid()")
            .fetch_one(&mut conn)
            .await?;
    assert!(encrypted);
    conn.close().await?;

    let pool = lakebase.pool(PoolOptions::new().max_connections(5)).await?;
    let one: i32 = lakebase::sqlx::query_scalar("select 1").fetch_one(&pool).await?;
    assert_eq!(one, 1);
    pool.close().await;
    println!("logged in as {user}");
    Ok(())
}
