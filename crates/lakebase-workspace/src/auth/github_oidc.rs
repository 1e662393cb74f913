//! GitHub Actions' token service: `github-oidc`.
//!
//! A job with the permission `id-token: write` has the address of the service and a token for it; the reply is
//! `{"value": …}`. The audience is `token_audience`, otherwise the workspace's. Without `auth_type` a client id is required,
//! as in Databricks' SDK for Python 0.162 (`credentials_provider.py` `github_oidc`,
//! `oidc_token_supplier.py` `GitHubOIDCTokenSupplier`); the SDK for Go 0.175 goes without
//! (`config/experimental/auth/oidc/github.go`).

use lakebase_core::{Result, Secret, Setting};

use super::exchange::{Audience, IdTokens, federated};
use super::kind::{Kind, Prepared, Reading};
use super::service::{self, REMOTE, Service};
use crate::session::Session;
use crate::wire;

pub(super) const KIND: Kind = Kind {
    name: "github-oidc",
    needs: "ACTIONS_ID_TOKEN_REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN (a job of GitHub Actions has them with the permission `id-token: write`)",
    read,
};

fn read(reading: &Reading<'_>) -> Result<Option<Prepared>> {
    if !reading.demanded && reading.get("client_id").is_none() {
        return Ok(None);
    }
    let Some(github) = Github::read(reading)? else { return Ok(None) };
    federated(KIND.name, reading, github)
}

/// GitHub's token service.
#[derive(Debug)]
pub(super) struct Github {
    service: Service,
    url: Setting<String>,
    token: Setting<Secret>,
}

impl Github {
    /// The service, if this is a job with that permission.
    pub(super) fn read(
        reading: &Reading<'_>,
    ) -> Result<Option<impl Fn(&Session) -> Self + Send + Sync + 'static>> {
        let pair = (
            reading.get("actions_id_token_request_url"),
            reading.get("actions_id_token_request_token"),
        );
        let (Some(url), Some(token)) = pair else { return Ok(None) };
        let checked = url.value.parse().map_err(|_| "is not a URL; accepted: https://…");
        checked.and_then(|uri| service::accepts(&uri)).map_err(|problem| url.error(problem))?;
        let token = token.into_secret();
        Ok(Some(move |session: &Session| Self {
            service: Service::new(session, "GitHub's token service", REMOTE),
            url: url.clone(),
            token: token.clone(),
        }))
    }

    /// An id token for `audience`.
    pub(super) async fn ask(&self, audience: &str) -> Result<Secret> {
        let token = &self.token.value;
        let request = wire::github_id_token(&self.url.value, token, audience)?;
        let reply = self.service.ask(request, std::slice::from_ref(token)).await;
        let reply = reply.map_err(|error| error.context("getting an id token"))?;
        wire::taken(KIND.name, reply.body(), "value")
    }
}

impl IdTokens for Github {
    async fn id_token(&self, audience: &Audience<'_>) -> Result<Secret> {
        self.ask(&audience.get().await?).await
    }

    fn describe(&self) -> String {
        format!("the id token of GitHub's token service from {}", self.url.origin)
    }
}
