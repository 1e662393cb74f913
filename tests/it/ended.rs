//! Sessions that the server ends while they are idle in a pool, shortly after their last use, as a compute does that restarts: the
//! statement after it gets another one, and no error.

use lakebase::{Lakebase, PoolOptions, RecyclingOptions, sqlx};

use crate::support::{own_endpoint, shared, until};
use crate::tokio_postgres::pool::kinds;

on_each_runtime! { in_a_pool_of_sqlx in_pools_of_tokio_postgres }

const ROUNDS: usize = 20;
const SIZE: u32 = 3;

/// An end that is still on its way when a statement begins costs an error: that is rare.
fn assert_rare(errors: &[String]) {
    assert!(errors.len() <= ROUNDS / 4, "{} in {ROUNDS} rounds: {errors:#?}", errors.len());
}

/// Ends the sessions of the endpoint `name`. The server is done with them afterwards.
async fn end_sessions(lakebase: &Lakebase, name: &str) {
    assert!(shared().counters(name).unwrap().open > 0);
    shared().end_sessions(name).unwrap();
    until(lakebase, "sessions end", || shared().counters(name).unwrap().open == 0).await;
}

async fn in_a_pool_of_sqlx() {
    let (name, lakebase) = own_endpoint();
    let pool = lakebase.pool(PoolOptions::new().max_connections(SIZE)).await.unwrap();
    let mut errors = Vec::new();
    for _ in 0..ROUNDS {
        pool.warm_up(SIZE).await.unwrap();
        end_sessions(&lakebase, &name).await;
        for _ in 0..SIZE {
            let one = sqlx::query_scalar::<_, i32>("select 1").fetch_one(&pool).await;
            errors.extend(one.err().map(|error| format!("{error:?}")));
        }
    }
    assert_rare(&errors);
    assert!(pool.close().await);
}

async fn in_pools_of_tokio_postgres() {
    for kind in kinds() {
        let (name, lakebase) = own_endpoint();
        let pool = kind.open(&lakebase, SIZE as usize, RecyclingOptions::new()).await.unwrap();
        let mut errors = Vec::new();
        for _ in 0..ROUNDS {
            pool.warm_up(SIZE as usize).await;
            end_sessions(&lakebase, &name).await;
            for _ in 0..SIZE {
                errors.extend(pool.one().await.err().map(|error| format!("{kind:?}: {error:?}")));
            }
        }
        assert_rare(&errors);
    }
}
