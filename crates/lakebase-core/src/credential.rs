//! Database credentials: short-lived passwords for Postgres, and where they come from.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::{ComputeName, EndpointName, MaybeSend, MaybeSync, Result, Secret, Timestamp};

/// A short-lived Postgres password and the moment it stops working.
///
/// Postgres checks it at login only; open sessions outlive it.
#[derive(Clone, Debug)]
pub struct DatabaseCredential {
    /// The OAuth token that Postgres accepts as the password.
    pub token: Secret,
    /// The first moment at which the server refuses the token, by the *server's* clock.
    pub expires_at: Timestamp,
    /// The server's clock when it answered (the `Date` of the reply), if it said.
    pub served_at: Option<Timestamp>,
}

/// A narrowing of a credential to tables of Unity Catalog.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Claim {
    /// What may be done, e.g. `READ_ONLY`.
    pub permission_set: Arc<str>,
    /// Full table names, `catalog.schema.table`.
    pub tables: Vec<Arc<str>>,
}

/// What credential is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CredentialRequest {
    /// The compute to log in to. The service wants it named; the token works for the whole workspace.
    pub compute: ComputeName,
    /// How long the token shall live: 5 minutes to 1 hour; `None` leaves it to the service (1 hour).
    /// Provisioned instances take `None` only.
    pub ttl: Option<Duration>,
    /// Narrows the token; empty means everything that the identity may do.
    pub claims: Vec<Claim>,
    /// The last credential was refused: go past every cache below, also the workspace token's.
    pub force: bool,
}

impl CredentialRequest {
    /// A request for `endpoint` with the service's defaults.
    #[must_use]
    pub fn new(endpoint: EndpointName) -> Self {
        Self::for_compute(endpoint.into())
    }

    /// A request for `compute`, which may be a Provisioned instance, with the service's defaults.
    #[must_use]
    pub fn for_compute(compute: ComputeName) -> Self {
        Self { compute, ttl: None, claims: Vec::new(), force: false }
    }
}

/// Obtains database credentials.
///
/// Implementations fetch; they do not cache, retry or schedule. Those belong to
/// [`refresh`](crate::refresh), so that every source behaves alike.
///
/// # Contract
///
/// - **Freshness:** every call asks the service again. Two calls may return two tokens.
/// - **Cancellation:** dropping the future abandons the request and leaves `self` usable.
/// - **Secrecy:** neither `Debug` output nor a returned error may contain a token.
/// - **Expiry:** `expires_at` is what the service said; a reply without one is an error.
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
