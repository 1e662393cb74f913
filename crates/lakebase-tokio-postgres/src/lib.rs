//! Connections of [tokio-postgres](tokio_postgres) that log in to Databricks Lakebase with fresh tokens.
//!
//! | Type | What it is |
//! |---|---|
//! | [`TokioPostgresFactory`] | opens one client and its connection per call, for [`Connector::connect`](lakebase_core::connect::Connector::connect) |
//! | [`Connection`] | what drives a client: the caller spawns it, on any executor |
//!
//! tokio-postgres does not connect to the server: it gets a [`SessionStream`], on which a session stands already. The code that dials,
//! verifies and logs in is that of the other drivers ([`lakebase_session`]), and no token is ever in tokio-postgres' configuration.
//! Its types are public here on purpose.

mod cancel;
mod factory;
mod stream;

pub use tokio_postgres;

pub use crate::factory::{Connection, TokioPostgresFactory};
pub use crate::stream::SessionStream;
