//! The kinds of identity, and their order.
//!
//! The order is that of `DefaultCredentials` in Databricks' SDK for Python 0.162 (`credentials_provider.py`), with
//! `azure-msi`, which only the SDK for Go 0.175 has (`config/auth_default.go`), where Go has it: before
//! `azure-client-secret`. Unlike the SDKs, this crate tries nothing: it uses the first kind with all its settings.

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

/// All kinds, in their order.
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

/// Boxes a function that makes a token source.
pub(crate) fn prepared<S: TokenSource + 'static>(
    make: impl Fn(&Session) -> S + Send + Sync + 'static,
) -> Result<Option<Prepared>> {
    Ok(Some(Arc::new(move |session: &Session| Arc::new(make(session)) as Arc<dyn TokenSource>)))
}
