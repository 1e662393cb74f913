//! A function of the program as an identity.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use lakebase_core::refresh::Demand;
use lakebase_core::{MaybeSend, MaybeSync, Result};

use super::{AccessToken, TokenSource};

/// Tokens from an async function of the program.
///
/// ```
/// use lakebase_workspace::AccessToken;
/// use lakebase_workspace::auth::Callback;
///
/// let source = Callback::new(|_demand| async {
///     Ok(AccessToken::new("from-my-vault"))
/// });
/// # assert!(!format!("{source:?}").contains("vault"));
/// ```
pub struct Callback<F> {
    fetch: F,
    user: Option<Arc<str>>,
}

impl<F> Callback<F> {
    /// Calls `fetch` for every token. A token without `expires_at` is fetched again after 24 hours, and when the workspace
    /// refuses it.
    #[must_use]
    pub fn new<T>(fetch: F) -> Self
    where
        F: Fn(Demand) -> T,
        T: Future<Output = Result<AccessToken>>,
    {
        Self { fetch, user: None }
    }

    /// The identity's Postgres user, which saves a request to the workspace.
    #[must_use]
    pub fn user(mut self, user: impl Into<Arc<str>>) -> Self {
        self.user = Some(user.into());
        self
    }
}

impl<F> fmt::Debug for Callback<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback").field("user", &self.user).finish_non_exhaustive()
    }
}

#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
impl<F, T> TokenSource for Callback<F>
where
    F: Fn(Demand) -> T + MaybeSend + MaybeSync,
    T: Future<Output = Result<AccessToken>> + MaybeSend,
{
    async fn fetch(&self, demand: Demand) -> Result<AccessToken> {
        (self.fetch)(demand).await
    }

    fn auth_type(&self) -> &str {
        "callback"
    }

    fn describe(&self) -> String {
        "the token from the program's callback".to_owned()
    }

    fn user(&self) -> Option<Arc<str>> {
        self.user.clone()
    }
}
