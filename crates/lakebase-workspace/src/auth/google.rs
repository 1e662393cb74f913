//! The second token, which Google's identities share.
//!
//! Databricks accepts an id token that Google issued for the workspace's address. If there is an access token of the same
//! account, it is sent as `X-Databricks-GCP-SA-Access-Token`, which only calls of the account API need. Facts from Databricks'
//! SDK for Python 0.162 (`credentials_provider.py` `google_id`, `google_credentials`) and google-auth 2.63.

use lakebase_core::Result;

use super::AccessToken;
use crate::wire;

/// The id token, with the access token, if any.
pub(super) fn accompany(
    mut identity: AccessToken,
    access: Result<AccessToken>,
) -> Result<AccessToken> {
    if let Ok(access) = access {
        let value = wire::sensitive(&access.token)?;
        identity.headers.insert("x-databricks-gcp-sa-access-token", value);
    }
    Ok(identity)
}
