//! A user's program on smol, which also depends on sqlx itself without its default features.

mod postgres;
mod stage;
mod user;
mod workspace;

use std::process::ExitCode;

fn main() -> ExitCode {
    stage::play(|| {
        ::smol::block_on(async {
            user::program().await?;
            // The pool is an executor for the user's own sqlx, too.
            let pool = lakebase::Lakebase::from_env()?.pool(Default::default()).await?;
            let two: i32 = bare_sqlx::query_scalar("select 2").fetch_one(&pool).await?;
            assert_eq!(two, 2);
            pool.close().await;
            Ok(())
        })
    })
}
