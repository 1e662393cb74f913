//! The drivers that have crates here: the same play as for the others, and what they cost.
//!
//! In the play each checkout asks whether its session still stands, because a compute that is suspended ends it at any moment. What a
//! use costs is counted with that and with the defaults.

use std::time::Duration;

use drivers::{Driver, Failure, ask_each, play, print_cost};
use lakebase::tokio_postgres::Client;
use lakebase::{
    Lakebase, LakebaseConnections, LakebasePool, PoolOptions, RecyclingOptions, bb8,
    deadpool_postgres, sqlx,
};

struct Sqlx<const ASKS: bool>(LakebasePool);
struct Direct(Lakebase);
struct Deadpool<const ASKS: bool>(deadpool_postgres::Pool);
struct Bb8<const ASKS: bool>(bb8::Pool<LakebaseConnections>);

async fn process(client: &Client) -> Result<i32, Failure> {
    Ok(client.query_one("select pg_backend_pid()", &[]).await?.get(0))
}

fn options(asks: bool) -> RecyclingOptions {
    match asks {
        true => RecyclingOptions::new().ping_after_idle(Duration::ZERO),
        false => RecyclingOptions::new(),
    }
}

impl<const ASKS: bool> Driver for Sqlx<ASKS> {
    async fn open(lakebase: &Lakebase) -> Result<Self, Failure> {
        let mut options = PoolOptions::new().max_connections(5);
        if ASKS {
            options = options.ping_after_idle(Duration::ZERO);
        }
        Ok(Self(lakebase.pool(options).await?))
    }

    async fn processes(&self, count: usize) -> Result<Vec<i32>, Failure> {
        let open = async || Ok(self.0.acquire().await?);
        ask_each(count, open, async |conn| {
            let asking = sqlx::query_scalar("select pg_backend_pid()");
            Ok(asking.fetch_one(&mut **conn).await?)
        })
        .await
    }
}

impl Driver for Direct {
    async fn open(lakebase: &Lakebase) -> Result<Self, Failure> {
        Ok(Self(lakebase.clone()))
    }

    /// There is no pool, so sessions are new.
    async fn processes(&self, count: usize) -> Result<Vec<i32>, Failure> {
        let open = async || {
            let (client, connection) = self.0.tokio_postgres().await?;
            tokio::spawn(connection);
            Ok(client)
        };
        ask_each(count, open, async |client| process(client).await).await
    }
}

impl<const ASKS: bool> Driver for Deadpool<ASKS> {
    async fn open(lakebase: &Lakebase) -> Result<Self, Failure> {
        Ok(Self(lakebase.deadpool_with(options(ASKS), |builder| builder.max_size(5))?))
    }

    async fn processes(&self, count: usize) -> Result<Vec<i32>, Failure> {
        let open = async || Ok(self.0.get().await?);
        ask_each(count, open, async |client| {
            let asking = client.prepare_cached("select pg_backend_pid()").await?;
            Ok(client.query_one(&asking, &[]).await?.get(0))
        })
        .await
    }
}

impl<const ASKS: bool> Driver for Bb8<ASKS> {
    async fn open(lakebase: &Lakebase) -> Result<Self, Failure> {
        let builder = bb8::Pool::builder().max_size(5);
        Ok(Self(builder.build(lakebase.bb8_connections(options(ASKS))).await?))
    }

    async fn processes(&self, count: usize) -> Result<Vec<i32>, Failure> {
        let open = async || Ok(self.0.get().await?);
        ask_each(count, open, async |client| process(client).await).await
    }
}

#[test]
fn sqlx_0_9() {
    play::<Sqlx<true>>();
    print_cost::<Sqlx<false>>();
}

#[test]
fn tokio_postgres() {
    play::<Direct>();
}

#[test]
fn deadpool() {
    play::<Deadpool<true>>();
    print_cost::<Deadpool<false>>();
}

#[test]
fn on_bb8() {
    play::<Bb8<true>>();
    print_cost::<Bb8<false>>();
}
