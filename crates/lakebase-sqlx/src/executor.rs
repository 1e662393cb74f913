//! Makes `&LakebasePool` usable wherever sqlx takes an executor, as `&PgPool` is.

use futures_channel::mpsc;
use futures_util::SinkExt;
use futures_util::future::{self, BoxFuture};
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Acquire, Describe, Either, Error, Execute, Executor, Postgres, SqlStr, Transaction};

use crate::LakebasePool;

impl<'p> Executor<'p> for &LakebasePool {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let pool = self.clone();
        let (mut sender, receiver) = mpsc::channel(0);
        // Polled together with the receiver: it runs only while somebody reads, and ends when nobody does.
        let driver = async move {
            let mut connection = pool.acquire().await?;
            let mut results = connection.fetch_many(query);
            while let Some(result) = results.try_next().await? {
                if sender.send(Ok(result)).await.is_err() {
                    break;
                }
            }
            Ok(())
        };
        let failure = stream::once(driver).filter_map(|end| future::ready(end.err().map(Err)));
        stream::select(receiver, failure).boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let pool = self.clone();
        Box::pin(async move { pool.acquire().await?.fetch_optional(query).await })
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, Error>>
    where
        'p: 'e,
    {
        let pool = self.clone();
        Box::pin(async move { pool.acquire().await?.prepare_with(sql, parameters).await })
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, Error>>
    where
        'p: 'e,
    {
        let pool = self.clone();
        Box::pin(async move { pool.acquire().await?.describe(sql).await })
    }
}

impl<'a> Acquire<'a> for &LakebasePool {
    type Database = Postgres;
    type Connection = PoolConnection<Postgres>;

    fn acquire(self) -> BoxFuture<'a, Result<PoolConnection<Postgres>, Error>> {
        let pool = self.clone();
        Box::pin(async move { pool.acquire().await })
    }

    fn begin(self) -> BoxFuture<'a, Result<Transaction<'a, Postgres>, Error>> {
        let pool = self.clone();
        Box::pin(async move { pool.begin().await })
    }
}
