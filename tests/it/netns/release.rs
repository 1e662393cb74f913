//! A connection is released whose packets have stopped: its place does not stay taken.

use lakebase::PoolOptions;

use super::{GIVEN_UP, behind, link};
use crate::support::{SOON, eventually, select_one, within};

on_each_runtime! { its_place_is_free_again }

async fn its_place_is_free_again() {
    let link = link();
    let lakebase = behind(&link).build();
    let pool = lakebase.pool(PoolOptions::new().max_connections(1)).await.unwrap();
    let connection = pool.acquire().await.unwrap();
    link.down().unwrap();
    drop(connection);
    eventually(&lakebase, GIVEN_UP, "its place is free", || pool.size() == 0).await;
    link.up().unwrap();
    assert_eq!(within(&lakebase, SOON, select_one(&pool)).await, 1);
}
