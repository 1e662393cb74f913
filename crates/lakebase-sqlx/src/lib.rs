//! Connections and pools for [sqlx] that log in to Databricks Lakebase with fresh tokens.
//!
//! | Type | What it is |
//! |---|---|
//! | [`SqlxFactory`] | opens one `PgConnection` per call, for [`Connector::connect`](lakebase_core::connect::Connector::connect) |
//! | [`LakebasePool`] | a `PgPool` whose logins never fail because of a token |
//! | [`PoolOptions`] | its settings, with defaults that fit Lakebase |
//!
//! sqlx's types are public here on purpose. Features `tokio`, `async-std` and `smol` choose sqlx's
//! runtimes; they are additive, and none is on by default. Feature `metrics` sets gauges of each pool.
//!
//! # What sqlx reads by itself
//!
//! sqlx fills every `PgConnectOptions` from the process environment first. This crate then sets host,
//! port, user, password, database, TLS mode, roots and application name, so the variables for these have
//! no effect of their own; `PGOPTIONS`, `PGSSLCERT` and `PGSSLKEY` are still sqlx's.

mod error;
mod executor;
mod factory;
mod keep_idle;
mod pool;
mod pool_options;
mod rotation;

pub use error::{classify, lakebase_error};
pub use factory::SqlxFactory;
pub use pool::LakebasePool;
pub use pool_options::PoolOptions;
pub use sqlx;
