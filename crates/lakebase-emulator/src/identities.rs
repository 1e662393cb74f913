//! Which variables a client of the emulator sets to be vouched for by one of its token services.

use std::collections::BTreeMap;

use serde_json::json;

use crate::api::GOOGLE_KEY;
use crate::state::State;

/// Variables and their values.
pub(crate) type Variables = BTreeMap<String, String>;

/// By identity type. `env-oidc`, `file-oidc` and `azure-cli` need a token as well, which
/// [`Emulator::issue_token`](crate::Emulator::issue_token) gives; the services of machines and those of Entra and
/// Google have to be reached under their own names.
pub(crate) fn variables(state: &State) -> BTreeMap<String, Variables> {
    let it = &state.credentials;
    let host = &state.host;
    let client = ("DATABRICKS_CLIENT_ID", it.client_id.clone());
    let devops = format!("{host}/azure-devops/");
    let key = json!({
        "type": "service_account", "client_email": it.service_account, "private_key_id": "1",
        "private_key": GOOGLE_KEY, "token_uri": "https://oauth2.googleapis.com/token",
    });
    let all: [(&str, Vec<(&str, String)>); 7] = [
        (
            "github-oidc",
            vec![
                client.clone(),
                ("ACTIONS_ID_TOKEN_REQUEST_URL", format!("{host}/github/id-token?api-version=2.0")),
                ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", it.request_token.clone()),
            ],
        ),
        (
            "azure-devops-oidc",
            vec![
                client,
                ("SYSTEM_ACCESSTOKEN", it.request_token.clone()),
                ("SYSTEM_TEAMFOUNDATIONCOLLECTIONURI", devops),
                ("SYSTEM_TEAMPROJECTID", "project-1".to_owned()),
                ("SYSTEM_PLANID", "plan-1".to_owned()),
                ("SYSTEM_JOBID", "job-1".to_owned()),
                ("SYSTEM_HOSTTYPE", "build".to_owned()),
            ],
        ),
        (
            "azure-client-secret",
            vec![
                ("ARM_CLIENT_ID", it.client_id.clone()),
                ("ARM_CLIENT_SECRET", it.azure_secret.clone()),
                ("ARM_TENANT_ID", it.tenant.clone()),
            ],
        ),
        ("azure-msi", vec![("ARM_USE_MSI", "true".to_owned())]),
        (
            "metadata-service",
            vec![("DATABRICKS_METADATA_SERVICE_URL", format!("{host}{}", state.metadata_path()))],
        ),
        ("google-id", vec![("DATABRICKS_GOOGLE_SERVICE_ACCOUNT", it.service_account.clone())]),
        ("google-credentials", vec![("GOOGLE_CREDENTIALS", key.to_string())]),
    ];
    let text = |(name, value): (&str, String)| (name.to_owned(), value);
    let table = all.into_iter().map(|(auth_type, variables)| {
        (auth_type.to_owned(), variables.into_iter().map(text).collect())
    });
    table.collect()
}
