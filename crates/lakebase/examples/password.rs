//! A native Postgres role: the same interface, no tokens.
#![expect(clippy::print_stdout, reason = "printing is what an example is for")]

// ANCHOR: password
use lakebase::sqlx::query_scalar;
use lakebase::{Lakebase, Secret};

/// Logs in with a role's own password. The host still comes from the endpoint in the environment.
async fn count(user: &str, password: Secret) -> Result<i64, Box<dyn std::error::Error>> {
    let lakebase = Lakebase::builder().user(user).password(password).build()?;
    let mut conn = lakebase.connect().await?;
    Ok(query_scalar("select count(*) from pg_class").fetch_one(&mut conn).await?)
}
// ANCHOR_END: password

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(user), Some(file)) = (arguments.next(), arguments.next()) else {
        return Err("usage: password USER FILE-WITH-PASSWORD".into());
    };
    let password = std::fs::read_to_string(file)?.trim_end().into();
    println!("{} relations", count(&user, password).await?);
    Ok(())
}
