//! GitHub Actions' token service, for a service principal of Entra: `github-oidc-azure`.
//!
//! GitHub's id token for the audience `api://AzureADTokenExchange` takes the place of the client secret at Entra (RFC 7523
//! §2.2), by a federated credential of the application. Facts from Databricks' SDK for Python 0.162,
//! `credentials_provider.py` `github_oidc_azure`, and for Go 0.175, `config/auth_azure_github_oidc.go`.

use lakebase_core::refresh::Demand;
use lakebase_core::{Error, Result, Setting};

use super::AccessToken;
use super::azure::{Azure, Tenant, azure};
use super::github_oidc::Github;
use super::kind::{Identity, Kind, Prepared, Reading, prepared};
use super::service::{REMOTE, Service};
use crate::wire;

pub(super) const KIND: Kind = Kind {
    name: "github-oidc-azure",
    needs: "azure_client_id (ARM_CLIENT_ID) and, of a job of GitHub Actions with the permission `id-token: write`, ACTIONS_ID_TOKEN_REQUEST_URL",
    read,
};

/// The audience of id tokens for Entra.
const AUDIENCE: &str = "api://AzureADTokenExchange";

fn read(reading: &Reading<'_>) -> Result<Option<Prepared>> {
    let Some(client_id) = reading.get("azure_client_id") else { return Ok(None) };
    let Some(github) = Github::read(reading)? else { return Ok(None) };
    let Some(azure) = azure(reading)? else { return Ok(None) };
    Ok(Some(prepared(KIND.name, move |session| GithubOidcAzure {
        github: github(session),
        service: Service::new(session, "Entra", REMOTE),
        tenant: Tenant::new(session, &azure),
        azure: azure.clone(),
        client_id: client_id.clone(),
    })))
}

#[derive(Debug)]
struct GithubOidcAzure {
    github: Github,
    service: Service,
    azure: Azure,
    tenant: Tenant,
    client_id: Setting<String>,
}

impl Identity for GithubOidcAzure {
    async fn mint(&self, _: Demand) -> Result<AccessToken> {
        let id_token = self.github.ask(AUDIENCE).await?;
        let tenant = self.tenant.get().await?;
        let Azure { login, application, .. } = &self.azure;
        let request =
            wire::entra_exchange(login, &tenant, application, &self.client_id.value, &id_token)?;
        self.service.oauth_token(request, &[id_token]).await
    }

    fn explain(&self, error: Error) -> Error {
        let Setting { value, origin } = &self.client_id;
        error.context(format!("getting a token of Entra for client id {value:?} from {origin}"))
    }

    fn describe(&self) -> String {
        let Setting { value, origin } = &self.client_id;
        format!("the service principal {value} of Entra from {origin}, vouched for by GitHub")
    }
}
