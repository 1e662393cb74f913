//! Connections and pools for [sqlx] that log in to Databricks Lakebase with fresh tokens.
//!
//! | Type | What it is |
//! |---|---|
//! | [`SqlxFactory`] | opens one `PgConnection` per call, for [`Connector::connect`](lakebase_core::connect::Connector::connect) |
//! | [`LakebasePool`] | a `PgPool` whose logins never fail because of a token |
//! | [`PoolOptions`] | its settings, with defaults that fit Lakebase |
//!
//! sqlx's types are public here on purpose. Features `tokio`, `async-std` and `smol` choose sqlx's
//! runtimes; they are additive, and none is on by default. Feature `metrics` sets gauges of each pool;
//! feature `tracing` makes an event of every idle connection that did not answer.
//!
//! sqlx does not connect to the server: it gets sessions that are logged in, over a private Unix socket, or where there is none a
//! port of loopback with a random password. The code that dials, verifies, logs in and carries bytes is that of the proxy
//! ([`lakebase_session`]), and no token is ever in sqlx's options.
//!
//! # What sqlx reads by itself
//!
//! sqlx fills every `PgConnectOptions` from the process environment first. This crate then sets all that decides where and how to
//! connect; what is left of sqlx's own is `PGOPTIONS`.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod error;
mod executor;
mod factory;
mod keep_idle;
mod pool;
mod pool_options;

pub use error::lakebase_error;
pub use factory::SqlxFactory;
pub use pool::LakebasePool;
pub use pool_options::PoolOptions;
pub use sqlx;

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
