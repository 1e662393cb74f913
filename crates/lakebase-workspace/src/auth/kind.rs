//! A kind of identity, and the settings that it is read from.

use std::sync::Arc;

use lakebase_core::{Environment, Result, Setting};

use super::TokenSource;
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

/// Boxes a function that makes a token source.
pub(crate) fn prepared<S: TokenSource + 'static>(
    make: impl Fn(&Session) -> S + Send + Sync + 'static,
) -> Result<Option<Prepared>> {
    Ok(Some(Arc::new(move |session: &Session| Arc::new(make(session)) as Arc<dyn TokenSource>)))
}
