//! From a target to a logged-in connection: parameters, policy and the loop that joins them.
//!
//! ```text
//!   Connector ── login() ──▶ endpoint, user, credential, addresses (each cached, asked for at the same time)
//!       │
//!       └─ connect(factory) ──▶ login ▶ driver ▶ ok
//!                                  ▲       │ refused: forget that token, mint, once more
//!                                  └───────┤ waking, transient: back off, within one budget
//!                                          └ permanent: the error, at once
//! ```
//!
//! Only logins are retried, never statements.

mod config;
mod connector;
mod factory;
mod failure;
mod hosts;
mod params;
mod policy;
mod refusal;
mod retry;
mod tcp;
mod token;

pub use config::{Auth, ConnectorConfig, Login, Sources};
pub use connector::Connector;
pub use factory::{ConnectFailure, ConnectionFactory};
pub use failure::{Cause, Failure};
pub use params::{ConnectParams, SslMode, StartupOption, Tls, is_loopback_name, socket_path};
pub use policy::{Attempts, ConnectPolicy, Next};
pub use refusal::classify_refusal;
pub use tcp::{Keepalive, LoadBalanceHosts, TcpOptions};
