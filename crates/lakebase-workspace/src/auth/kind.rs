//! The kinds of identity and the order in which they are looked for.
//!
//! The order is that of `DefaultCredentials` in Databricks' SDK for Python 0.162 (`credentials_provider.py`), with
//! `azure-msi`, which only the SDK for Go 0.175 has (`config/auth_default.go`), where Go has it: before
//! `azure-client-secret`. Unlike there, nothing is tried: the first kind whose settings are there is the one.

use std::sync::Arc;

use lakebase_core::{Environment, Result, Setting};

use super::{
    TokenSource, azure_cli, azure_client_secret, azure_devops_oidc, azure_msi, cli, env_oidc,
    file_oidc, github_oidc, github_oidc_azure, google_credentials, google_id, m2m,
    metadata_service, pat,
};
use crate::WorkspaceHost;
use crate::config::Settings;
use crate::session::Session;

/// A kind of identity.
#[derive(Debug)]
pub(crate) struct Kind {
    /// The SDKs' name, for `auth_type`.
    pub(crate) name: &'static str,
    /// What it needs, for the error where `auth_type` names it and that is not set.
    pub(crate) needs: &'static str,
    /// Reads the identity; `None` if the settings do not describe one of this kind.
    pub(crate) read: fn(&Reading<'_>) -> Result<Option<Prepared>>,
}

/// An identity that was read: makes its token source for a session.
pub(crate) type Prepared = Arc<dyn Fn(&Session) -> Arc<dyn TokenSource> + Send + Sync>;

/// What an identity is read from.
#[derive(Clone, Copy)]
pub(crate) struct Reading<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) environment: &'a Environment,
    pub(crate) host: &'a Setting<WorkspaceHost>,
    /// Whether `auth_type` asks for this very kind.
    pub(crate) demanded: bool,
}

impl Reading<'_> {
    /// The setting `key`.
    pub(crate) fn get(&self, key: &str) -> Option<Setting<String>> {
        self.settings.get(key).cloned()
    }
}

/// All kinds, in the order in which they are looked for.
pub(crate) const CHAIN: &[Kind] = &[
    pat::KIND,
    metadata_service::KIND,
    m2m::KIND,
    env_oidc::KIND,
    file_oidc::KIND,
    github_oidc::KIND,
    azure_msi::KIND,
    azure_client_secret::KIND,
    github_oidc_azure::KIND,
    azure_cli::KIND,
    azure_devops_oidc::KIND,
    cli::KIND,
    google_credentials::KIND,
    google_id::KIND,
];

/// Turns what makes a token source into what a kind's `read` returns.
pub(crate) fn prepared<S: TokenSource + 'static>(
    make: impl Fn(&Session) -> S + Send + Sync + 'static,
) -> Result<Option<Prepared>> {
    Ok(Some(Arc::new(move |session: &Session| Arc::new(make(session)) as Arc<dyn TokenSource>)))
}
