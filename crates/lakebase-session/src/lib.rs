//! Postgres sessions that are logged in before a client uses them.
//!
//! A [`StartupFactory`] connects through a runtime's [`Dial`](lakebase_core::Dial), sets up TLS as `sslmode` says, proves who logs
//! in, and reads up to the server's first `ReadyForQuery`: a [`Session`]. From then on a [`Relay`] carries its bytes to and from
//! the client. What a server may say during a login is bounded, and so is what a client may say first.
//!
//! A [`ReusableSession`] is one that client after client can have, each behind a [`ReusableRelay`] that follows what is said.
//!
//! A [`SessionSocket`] gives such sessions to drivers of the same program at a private address.
//!
//! Nothing here knows a runtime: streams have the I/O traits of the crate `futures`, and polling drives them.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod client;
mod direction;
mod error;
mod factory;
pub mod liveness;
mod login;
pub mod message;
mod relay;
mod reusable;
pub mod scram;
mod socket;
pub mod startup;
mod stream;
pub mod task;
pub mod tls;
mod tls_stream;
mod upstream;

pub use crate::client::{carry, driver_startup, first_packet, log_in_for, reject};
pub use crate::error::{LoginError, refusal, to_client};
pub use crate::factory::{Session, StartupFactory};
pub use crate::message::ServerError;
pub use crate::relay::Relay;
pub use crate::reusable::{Left, ResetError, ReusableRelay, ReusableSession};
pub use crate::socket::{Explain, PrivateAddress, SessionSocket};
pub use crate::stream::ServerStream;
pub use crate::tls_stream::TlsStream;
pub use crate::upstream::{Address, Peer, Upstream};

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
