//! A user's program on tokio, which also depends on sqlx itself with its default features.

mod postgres;
mod stage;
mod user;
mod workspace;

use std::process::ExitCode;

fn main() -> ExitCode {
    stage::play(|| {
        let runtime = ::tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            user::program().await?;
            // The pool is an executor for the user's own sqlx, too.
            let pool = lakebase::Lakebase::from_env()?.pool(Default::default()).await?;
            let two: i32 = sqlx::query_scalar("select 2").fetch_one(&pool).await?;
            let described =
                sqlx::Executor::describe(&pool, sqlx::SqlStr::from_static("select 3")).await?;
            assert_eq!((two, described.columns.len()), (2, 1));
            pool.close().await;
            Ok(())
        })
    })
}
