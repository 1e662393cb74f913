//! Databricks' local metadata service: `metadata-service`.
//!
//! `GET` of `metadata_service_url` on this machine, with `X-Databricks-Metadata-Version: 1` and the workspace as
//! `X-Databricks-Host`; the reply has `access_token` and `expires_on`. The address is a secret, because it is enough to
//! get tokens. Facts from Databricks' SDK for Python 0.162 (`credentials_provider.py` `MetadataServiceTokenSource`) and for Go
//! 0.175 (`config/auth_metadata_service.go`).

use http::{HeaderValue, Uri};
use lakebase_core::connect::is_loopback_name;
use lakebase_core::refresh::Demand;
use lakebase_core::{Result, Secret, SettingOrigin};

use super::AccessToken;
use super::kind::{Identity, Kind, Prepared, Reading, prepared};
use super::service::{self, NEAR, Service};
use crate::{WorkspaceHost, wire};

pub(super) const KIND: Kind = Kind {
    name: "metadata-service",
    needs: "metadata_service_url (DATABRICKS_METADATA_SERVICE_URL)",
    read,
};

fn read(reading: &Reading<'_>) -> Result<Option<Prepared>> {
    const ACCEPTED: &str = "accepted: http:// and an address of this machine";
    let Some(url) = reading.get("metadata_service_url") else { return Ok(None) };
    let Ok(uri) = url.value.parse::<Uri>() else {
        return Err(url.error(format!("is not a URL; {ACCEPTED}")));
    };
    if !uri.host().is_some_and(is_loopback_name) || service::accepts(&uri).is_err() {
        return Err(url.error(format!("does not lead to this machine; {ACCEPTED}")));
    }
    let origin = url.origin;
    Ok(Some(prepared(KIND.name, move |session| MetadataService {
        service: Service::new(session, "the metadata service", NEAR),
        host: session.host.clone(),
        uri: uri.clone(),
        origin: origin.clone(),
    })))
}

struct MetadataService {
    service: Service,
    host: WorkspaceHost,
    uri: Uri,
    origin: SettingOrigin,
}

impl std::fmt::Debug for MetadataService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MetadataService").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl Identity for MetadataService {
    async fn mint(&self, _: Demand) -> Result<AccessToken> {
        let mut request = wire::get_uri(&self.uri)?;
        let host = HeaderValue::try_from(self.host.as_str());
        wire::header(&mut request, "x-databricks-metadata-version", HeaderValue::from_static("1"));
        if let Ok(host) = host {
            wire::header(&mut request, "x-databricks-host", host);
        }
        // A refusal may quote it.
        let path = self.uri.path();
        let secrets =
            [self.uri.to_string().as_str(), path, path.rsplit('/').next().unwrap_or_default()]
                .map(Secret::new);
        let reply = self.service.ask(request, &secrets).await.map_err(|error| {
            error.context(format!("getting a token of the metadata service from {}", self.origin))
        })?;
        wire::machine_token(reply.body(), wire::served_at(reply.headers()))
    }

    fn describe(&self) -> String {
        format!("the token of the metadata service from {}", self.origin)
    }
}
