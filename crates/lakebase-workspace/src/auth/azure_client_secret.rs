//! A service principal of Entra with a client secret: `azure-client-secret`.
//!
//! The client credentials grant at `{login}/{tenant}/oauth2/token`, once for Databricks and once for Azure's management;
//! the second token is sent as `X-Databricks-Azure-SP-Management-Token`, so that a principal who is not in the workspace
//! yet is admitted by its role in Azure. Facts from Databricks' SDK for Python 0.162, `credentials_provider.py`
//! `azure_service_principal`.

use lakebase_core::refresh::Demand;
use lakebase_core::{Error, ErrorKind, Result, Secret, Setting};

use super::AccessToken;
use super::azure::{Azure, Tenant, azure};
use super::kind::{Identity, Kind, Prepared, Reading, prepared};
use super::service::{REMOTE, Service};
use crate::wire;

pub(super) const KIND: Kind = Kind {
    name: "azure-client-secret",
    needs: "azure_client_id (ARM_CLIENT_ID) and azure_client_secret (ARM_CLIENT_SECRET)",
    read,
};

fn read(reading: &Reading<'_>) -> Result<Option<Prepared>> {
    let pair = (reading.get("azure_client_id"), reading.get("azure_client_secret"));
    let (Some(client_id), Some(secret)) = pair else { return Ok(None) };
    let Some(azure) = azure(reading)? else { return Ok(None) };
    let secret = secret.into_secret();
    Ok(Some(prepared(KIND.name, move |session| AzureClientSecret {
        service: Service::new(session, "Entra", REMOTE),
        tenant: Tenant::new(session, &azure),
        azure: azure.clone(),
        client_id: client_id.clone(),
        secret: secret.clone(),
    })))
}

#[derive(Debug)]
struct AzureClientSecret {
    service: Service,
    azure: Azure,
    tenant: Tenant,
    client_id: Setting<String>,
    secret: Setting<Secret>,
}

impl AzureClientSecret {
    async fn token(&self, tenant: &str, resource: &str) -> Result<AccessToken> {
        let (id, secret) = (&self.client_id.value, &self.secret.value);
        let request = wire::entra_token(self.azure.login, tenant, resource, id, secret)?;
        self.service.oauth_token(request, std::slice::from_ref(secret)).await
    }
}

impl Identity for AzureClientSecret {
    async fn mint(&self, _: Demand) -> Result<AccessToken> {
        let tenant = self.tenant.get().await?;
        let token = self.token(&tenant, self.azure.application).await?;
        let management = self.token(&tenant, self.azure.management).await?;
        self.azure.accompany(token, Some(&management))
    }

    fn explain(&self, error: Error) -> Error {
        match error.kind() {
            ErrorKind::Unauthenticated => error.context(format!(
                "Entra refused client id {:?} from {} with the secret from {}",
                self.client_id.value, self.client_id.origin, self.secret.origin
            )),
            _ => error.context("getting a token of Entra"),
        }
    }

    fn describe(&self) -> String {
        let id = &self.client_id;
        format!("the service principal {} of Entra from {}", id.value, id.origin)
    }
}
