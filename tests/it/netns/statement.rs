//! A statement runs, and its packets stop: the caller gets an error, on every path.

use std::io;
use std::process::Command;

use futures::future::{Either, join5, select};
use lakebase::PoolOptions;
use lakebase::sqlx::{Error, query};
use lakebase_testkit::network::Link;

use super::{GIVEN_UP, Onlooker, behind, link, start};
use crate::support::{eventually, within};

on_each_runtime! { the_link_goes_down this_side_loses_its_network }

const SLEEP: &str = "select pg_sleep(300);";

async fn the_link_goes_down() {
    statements_end(Link::down).await;
}

async fn this_side_loses_its_network() {
    statements_end(Link::pull).await;
}

/// Of a connection of each driver, of a pool, and of a program behind a tunnel.
async fn statements_end(cut: fn(&Link) -> io::Result<()>) {
    let link = link();
    let lakebase = behind(&link).build();
    let mut onlooker = Onlooker::of(&link).await;
    let pool = lakebase.pool(PoolOptions::new().max_connections(1)).await.unwrap();
    let mut connection = lakebase.connect().await.unwrap();
    let (client, driven) = lakebase.tokio_postgres().await.unwrap();
    let tunnel = lakebase.tunnel().await.unwrap();
    let mut psql = start(Command::new("psql"), &link, tunnel.url().expose(), SLEEP);

    let direct = async { query(SLEEP).execute(&mut connection).await.unwrap_err() };
    let pooled = async { query(SLEEP).execute(&pool).await.unwrap_err() };
    let other = async {
        match select(Box::pin(client.batch_execute(SLEEP)), driven).await {
            Either::Left((ended, _)) => ended.unwrap_err(),
            Either::Right((ended, _)) => ended.unwrap_err(),
        }
    };
    let tunnelled = eventually(&lakebase, GIVEN_UP, "psql ends", || psql.status().is_some());
    let cutting = async {
        onlooker.until(4, "active").await;
        cut(&link).unwrap();
    };
    let all = join5(direct, pooled, other, tunnelled, cutting);
    let (direct, pooled, other, (), ()) = within(&lakebase, GIVEN_UP, all).await;
    for error in [direct, pooled] {
        assert!(matches!(error, Error::Io(_)), "{error:?}");
    }
    assert!(other.as_db_error().is_none(), "{other:?}");
    assert!(!psql.status().unwrap().success());
}
