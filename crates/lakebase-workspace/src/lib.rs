//! The Databricks workspace API: bearer tokens of an identity, endpoints, database credentials and the current user.
//!
//! This crate performs no I/O and depends on no runtime. Requests, time, files and programs go through the effect traits
//! of [`lakebase_core`].
//!
//! | Module | What it does |
//! |---|---|
//! | [`WorkspaceConfig`] | settings: program → environment → profile, each with its origin |
//! | [`auth`] | the identities of Databricks' SDKs, and a callback |
//! | [`WorkspaceClient`] | calls with a cached token: endpoints, credentials, current user |
//! | [`wire`] | requests and replies as plain data; pure functions |
//!
//! ```
//! use lakebase_core::{CredentialRequest, Environment, Result, Runtime, Secret};
//! use lakebase_workspace::{WorkspaceClient, WorkspaceConfig};
//!
//! async fn password(environment: &Environment, runtime: &Runtime) -> Result<Secret> {
//!     let config = WorkspaceConfig::from_environment(environment)?;
//!     let workspace = WorkspaceClient::new(config, runtime);
//!     let endpoint = "projects/shop/branches/production/endpoints/primary".parse()?;
//!     let credential = workspace.generate_credential(&CredentialRequest::new(endpoint)).await?;
//!     Ok(credential.token)
//! }
//! ```
//!
//! With the feature `tracing` every request is an event of level debug: method, path, status, time. The feature
//! `google-credentials` adds the keys of Google's service accounts, which sign with RSA (crate `ring`).
//!
//! Invariants: a secret is sent only to the configured host and to the token service that it is for. Redirects are not
//! followed. An error quotes the error code and the message of a reply, shortened and without anything like a token, and
//! nothing else of its body.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod auth;
mod calls;
mod client;
mod config;
mod host;
mod host_search;
mod observe;
mod retry;
mod session;
pub mod wire;

pub use auth::{AccessToken, TokenSource};
pub use client::WorkspaceClient;
pub use config::{
    EffectiveSetting, SettingValue, WorkspaceConfig, WorkspaceConfigBuilder, profile,
    secret_variables,
};
pub use host::WorkspaceHost;
pub use retry::Retry;

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
