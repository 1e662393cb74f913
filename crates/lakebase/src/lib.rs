//! Connects to Databricks Lakebase Postgres: tokens, endpoints, pools and wake-ups handled.
//!
//! Databases of Lakebase are logged in to with OAuth tokens that live one hour. This crate obtains and
//! renews them, finds the endpoint, verifies the server, waits for a suspended compute to wake, and hands
//! out [sqlx] connections and pools whose logins do not fail because of a token.
//!
//! ```no_run
//! # #[cfg(all(feature = "tokio", feature = "sqlx"))]
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use lakebase::{Lakebase, PoolOptions};
//!
//! let lakebase = Lakebase::from_env()?;
//! let pool = lakebase.pool(PoolOptions::new().max_connections(5)).await?;
//! let one: i32 = lakebase::sqlx::query_scalar("select 1").fetch_one(&pool).await?;
//! pool.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! | Feature | Adds |
//! |---|---|
//! | `tokio`, `async-std`, `smol` | the runtime; additive, none is default. With several, a running tokio context wins, then smol, then async-std |
//! | `sqlx` (default) | `connect` and `pool` |
//! | `tokio-postgres` | `tokio_postgres` and `cancel_query`: clients of tokio-postgres, on every runtime |
//! | `deadpool` | `deadpool`: pools of deadpool-postgres, on every runtime |
//! | `bb8` | `bb8`: pools of bb8, on tokio, which this feature brings |
//! | `http-reqwest` | reqwest as the HTTP client on tokio, instead of hyper alone |
//! | `http-surf` | surf as the HTTP client, for programs that use it already |
//! | `tunnel` | a local address for drivers that have no hook for tokens: libpq, JDBC, anything |
//! | `google-credentials` | keys of Google's service accounts as an identity, which need RSA |
//! | `tracing` | spans and events: see [observing](#observing) |
//! | `metrics` | counters, gauges and histograms: see [observing](#observing) |
//!
//! # Configuration
//!
//! Each setting is read from the program ([`Builder`]), then from the connection URL, then from the
//! environment. The module `guide`, which exists in the documentation only, has a page each for
//! [configuration](guide/configuration/index.html) (every variable and its default),
//! [identities](guide/identities/index.html), [the network](guide/network/index.html),
//! [tokens](guide/tokens/index.html) and [Databricks Apps](guide/databricks_apps/index.html).
//! [`connection_string`] lists the parameters of libpq.
//!
//! # Observing
//!
//! With feature `tracing` there is a span per fetch (`lakebase.fetch`: `kind`, `forced`), per attempt to log
//! in (`lakebase.login`: `attempt`) and per wake-up (`lakebase.wake_up`, the parent of its attempts), and an
//! event for every refresh (info), failure (warn), change of phase (info), password file that is not used because
//! others may read it (warn), wish of a variable of libpq's that is not read (info), `sslmode` that is raised for a
//! token (info), URL of `DATABASE_URL` that is used (info), idle connection that did not answer (info) and request to the workspace
//! (debug: `request` is method and path, `status`, `took_ms`). With feature `metrics`:
//!
//! | Name | Kind | Unit | Labels |
//! |---|---|---|---|
//! | `lakebase_refresh_duration_seconds` | histogram | seconds | `kind`: credential, workspace_token, endpoint, user; `outcome`: ok, or the error's kind |
//! | `lakebase_value_expires_seconds` | gauge | seconds since 1970 | `kind`; what is left of the newest value is this minus now |
//! | `lakebase_logins_total` | counter | logins and checkouts | `result`: ok, or the error's kind |
//! | `lakebase_login_retries_total` | counter | failed logins that were tried again | `class`: auth_rejected, waking, transient |
//! | `lakebase_wake_ups_total` | counter | computes found asleep | |
//! | `lakebase_pool_connections` | gauge | connections | `state`: idle, used |
//!
//! Nothing of this holds SQL, a token or a password.
//!
//! # Memory
//!
//! Counted on 64-bit Linux with tokio: a handle holds 100 kB of heap, and 160 kB once it has logged in and keeps a
//! connection to the workspace; its clones share that. A pool without connections adds 69 kB, and each idle
//! connection 33 kB. The tests count it.
//!
//! # What is public from elsewhere
//!
//! [`sqlx`] is re-exported, because its types are what `connect` and `pool` return. The traits for own
//! token sources, resolvers, drivers and runtimes are in [`core`].
#![cfg_attr(docsrs, feature(doc_cfg))]

mod assemble;
mod builder;
pub mod connection_string;
mod default_runtime;
#[cfg(feature = "tokio-postgres")]
mod drivers;
// The pages' examples need these features.
#[cfg(all(doc, feature = "sqlx", feature = "tokio"))]
pub mod guide;
mod handle;
mod handles;
mod mode;
mod observe;
mod parameters;
mod pgpass;
mod process;
mod settings;
mod url;

#[doc(inline)]
pub use lakebase_core as core;
pub use lakebase_core::connect::{ConnectPolicy, Keepalive, LoadBalanceHosts, TcpOptions};
pub use lakebase_core::{Access, Error, ErrorKind, Result, Secret, SslMode};
#[cfg(feature = "tunnel")]
pub use lakebase_proxy::Tunnel;
#[cfg(feature = "sqlx")]
pub use lakebase_sqlx::{LakebasePool, PoolOptions, lakebase_error, sqlx};
#[cfg(any(feature = "deadpool", feature = "bb8"))]
pub use lakebase_tokio_postgres::RecyclingOptions;
#[cfg(feature = "bb8")]
pub use lakebase_tokio_postgres::bb8::{LakebaseClient, LakebaseConnections, bb8};
#[cfg(feature = "deadpool")]
pub use lakebase_tokio_postgres::deadpool::deadpool_postgres;
#[cfg(feature = "tokio-postgres")]
pub use lakebase_tokio_postgres::{Connection as TokioPostgresConnection, tokio_postgres};
#[doc(inline)]
pub use lakebase_workspace as workspace;

pub use crate::builder::Builder;
pub use crate::default_runtime::HasRuntime;
pub use crate::handle::Lakebase;
#[doc(hidden)]
pub use crate::url::fuzz_url;

/// Compiles the examples of the README.
#[cfg(all(doctest, feature = "sqlx", feature = "tokio"))]
#[doc = include_str!("../README.md")]
struct Readme;
