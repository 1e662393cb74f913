//! A Databricks-like workspace and its Lakebase Postgres on loopback, in one process.
//!
//! [`Emulator`] serves the workspace's HTTP API (OAuth, projects, branches, endpoints, Provisioned instances, the credentials of
//! both, current user), a TLS gateway for Postgres that routes by host name and checks tokens at login, the Data API's tables
//! over HTTP, a DNS server for its host names, and starts a real Postgres behind it. Official clients work with it unchanged. Faults
//! ([`Fault`]) and the clock are data, over this library and over HTTP below `/_emulator/`.
//!
//! ```no_run
//! use std::time::Duration;
//! use lakebase_emulator::{Effect, Emulator, Fault, Operation};
//!
//! let emulator = Emulator::builder().acceleration(60.0).start()?;
//! emulator.inject(Fault::new(Operation::Credentials, Effect::Drop).times(2));
//! emulator.advance(Duration::from_secs(3_000));
//! println!("{}", emulator.description().host);
//! # Ok::<(), lakebase_emulator::Error>(())
//! ```
//!
//! The world at the start: project `demo`; branch `production` with `replica` (read-only, listed first) and
//! `primary`; branch `dev` with `sleepy` (suspended) and `traveller` (of a kind no client knows); `frozen` with `disabled`;
//! `fresh` with `starting` (state `INIT`); `empty` without endpoints. Project `other`, listed first, has a branch of the same name as
//! the default one, without endpoints. Every read-write endpoint has a pooled host, which takes passwords only. More projects to look through come
//! from [`Config::decoys`]; readable secondaries, and with them a read-only host, from [`Emulator::set_readable_secondaries`].
//!
//! Provisioned instances (`/api/2.0/database/instances`): `archive` (stopped, listed first) and `demo`, with readable secondaries. Their
//! hosts are `instance-<uid>` and `instance-ro-<uid>` below a domain without a region. Where endpoints are named by methods, faults and
//! `/_emulator/`, an instance is `instances/{name}`. Its logins take credentials of its own API only, and only those that were
//! asked for it, which is stricter than any source says; a request sent again with the same `request_id` gets the same token
//! while that lives. Instances are not suspended by themselves.
//!
//! The Data API answers below [`Description::data_api`] as `PostgREST` does, to OAuth tokens of the workspace, in the role of their
//! identity: `GET` with `select`, simple filters, `order`, `limit` and `offset`; `POST`, `PATCH` and `DELETE`; errors in `PostgREST`'s form. It does
//! not know `and`/`or`, embedding, casts, functions, upserts, `PUT`, counts and ranges.
//!
//! Token services of others ([`Description::identities`]): GitHub's, Azure DevOps', Entra's, Google's, the metadata services of machines.
//!
//! Not simulated: writing calls of the API. All endpoints share one Postgres. Unix only: on other systems this crate is empty.
//!
//! Invariants: nothing listens outside loopback; neither process nor folder outlives the owner;
//! the logic (`state`, `api`, `gateway::login`, `dns::answer`) does no input or output and reads no clock.
//!
//! Below `/_emulator/` of the workspace's URL, all bodies JSON:
//!
//! | request | does |
//! | --- | --- |
//! | `GET state` | clock, endpoints with counters, faults, request log |
//! | `POST faults` | injects one [`Fault`] or a list of them |
//! | `DELETE faults`, `DELETE requests` | clears them |
//! | `POST clock` `{"advance_seconds":3000}` and/or `{"acceleration":60}` | moves the clock |
//! | `POST tokens` `{"for":"exchange","lifetime_seconds":600}` | as [`Emulator::issue_token`]; answers `{"token":…}` |
//! | `POST revoke` | as [`Emulator::revoke_tokens`] |
//! | `POST suspend` `{"endpoint":"projects/…"}` | suspends an endpoint, ends its sessions |
//! | `POST world` with any of the following | adds to the world |
//! | … `{"roles":["…"],"drop_roles":["…"]}` | roles that log in with tokens; takes roles away |
//! | … `{"endpoints":[{"name":"projects/…","kind":"read_only","readable_secondaries":false}]}` | endpoints, with their branches and projects |
//! | … `{"instances":[{"name":"…","readable_secondaries":true}]}` | Provisioned instances |
//! | … `{"decoys":{"projects":2,"branches":3}}` | projects before all others, so many branches in each, two endpoints in each |
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg(unix)]

mod accept;
mod api;
mod clock;
mod config;
mod data_api;
mod description;
mod dns;
mod emulator;
mod error;
mod fault;
mod gateway;
mod http;
mod identities;
mod log;
mod postgres;
mod random;
mod request;
mod servers;
mod shared;
mod state;
mod time;
mod tls;
mod token;
mod world;

pub use config::Config;
pub use description::Description;
pub use emulator::Emulator;
pub use error::Error;
pub use fault::{Body, Effect, Fault, Operation, RetryAfter, WrongCertificate};
pub use log::{RequestRecord, sequential_hops};
pub use token::TokenFor;
pub use world::{Counters, EndpointKind, SessionEnd, WakeStyle};

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
