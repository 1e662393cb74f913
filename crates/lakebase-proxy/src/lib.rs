//! A local Postgres address whose connections are logged in to Databricks Lakebase with fresh tokens.
//!
//! A [`Proxy`] listens on loopback or on a Unix socket. Every client, whatever its language, gets a connection of
//! its own to the server: the proxy logs in for it through a
//! [`Connector`], with verified TLS, a living token and all the patience
//! that waking a compute takes, hands the server's greeting to the client, and from then on copies bytes. The
//! client needs no password and knows nothing of tokens.
//!
//! - The client's start-up parameters go to the server as they are, `replication` and protocol extensions included,
//!   and so does the version of the protocol that it asks for. Only the user is the connector's; and a database of
//!   the same name as the client's user means "none given", because libpq sends that, and becomes the connector's.
//! - Cancel requests go to the server of the session that they name.
//! - If the host of a client or of the server does not answer for a minute, the session ends on both sides, and its statement
//!   is cancelled over a new connection: Postgres notices that a client is gone only when it sends something.
//! - Only the owner gets in: TCP on loopback only, unless remote access is allowed by name and a password or
//!   client certificates are asked for; Unix sockets in folders that only the owner may enter. Other users of the
//!   machine can reach loopback: use a Unix socket or a password where there are any.
//! - A failed login is reported as PostgreSQL does, with the server's own SQLSTATE where it sent one.
//! - What is no start-up packet is dealt with as PostgreSQL deals with it: HTTP, a port scanner or a broken packet gets an end
//!   without an answer, a wrong layout or version an error ([`startup`](lakebase_session::startup) has the table).
//!
//! A [`Tunnel`] is the same inside a program, for drivers that have no hook for tokens; it needs no runtime.
//!
//! Statements are neither read nor repeated. One client is one connection to the server, unless a listener has a
//! [pool](Listener::pool): then a client may get the session of one that left, as good as new, and need not wait for a login.
//!
//! With the feature `tracing` every session that opens or ends is an event of level info, and every client that is turned
//! away one of level warn, with its SQLSTATE, whether it was answered, and what it sent as far as it can be told: at most four bytes,
//! escaped. Clients that connect and go without a word make no event.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod access;
mod cancels;
mod client_tls;
mod listener;
mod observe;
mod own;
mod pending;
mod pool;
mod pooled;
mod proxy;
mod rejected;
mod routes;
mod session;
mod shared;
mod stats;
mod stream;
mod tunnel;
#[cfg(unix)]
mod unix_socket;

pub use lakebase_core::connect::Connector;

pub use crate::client_tls::ClientTls;
pub use crate::listener::{Address, Listener};
pub use crate::pool::{PoolOptions, PoolStats};
pub use crate::proxy::{Drained, Limits, Monitor, Proxy};
pub use crate::routes::Route;
pub use crate::stats::Stats;
pub use crate::tunnel::Tunnel;

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
