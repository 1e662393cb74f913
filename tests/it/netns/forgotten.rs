//! Idle connections whose packets have stopped.

use std::time::Duration;

use futures::future::join_all;
use lakebase::PoolOptions;

use super::{behind, link};
use crate::support::{SOON, select_one, until, within};

on_each_runtime! { nobody_waits_for_them }

/// Ten tasks ask ten connections at once. New connections get through, as past a load balancer that forgot the old ones.
async fn nobody_waits_for_them() {
    let link = link();
    let lakebase = behind(&link).build();
    let options = PoolOptions::new().max_connections(10).ping_after_idle(Duration::ZERO);
    let pool = lakebase.pool(options).await.unwrap();
    pool.warm_up(10).await.unwrap();
    until(&lakebase, "all are idle", || pool.num_idle() == 10).await;
    link.forget().unwrap();
    let asks = (0..10).map(|_| select_one(&pool));
    assert_eq!(within(&lakebase, SOON, join_all(asks)).await, [1; 10]);
}
