//! Sessions that the server ends while they are idle in a pool, shortly after their last use, as a compute does that restarts: the
//! statement after it gets another one, and no error.

use lakebase::{Lakebase, PoolOptions, RecyclingOptions, sqlx};

use crate::support::{Setup, endpoint, shared, until};
use crate::tokio_postgres::pool::kinds;

on_each_runtime! { in_a_pool_of_sqlx in_pools_of_tokio_postgres }

const ROUNDS: usize = 20;
const SIZE: u32 = 3;

/// An end that is still on its way when a statement begins costs an error. A busy machine is late in some rounds; a pool that
/// does not see ends has an error in each.
fn assert_rare(rounds: &[Vec<String>]) {
    let failed: Vec<_> = rounds.iter().filter(|errors| !errors.is_empty()).collect();
    assert!(failed.len() <= ROUNDS / 2, "{} of {ROUNDS} rounds: {failed:#?}", failed.len());
}

/// Ends the sessions of the endpoint `name`. The server is done with them afterwards.
async fn end_sessions(lakebase: &Lakebase, name: &str) {
    assert!(shared().counters(name).unwrap().open > 0);
    shared().end_sessions(name).unwrap();
    until(lakebase, "sessions end", || shared().counters(name).unwrap().open == 0).await;
}

async fn in_a_pool_of_sqlx() {
    let (name, _) = endpoint(shared());
    let lakebase = Setup::m2m(shared()).endpoint(&name).build();
    let pool = lakebase.pool(PoolOptions::new().max_connections(SIZE)).await.unwrap();
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        pool.warm_up(SIZE).await.unwrap();
        end_sessions(&lakebase, &name).await;
        let mut errors = Vec::new();
        for _ in 0..SIZE {
            let one = sqlx::query_scalar::<_, i32>("select 1").fetch_one(&pool).await;
            errors.extend(one.err().map(|error| format!("{error:?}")));
        }
        rounds.push(errors);
    }
    assert_rare(&rounds);
    assert!(pool.close().await);
}

async fn in_pools_of_tokio_postgres() {
    for kind in kinds() {
        let (name, _) = endpoint(shared());
        let lakebase = Setup::m2m(shared()).endpoint(&name).build();
        let pool = kind.open(&lakebase, SIZE as usize, RecyclingOptions::new()).await.unwrap();
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            pool.warm_up(SIZE as usize).await;
            end_sessions(&lakebase, &name).await;
            let mut errors = Vec::new();
            for _ in 0..SIZE {
                errors.extend(pool.one().await.err().map(|error| format!("{kind:?}: {error:?}")));
            }
            rounds.push(errors);
        }
        assert_rare(&rounds);
    }
}
