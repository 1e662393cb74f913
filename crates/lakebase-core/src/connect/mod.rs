//! Logs in: gathers the parameters, calls the driver, classifies failures and retries.
//!
//! ```text
//!   Connector ── login() ──▶ endpoint, user, credential, addresses (each cached; fetched at the same time)
//!       │
//!       └─ connect(factory) ──▶ login ▶ driver ▶ connection
//!                                  ▲       │ refused: replace the token, retry
//!                                  └───────┤ waking, transient: back off, within one budget
//!                                          └ permanent: the error, at once
//! ```
//!
//! Only logins are retried, never statements.

mod addresses;
mod config;
mod connector;
pub(crate) mod factory;
mod failure;
mod login;
pub(crate) mod params;
mod policy;
mod progress;
mod refusal;
mod require_auth;
mod retry;
mod tcp;
mod token;

pub use config::{Auth, ConnectorConfig, Login, Sources};
pub use connector::Connector;
pub use params::{StartupOption, is_loopback_name, socket_path};
pub use policy::ConnectPolicy;
pub use progress::{LoginPhase, LoginProgress};
pub use refusal::classify_refusal;
pub use require_auth::{AuthMethod, RequireAuth};
pub use tcp::{Keepalive, LoadBalanceHosts, TcpOptions};
