//! Azure DevOps' token service: `azure-devops-oidc`.
//!
//! Variables of the pipeline have its address, and a step maps the token for it to `SYSTEM_ACCESSTOKEN`. The reply is
//! `{"oidcToken": …}`, always for the audience `api://AzureADTokenExchange`. Without `auth_type` a client id is required. Facts from Databricks' SDK for Python 0.162
//! (`oidc_token_supplier.py` `AzureDevOpsOIDCTokenSupplier`) and for Go 0.175
//! (`config/experimental/auth/oidc/azuredevops.go`).

use http::Uri;
use lakebase_core::{Error, ErrorKind, Result, Secret};

use super::exchange::{Audience, IdTokens, federated};
use super::kind::{Kind, Prepared, Reading};
use super::service::{self, REMOTE, Service};
use crate::wire;

pub(super) const KIND: Kind = Kind {
    name: "azure-devops-oidc",
    needs: "SYSTEM_ACCESSTOKEN (map it in the step: `env: SYSTEM_ACCESSTOKEN: $(System.AccessToken)`)",
    read,
};

const TOKEN: &str = "SYSTEM_ACCESSTOKEN";
const COLLECTION: &str = "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI";

fn read(reading: &Reading<'_>) -> Result<Option<Prepared>> {
    let var = |name| reading.environment.var(name);
    let (Some(token), Some(collection)) = (var(TOKEN), var(COLLECTION)) else {
        return match (var(TOKEN), reading.demanded) {
            (Some(token), true) => {
                Err(token
                    .error(format!("{COLLECTION} is needed, too; is this a job of Azure DevOps?")))
            }
            _ => Ok(None),
        };
    };
    let parts = ["SYSTEM_TEAMPROJECTID", "SYSTEM_HOSTTYPE", "SYSTEM_PLANID", "SYSTEM_JOBID"];
    let mut values = Vec::new();
    for name in parts {
        match var(name) {
            Some(part) => values.push(part.value),
            None if reading.demanded => {
                let problem = format!(
                    "azure-devops-oidc needs {name}, which is not set; is this a job of Azure DevOps?"
                );
                return Err(Error::new(ErrorKind::Config, problem));
            }
            None => return Ok(None),
        }
    }
    if !reading.demanded && reading.get("client_id").is_none() {
        return Ok(None);
    }
    let [project, hub, plan, job] = <[String; 4]>::try_from(values).unwrap_or_default();
    let base = collection.value.trim_end_matches('/');
    let url = format!(
        "{base}/{project}/_apis/distributedtask/hubs/{hub}/plans/{plan}/jobs/{job}/oidctoken?api-version=7.2-preview.1"
    );
    let uri: Uri = url.parse().map_err(|_| collection.error("does not give a URL"))?;
    service::accepts(&uri).map_err(|problem| collection.error(problem))?;
    let token = token.into_secret().value;
    federated(KIND.name, reading, move |session| AzureDevops {
        service: Service::new(session, "Azure DevOps' token service", REMOTE),
        uri: uri.clone(),
        token: token.clone(),
    })
}

#[derive(Debug)]
struct AzureDevops {
    service: Service,
    uri: Uri,
    token: Secret,
}

impl IdTokens for AzureDevops {
    async fn id_token(&self, _: &Audience<'_>) -> Result<Secret> {
        let request = wire::azure_devops_id_token(&self.uri, &self.token)?;
        let reply = self.service.ask(request, std::slice::from_ref(&self.token)).await;
        let reply = reply.map_err(|error| error.context("getting an id token"))?;
        wire::taken(KIND.name, reply.body(), "oidcToken")
    }

    fn describe(&self) -> String {
        format!(
            "the id token of Azure DevOps' token service, asked with {TOKEN} (environment variable)"
        )
    }
}
