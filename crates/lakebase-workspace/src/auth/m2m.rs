//! OAuth for service principals: `oauth-m2m`.
//!
//! The client credentials grant of RFC 6749 §4.4 at the workspace's token end point, with id and secret in HTTP
//! Basic; facts from Databricks' SDK for Python 0.162, `credentials_provider.py` `oauth_service_principal`.

use std::sync::Arc;

use lakebase_core::refresh::Demand;
use lakebase_core::{Error, ErrorKind, Result, Secret, Setting};

use super::AccessToken;
use super::kind::{Identity, Kind, Prepared, Reading, prepared};
use super::token_endpoint::TokenEndpoint;
use crate::wire;

pub(super) const KIND: Kind =
    Kind { name: "oauth-m2m", needs: "client_id (DATABRICKS_CLIENT_ID)", read };

fn read(reading: &Reading<'_>) -> Result<Option<Prepared>> {
    match (reading.get("client_id"), reading.get("client_secret")) {
        (Some(client_id), Some(client_secret)) => {
            let client_secret = client_secret.into_secret();
            Ok(Some(prepared(KIND.name, move |session| OauthM2m {
                endpoint: TokenEndpoint::new(session.clone()),
                client_id: client_id.clone(),
                client_secret: client_secret.clone(),
            })))
        }
        _ if reading.demanded => half(reading).map_or(Ok(None), Err),
        _ => Ok(None),
    }
}

/// The missing setting if only the id or only the secret is set.
pub(super) fn half(reading: &Reading<'_>) -> Option<Error> {
    let (there, missing) = match (reading.get("client_id"), reading.get("client_secret")) {
        (Some(id), None) => (id, "client_secret (DATABRICKS_CLIENT_SECRET)"),
        (None, Some(secret)) => (secret, "client_id (DATABRICKS_CLIENT_ID)"),
        _ => return None,
    };
    Some(there.error(format!("a service principal also needs {missing}, which is not set")))
}

/// A service principal with a client secret.
#[derive(Debug)]
struct OauthM2m {
    endpoint: TokenEndpoint,
    client_id: Setting<String>,
    client_secret: Setting<Secret>,
}

impl Identity for OauthM2m {
    async fn mint(&self, _: Demand) -> Result<AccessToken> {
        let (id, secret) = (&self.client_id.value, &self.client_secret.value);
        let secrets = [secret.clone(), wire::basic(id, secret)];
        self.endpoint.token(|uri| wire::client_credentials(uri, id, secret), &secrets).await
    }

    fn explain(&self, error: Error) -> Error {
        if error.kind() == ErrorKind::Unauthenticated {
            let (id, secret) = (&self.client_id, &self.client_secret);
            error.context(format!(
                "the workspace refused client id {:?} from {} with the secret from {}",
                id.value, id.origin, secret.origin
            ))
        } else {
            error.context("getting an OAuth token")
        }
    }

    fn describe(&self) -> String {
        format!("the service principal {} from {}", self.client_id.value, self.client_id.origin)
    }

    fn user(&self) -> Option<Arc<str>> {
        Some(self.client_id.value.as_str().into())
    }
}
