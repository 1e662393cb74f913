//! The login of the Azure CLI: `azure-cli`.
//!
//! `az account get-access-token --resource … --output json`, with the subscription of `azure_workspace_resource_id` if that
//! works, and with the tenant unless the CLI runs as a managed identity. A service principal's token (without the claim
//! `upn`) is sent with one for Azure's management. The expiry is `expires_on` (CLI 2.54 and later), otherwise the token's,
//! because the older `expiresOn` is in local time. Facts from Databricks' SDK for Python 0.162,
//! `credentials_provider.py` `azure_cli`, `AzureCliTokenSource`.

use std::time::Duration;

use futures_util::TryFutureExt as _;
use lakebase_core::effect::ProcessOutput;
use lakebase_core::refresh::Demand;
use lakebase_core::{Error, ErrorKind, Result};

use super::AccessToken;
use super::azure::{Azure, Tenant, azure};
use super::kind::{Identity, Kind, Prepared, Reading, prepared};
use crate::session::{Session, within};
use crate::wire;

pub(super) const KIND: Kind = Kind { name: "azure-cli", needs: "a workspace on Azure", read };

/// The time limit: the CLI may request a new token from Entra.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Any of these settings selects this kind.
fn read(reading: &Reading<'_>) -> Result<Option<Prepared>> {
    if !reading.settings.configure("azure") && !reading.demanded {
        return Ok(None);
    }
    let Some(azure) = azure(reading)? else { return Ok(None) };
    Ok(Some(prepare(azure)))
}

pub(super) fn prepare(azure: Azure) -> Prepared {
    prepared(KIND.name, move |session| AzureCli {
        tenant: Tenant::new(session, &azure),
        session: session.clone(),
        azure: azure.clone(),
    })
}

/// `az account get-access-token`, for users who logged in with `az login`.
#[derive(Debug)]
struct AzureCli {
    session: Session,
    azure: Azure,
    tenant: Tenant,
}

impl AzureCli {
    async fn run(&self, arguments: &[&str]) -> Result<ProcessOutput> {
        let runtime = &self.session.runtime;
        let run = runtime.process.output("az", arguments).map_err(|error| {
            error.context(
                "the Azure CLI \"az\" could not be started; install it, or choose another identity",
            )
        });
        let late =
            || format!("`az {}` did not end within {} s", arguments.join(" "), TIMEOUT.as_secs());
        within(runtime, TIMEOUT, run, late).await
    }

    /// The tenant for the command line, if any.
    async fn tenant(&self) -> Result<Option<String>> {
        let tenant = match self.tenant.get().await {
            Ok(tenant) => tenant,
            Err(error) if error.is_transient() => return Err(error),
            Err(_) => return Ok(None),
        };
        let shown = self.run(&["account", "show", "--output", "json"]).await?;
        let managed = shown.success && wire::azure_cli_is_managed(&shown.stdout);
        Ok((!managed).then_some(tenant))
    }

    async fn token(&self, resource: &str, tenant: Option<&str>) -> Result<AccessToken> {
        let base = ["account", "get-access-token", "--resource", resource, "--output", "json"];
        let subscription = self.azure.resource_id.as_deref().and_then(|id| id.split('/').nth(2));
        let mut output = None;
        for subscription in [subscription, None].iter().skip(usize::from(subscription.is_none())) {
            let mut arguments = base.to_vec();
            arguments.extend(subscription.iter().flat_map(|id| ["--subscription", *id]));
            arguments.extend(tenant.iter().flat_map(|id| ["--tenant", *id]));
            let ran = self.run(&arguments).await?;
            // A user may have access to the workspace but not to its subscription.
            if ran.success {
                return wire::azure_cli_token(&ran.stdout);
            }
            output = Some(ran);
        }
        Err(output.map_or_else(
            || Error::new(ErrorKind::Unavailable, "`az` was not run"),
            |it| refusal(&it),
        ))
    }
}

fn refusal(output: &ProcessOutput) -> Error {
    let stderr = &output.stderr;
    let log_in =
        ["az login", "No subscription found", "AADSTS"].iter().any(|it| stderr.contains(it));
    let said = wire::clean_with(stderr, std::slice::from_ref(&output.stdout));
    let (kind, advice) = match log_in {
        true => (ErrorKind::Unauthenticated, "run `az login`; "),
        false => (ErrorKind::Unavailable, ""),
    };
    Error::new(kind, format!("`az account get-access-token` failed: {advice}it said: {said}"))
}

impl Identity for AzureCli {
    async fn mint(&self, _: Demand) -> Result<AccessToken> {
        let tenant = self.tenant().await?;
        let token = self.token(self.azure.application, tenant.as_deref()).await?;
        let human = wire::jwt_names_a_person(&token.token);
        let management = match human {
            true => None,
            false => match self.token(self.azure.management, tenant.as_deref()).await {
                Ok(management) => Some(management),
                Err(error) if error.is_transient() => return Err(error),
                // The workspace reports if it needs the token.
                Err(_) => None,
            },
        };
        self.azure.accompany(token, management.as_ref())
    }

    fn describe(&self) -> String {
        "the log-in of the Azure CLI".to_owned()
    }
}
