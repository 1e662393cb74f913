//! Connections of [tokio-postgres](tokio_postgres) that log in to Databricks Lakebase with fresh tokens.
//!
//! | Type | What it is |
//! |---|---|
//! | [`TokioPostgresFactory`] | opens one client and its connection per call, for [`Connector::connect`](lakebase_core::connect::Connector::connect) |
//! | [`Connection`] | what drives a client: the caller spawns it, on any executor |
//! | `deadpool::pool` | a pool of deadpool-postgres; feature `deadpool` |
//! | `bb8::pool`, `bb8::LakebaseConnections` | a pool of bb8, and what opens and checks its connections; feature `bb8` |
//!
//! tokio-postgres does not connect to the server: it gets a [`SessionStream`], on which a session is open already. The code that dials,
//! verifies and logs in is that of the other drivers ([`lakebase_session`]), and no token is ever in tokio-postgres' configuration.
//! Its types are public here on purpose.
//!
//! Features `smol` and `async-std` give deadpool's pools the time-outs of these runtimes; bb8 runs on tokio only.
//! Feature `tracing` reports each idle connection that did not answer.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "bb8")]
pub mod bb8;
mod cancel;
#[cfg(feature = "deadpool")]
pub mod deadpool;
#[cfg(feature = "deadpool")]
mod error;
mod factory;
#[cfg(any(feature = "deadpool", feature = "bb8"))]
mod logins;
#[cfg(any(feature = "deadpool", feature = "bb8"))]
mod recycling;
mod stream;

pub use tokio_postgres;

pub use crate::factory::{Connection, TokioPostgresFactory};
#[cfg(any(feature = "deadpool", feature = "bb8"))]
pub use crate::recycling::RecyclingOptions;
pub use crate::stream::SessionStream;

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
