//! Traits, value types, token refresh and connect policy of the Lakebase connector.
//!
//! This crate performs no I/O and reads no clock. It depends on no runtime, no HTTP client and no database driver. Small
//! traits provide these ([`effect`]), and time is an argument.
//!
//! | To | implement |
//! |---|---|
//! | get database credentials from another source | [`CredentialSource`] |
//! | find endpoints in another way | [`EndpointResolver`] |
//! | resolve host names in another way | [`HostResolver`] |
//! | use another Postgres driver | [`ConnectionFactory`] |
//! | run on another async runtime | the traits in [`effect`] |
//!
//! Feature `tracing` emits spans and events, and feature `metrics` counters, gauges and histograms. Without them there is
//! no such code. The documentation of the crate `lakebase` lists them.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod connect;
mod credential;
pub mod effect;
mod endpoint;
mod error;
mod future;
mod jitter;
mod moment;
mod name;
mod notify;
mod observe;
mod origins;
pub mod refresh;
mod secret;
mod setting;
mod target;
mod time;

pub use connect::factory::{ConnectFailure, ConnectionFactory};
pub use connect::params::{ConnectParams, SslMode, Tls};
pub use credential::{Claim, CredentialRequest, CredentialSource, DatabaseCredential};
pub use effect::{Clock, Dial, HostResolver, HttpClient, Listen, Process, Runtime, Spawn, Timer};
pub use endpoint::{
    Access, Endpoint, EndpointHosts, EndpointResolver, EndpointState, EndpointType, UserResolver,
    choose_endpoint,
};
pub use error::{Error, ErrorKind, Result, causes};
pub use future::{BoxFuture, MaybeSend, MaybeSync};
pub use jitter::Jitter;
pub use name::{BranchName, EndpointName, ProjectName};
pub use origins::CredentialCache;
pub use secret::Secret;
pub use setting::{Environment, FileStatus, Setting, SettingOrigin};
pub use target::{ComputeName, Target};
pub use time::Timestamp;

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
