//! A kind of identity, and the settings that it is read from.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use lakebase_core::refresh::Demand;
use lakebase_core::{Environment, Error, MaybeSend, MaybeSync, Result, Setting};

use super::{AccessToken, TokenSource};
use crate::WorkspaceHost;
use crate::config::Settings;
use crate::session::Session;

/// A kind of identity.
#[derive(Debug)]
pub(crate) struct Kind {
    /// The SDKs' name, for `auth_type`.
    pub(crate) name: &'static str,
    /// Its required settings, for the error if `auth_type` names it and they are not set.
    pub(crate) needs: &'static str,
    /// Reads the identity; `None` if the settings describe none of this kind.
    pub(crate) read: fn(&Reading<'_>) -> Result<Option<Prepared>>,
}

/// Makes the token source of an identity for a session.
pub(crate) type Prepared = Arc<dyn Fn(&Session) -> Arc<dyn TokenSource> + Send + Sync>;

/// The input of an identity.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) environment: &'a Environment,
    pub(crate) host: &'a Setting<WorkspaceHost>,
    /// Whether `auth_type` names this kind.
    pub(crate) demanded: bool,
}

impl Reading<'_> {
    /// The setting `key`.
    pub(crate) fn get(&self, key: &str) -> Option<Setting<String>> {
        self.settings.get(key).cloned()
    }
}

/// An identity that settings describe.
pub(super) trait Identity: fmt::Debug + MaybeSend + MaybeSync {
    /// Fetches a token.
    fn mint(&self, demand: Demand) -> impl Future<Output = Result<AccessToken>> + MaybeSend;

    /// An error of [`mint`](Self::mint) with what failed and the origin of its settings. Contains no secret.
    fn explain(&self, error: Error) -> Error {
        error
    }

    /// The identity and the origin of its settings: see [`TokenSource::describe`].
    fn describe(&self) -> String;

    /// The Postgres user name, if it is known without a request.
    fn user(&self) -> Option<Arc<str>> {
        None
    }

    /// Whether another fetch can return another token.
    fn is_renewable(&self) -> bool {
        true
    }
}

/// An identity of the kind with this name.
#[derive(Debug)]
pub(super) struct Named<I>(pub(super) &'static str, pub(super) I);

#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
impl<I: Identity> TokenSource for Named<I> {
    async fn fetch(&self, demand: Demand) -> Result<AccessToken> {
        self.1.mint(demand).await.map_err(|error| self.1.explain(error))
    }

    fn auth_type(&self) -> &str {
        self.0
    }

    fn describe(&self) -> String {
        self.1.describe()
    }

    fn user(&self) -> Option<Arc<str>> {
        self.1.user()
    }

    fn is_renewable(&self) -> bool {
        self.1.is_renewable()
    }
}

/// Boxes a function that makes an identity of the kind `name`.
pub(super) fn prepared<I: Identity + 'static>(
    name: &'static str,
    make: impl Fn(&Session) -> I + Send + Sync + 'static,
) -> Prepared {
    Arc::new(move |session| Arc::new(Named(name, make(session))))
}
