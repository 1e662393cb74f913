//! A managed identity of a machine on Azure: `azure-msi`.
//!
//! `GET http://169.254.169.254/metadata/identity/oauth2/token` with the header `Metadata: true`, for Databricks and for
//! Azure's management; `azure_client_id` selects one of several identities. Facts from Databricks' SDK for Go 0.175,
//! `config/auth_azure_msi.go`; the SDK for Python has no such kind.

use lakebase_core::refresh::Demand;
use lakebase_core::{Error, Result, Setting};

use super::AccessToken;
use super::azure::{Azure, azure};
use super::kind::{Identity, Kind, Prepared, Reading, prepared};
use super::service::{NEAR, Service};
use crate::wire;

pub(super) const KIND: Kind =
    Kind { name: "azure-msi", needs: "azure_use_msi=true (ARM_USE_MSI)", read };

fn read(reading: &Reading<'_>) -> Result<Option<Prepared>> {
    let Some(wanted) = reading.get("azure_use_msi") else { return Ok(None) };
    match wanted.value.to_ascii_lowercase().as_str() {
        "true" | "1" | "t" => {}
        "false" | "0" | "f" => return Ok(None),
        _ => return Err(wanted.error("is not a truth value; accepted: true, false")),
    }
    let Some(azure) = azure(reading)? else { return Ok(None) };
    let client_id = reading.get("azure_client_id");
    Ok(Some(prepared(KIND.name, move |session| AzureMsi {
        service: Service::new(session, "the metadata service of this machine (IMDS)", NEAR),
        azure: azure.clone(),
        client_id: client_id.clone(),
    })))
}

#[derive(Debug)]
struct AzureMsi {
    service: Service,
    azure: Azure,
    client_id: Option<Setting<String>>,
}

impl AzureMsi {
    async fn token(&self, resource: &str) -> Result<AccessToken> {
        let client_id = self.client_id.as_ref().map(|id| id.value.as_str());
        let request = wire::azure_machine_token(resource, client_id)?;
        let reply = self.service.ask(request, &[]).await?;
        wire::machine_token(reply.body(), wire::served_at(reply.headers()))
    }
}

impl Identity for AzureMsi {
    async fn mint(&self, _: Demand) -> Result<AccessToken> {
        let token = self.token(self.azure.application).await?;
        let management = self.token(self.azure.management).await?;
        self.azure.accompany(token, Some(&management))
    }

    fn explain(&self, error: Error) -> Error {
        let client_id = self.client_id.as_ref();
        let which =
            client_id.map_or(String::new(), |id| format!(" {:?} from {}", id.value, id.origin));
        error.context(format!(
            "getting a token of the managed identity{which}; has this machine one?"
        ))
    }

    fn describe(&self) -> String {
        match &self.client_id {
            Some(id) => format!("the managed identity {} from {}", id.value, id.origin),
            None => "the managed identity of this machine".to_owned(),
        }
    }
}
