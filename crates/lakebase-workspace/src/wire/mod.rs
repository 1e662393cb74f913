//! The service's wire format: functions that write requests and read replies, without I/O and state.
//!
//! Facts come from the public REST reference of the `postgres` and `database` services, and from Databricks' SDKs for
//! Python 0.162 and for Go 0.175. Readers accept unknown fields and enum values, a missing `spec`, and integers as strings.

mod azure;
mod failure;
mod federation;
mod google;
mod instance;
mod json;
mod redact;
mod reply;
mod request;
mod services;

pub(crate) use azure::{
    azure_cli_is_managed, azure_cli_token, azure_login, azure_machine_token, azure_tenant,
    entra_exchange, entra_token, get_uri, jwt_names_a_person, machine_token,
};
pub use failure::failure;
pub(crate) use failure::served_at;
pub use federation::jwt_expiry;
pub(crate) use federation::token_exchange;
#[cfg(feature = "google-credentials")]
pub(crate) use google::google_assertion;
pub(crate) use google::{
    GoogleFile, google_access_token, google_id_token, google_identity, google_machine_token,
    google_refresh, google_unsupported,
};
#[cfg(feature = "google-credentials")]
pub(crate) use google::{GoogleKey, SCOPES};
pub(crate) use instance::instance;
pub(crate) use redact::{clean, clean_with};
pub use reply::{
    Page, cli_token, credential, endpoint, endpoint_page, oauth_token, oidc_audience,
    oidc_endpoint, token_endpoint, user_name,
};
pub(crate) use reply::{branch_page, project_page};
pub(crate) use request::{
    basic, client_credentials, current_user, databricks_config, find_instance, generate_credential,
    get_endpoint, list_branches, list_endpoints, list_projects, oauth_metadata, token_uri,
};
pub(crate) use services::{azure_devops_id_token, github_id_token, header, sensitive, taken};
