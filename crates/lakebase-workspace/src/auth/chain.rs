//! The kinds of identity, and their order.
//!
//! The order is that of `DefaultCredentials` in Databricks' SDK for Python 0.162 (`credentials_provider.py`), with
//! `azure-msi`, which only the SDK for Go 0.175 has (`config/auth_default.go`), where Go has it: before
//! `azure-client-secret`. Unlike the SDKs, this crate tries nothing: it uses the first kind with all its settings.

use super::kind::Kind;
use super::{
    azure_cli, azure_client_secret, azure_devops_oidc, azure_msi, cli, env_oidc, file_oidc,
    github_oidc, github_oidc_azure, google_credentials, google_id, m2m, metadata_service, pat,
};

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
