//! A pool of either kind, so that both pass the same tests.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use futures::future::try_join_all;
use lakebase::deadpool_postgres;
use lakebase::tokio_postgres::Client;
use lakebase::{Error, Lakebase, RecyclingOptions};

/// What goes wrong when a pool is asked for something.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Which pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Deadpool,
    #[cfg(feature = "tokio")]
    Bb8,
}

/// A pool of tokio-postgres' clients.
#[derive(Clone)]
pub(crate) enum Pool {
    Deadpool(deadpool_postgres::Pool),
    #[cfg(feature = "tokio")]
    Bb8(lakebase::bb8::Pool<lakebase::LakebaseConnections>),
}

/// A client that was checked out.
pub(crate) enum Held {
    Deadpool(deadpool_postgres::Client),
    #[cfg(feature = "tokio")]
    Bb8(lakebase::bb8::PooledConnection<'static, lakebase::LakebaseConnections>),
}

/// Those that there are on the current runtime.
pub(crate) fn kinds() -> Vec<Kind> {
    vec![
        Kind::Deadpool,
        #[cfg(feature = "tokio")]
        Kind::Bb8,
    ]
    .into_iter()
    .filter(|kind| kind.runs_here())
    .collect()
}

impl Kind {
    /// Whether the current runtime has it.
    fn runs_here(self) -> bool {
        match self {
            Self::Deadpool => true,
            #[cfg(feature = "tokio")]
            Self::Bb8 => tokio::runtime::Handle::try_current().is_ok(),
        }
    }

    /// A pool of `size` connections.
    pub(crate) async fn open(
        self,
        lakebase: &Lakebase,
        size: usize,
        options: RecyclingOptions,
    ) -> Result<Pool, Error> {
        match self {
            Self::Deadpool => {
                let wait = Some(Duration::from_secs(60));
                let pool = lakebase
                    .deadpool_with(options, |builder| builder.max_size(size).wait_timeout(wait))?;
                Ok(Pool::Deadpool(pool))
            }
            #[cfg(feature = "tokio")]
            Self::Bb8 => {
                let builder = lakebase::bb8::Pool::builder().max_size(size.try_into().unwrap());
                // Its own task notices only then that the pool is gone.
                let builder = builder.reaper_rate(Duration::from_millis(100));
                let connections = lakebase.bb8_connections(options);
                let pool = lakebase_tokio_postgres::bb8::pool(connections, builder).await?;
                Ok(Pool::Bb8(pool))
            }
        }
    }
}

impl Pool {
    /// Checks a client out.
    pub(crate) async fn get(&self) -> Result<Held, Failure> {
        Ok(match self {
            Self::Deadpool(pool) => Held::Deadpool(pool.get().await?),
            #[cfg(feature = "tokio")]
            Self::Bb8(pool) => Held::Bb8(pool.get_owned().await?),
        })
    }

    /// Checks a client out for one statement.
    pub(crate) async fn one(&self) -> Result<i32, Failure> {
        Ok(self.get().await?.query_one("select 1", &[]).await?.get(0))
    }

    /// Opens `count` connections and leaves them idle.
    pub(crate) async fn warm_up(&self, count: usize) {
        drop(try_join_all((0..count).map(|_| self.get())).await.unwrap());
        assert_eq!(self.size(), count);
    }

    /// How many connections it has.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Deadpool(pool) => pool.status().size,
            #[cfg(feature = "tokio")]
            Self::Bb8(pool) => pool.state().connections as usize,
        }
    }
}

impl Deref for Held {
    type Target = Client;

    fn deref(&self) -> &Client {
        match self {
            Self::Deadpool(client) => client,
            #[cfg(feature = "tokio")]
            Self::Bb8(client) => client,
        }
    }
}

impl DerefMut for Held {
    fn deref_mut(&mut self) -> &mut Client {
        match self {
            Self::Deadpool(client) => client,
            #[cfg(feature = "tokio")]
            Self::Bb8(client) => client,
        }
    }
}
