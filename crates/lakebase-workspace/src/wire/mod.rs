//! The service's wire format: requests and replies as plain data.
//!
//! Pure functions: no clock, no network, no state. Facts come from the public REST reference of the
//! `postgres` and `database` services and from Databricks' SDK for Python 0.162 and for Go 0.175. Unknown fields, unknown
//! enum values and a missing `spec` are fine; integers may be written as strings.

mod failure;
mod instance;
mod json;
mod redact;
mod reply;
mod request;

pub use failure::{failure, served_at};
pub use instance::{find_instance, instance};
pub use redact::{clean, clean_with};
pub use reply::{
    Page, branch_page, cli_token, credential, endpoint, endpoint_page, oauth_token, oidc_endpoint,
    project_page, token_endpoint, user_name,
};
pub(crate) use request::basic;
pub use request::{
    client_credentials, current_user, databricks_config, generate_credential, get_endpoint,
    list_branches, list_endpoints, list_projects, oauth_metadata, token_uri,
};
