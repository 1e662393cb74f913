//! Database credentials: short-lived passwords for Postgres, and their source.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::{ComputeName, EndpointName, MaybeSend, MaybeSync, Result, Secret, Timestamp};

/// A short-lived Postgres password, and when it expires.
///
/// Postgres checks it at login only; sessions continue after it has expired.
#[derive(Clone, Debug)]
pub struct DatabaseCredential {
    /// The OAuth token that Postgres accepts as the password.
    pub token: Secret,
    /// The first moment at which the server refuses the token, by the *server's* clock.
    pub expires_at: Timestamp,
    /// The server's clock when it answered, if the reply has a `Date`.
    pub served_at: Option<Timestamp>,
}

/// Limits a credential to tables of Unity Catalog.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Claim {
    /// The permissions, such as `READ_ONLY`.
    pub permission_set: Arc<str>,
    /// Full table names, `catalog.schema.table`.
    pub tables: Vec<Arc<str>>,
}

/// The parameters of a request for a credential.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CredentialRequest {
    /// The compute to log in to. The service requires it, although the token works for the whole workspace.
    pub compute: ComputeName,
    /// The token's lifetime: 5 minutes to 1 hour; `None` requests the service's default (1 hour). Provisioned instances
    /// accept `None` only.
    pub ttl: Option<Duration>,
    /// The permissions of the token; empty means everything that the identity may do.
    pub claims: Vec<Claim>,
    /// Go past every cache below, including the workspace token's, because the server refused the last credential.
    pub force: bool,
}

impl CredentialRequest {
    /// A request for `endpoint` with the service's defaults.
    #[must_use]
    pub fn new(endpoint: EndpointName) -> Self {
        Self { compute: endpoint.into(), ttl: None, claims: Vec::new(), force: false }
    }
}

/// Obtains database credentials.
///
/// Implementations fetch. Caching, retries and scheduling are those of [`refresh`](crate::refresh), the same for every
/// source.
///
/// # Contract
///
/// - **Freshness:** every call asks the service. Two calls may return two tokens.
/// - **Cancellation:** dropping the future abandons the request and leaves `self` usable.
/// - **Secrecy:** neither `Debug` output nor an error contains a token.
/// - **Expiry:** `expires_at` is the service's value; a reply without one is an error.
#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
pub trait CredentialSource: fmt::Debug + MaybeSend + MaybeSync {
    /// Fetches a new credential for `request`.
    ///
    /// # Errors
    ///
    /// - [`Unauthenticated`](crate::ErrorKind::Unauthenticated): the workspace identity was refused.
    /// - [`NotFound`](crate::ErrorKind::NotFound): there is no such endpoint.
    /// - [`PermissionDenied`](crate::ErrorKind::PermissionDenied),
    ///   [`InvalidRequest`](crate::ErrorKind::InvalidRequest): ask an administrator.
    /// - [`Throttled`](crate::ErrorKind::Throttled), [`Unavailable`](crate::ErrorKind::Unavailable),
    ///   [`TimedOut`](crate::ErrorKind::TimedOut): try again later.
    /// - [`Protocol`](crate::ErrorKind::Protocol): the reply lacks a token or an expiry.
    async fn fetch(&self, request: &CredentialRequest) -> Result<DatabaseCredential>;
}
