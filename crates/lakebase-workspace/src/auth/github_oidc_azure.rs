//! GitHub Actions' token service, for a service principal of Entra: `github-oidc-azure`.
//!
//! GitHub's id token for the audience `api://AzureADTokenExchange` takes the place of the client secret at Entra (RFC 7523
//! §2.2), by a federated credential of the application. Facts from Databricks' SDK for Python 0.162,
//! `credentials_provider.py` `github_oidc_azure`, and for Go 0.175, `config/auth_azure_github_oidc.go`.

use async_trait::async_trait;
use lakebase_core::refresh::Demand;
use lakebase_core::{Result, Setting};

use super::azure::{Azure, Tenant, azure};
use super::github_oidc::Github;
use super::kind::{Kind, Prepared, Reading, prepared};
use super::service::{REMOTE, Service};
use super::{AccessToken, TokenSource};
use crate::session::Session;
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
    prepared(move |session: &Session| GithubOidcAzure {
        session: session.clone(),
        github: github(session),
        service: Service::new(session, "Entra", REMOTE),
        tenant: Tenant::new(session, &azure),
        azure: azure.clone(),
        client_id: client_id.clone(),
    })
}

#[derive(Debug)]
struct GithubOidcAzure {
    session: Session,
    github: Github,
    service: Service,
    azure: Azure,
    tenant: Tenant,
    client_id: Setting<String>,
}

impl GithubOidcAzure {
    async fn mint(&self) -> Result<AccessToken> {
        let id_token = self.github.ask(AUDIENCE).await?;
        let tenant = self.tenant.get().await?;
        let Azure { login, application, .. } = &self.azure;
        let request =
            wire::entra_exchange(login, &tenant, application, &self.client_id.value, &id_token)?;
        let asked_at = self.session.runtime.clock.wall();
        let reply = self.service.ask(request, &[id_token]).await?;
        wire::oauth_token(reply.body(), asked_at, wire::served_at(reply.headers()))
    }
}

#[cfg_attr(not(all(target_family = "wasm", target_os = "unknown")), async_trait)]
#[cfg_attr(all(target_family = "wasm", target_os = "unknown"), async_trait(?Send))]
impl TokenSource for GithubOidcAzure {
    async fn fetch(&self, _: Demand) -> Result<AccessToken> {
        self.mint().await.map_err(|error| {
            let Setting { value, origin } = &self.client_id;
            error.context(format!("getting a token of Entra for client id {value:?} from {origin}"))
        })
    }

    fn auth_type(&self) -> &str {
        KIND.name
    }

    fn describe(&self) -> String {
        let Setting { value, origin } = &self.client_id;
        format!("the service principal {value} of Entra from {origin}, vouched for by GitHub")
    }
}
