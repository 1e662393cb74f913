//! The token services that vouch for programs elsewhere: GitHub's, Azure DevOps', Entra's, the metadata services of
//! Azure's and Google's machines, Databricks' local metadata service, and Google's.
//!
//! They are told apart by their paths, whatever host a request names, so that a client whose requests are led here
//! finds all of them. Shapes follow databricks-sdk-py 0.162 (`oidc_token_supplier.py`, `credentials_provider.py`),
//! databricks-sdk-go 0.175 (`config/auth_azure_msi.go`) and google-auth 2.63 (`impersonated_credentials.py`).

use std::time::SystemTime;

use serde_json::{Value, json};

use super::reply::{Context, Issuance, Reply, refuse};
use crate::request::{Request, form_value};
use crate::state::State;
use crate::token::{TokenFor, TokenUse};

/// The resource that stands for Databricks in Entra.
const DATABRICKS: &str = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d";
/// Azure's management, whose token accompanies that of a service principal.
const MANAGEMENT: &str = "https://management.core.windows.net/";

/// A token service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Github,
    AzureDevops,
    /// Where the workspace sends people of its tenant to log in.
    AzureLogin,
    Entra,
    AzureMachine,
    Metadata,
    GoogleMachine,
    GoogleOauth,
    GoogleIam,
}

/// The service that a path belongs to.
pub(super) fn of(path: &str) -> Option<Service> {
    Some(match path {
        "/github/id-token" => Service::Github,
        "/aad/auth" => Service::AzureLogin,
        "/metadata/identity/oauth2/token" => Service::AzureMachine,
        "/computeMetadata/v1/instance/service-accounts/default/token" => Service::GoogleMachine,
        "/token" => Service::GoogleOauth,
        _ if path.starts_with("/metadata-service/") => Service::Metadata,
        _ if path.ends_with("/oauth2/token") => Service::Entra,
        _ if path.ends_with("/oidctoken") => Service::AzureDevops,
        _ if path.starts_with("/v1/projects/-/serviceAccounts/") => Service::GoogleIam,
        _ => return None,
    })
}

pub(super) fn answer(
    state: &mut State,
    context: &Context,
    service: Service,
    request: &Request,
) -> Reply {
    let issuance = Issuance {
        now: context.now,
        lifetime: context.lifetime.unwrap_or(state.config.workspace_token_lifetime),
    };
    match service {
        Service::Github => github(state, issuance, request),
        Service::AzureDevops => azure_devops(state, issuance, request),
        Service::AzureLogin => Reply {
            location: Some(format!(
                "https://login.microsoftonline.com/{}/oauth2/authorize?client_id={DATABRICKS}",
                state.credentials.tenant
            )),
            ..Reply::error(302, "FOUND", "Log in there")
        },
        Service::Entra => entra(state, issuance, request),
        Service::AzureMachine => azure_machine(state, issuance, request),
        Service::Metadata => metadata(state, issuance, request),
        Service::GoogleMachine => google_machine(state, issuance, request),
        Service::GoogleOauth => super::google::oauth(state, issuance, request),
        Service::GoogleIam => super::google::iam(state, issuance, request),
    }
}

fn github(state: &mut State, issuance: Issuance, request: &Request) -> Reply {
    if request.method != "GET" || request.bearer() != Some(&state.credentials.request_token) {
        return Reply { json: json!({"message": "Bad credentials"}), ..Reply::empty(401) };
    }
    let audience = form_value(&request.query, "audience");
    let audience = audience.unwrap_or_else(|| "https://github.com/octo-org".to_owned());
    let token = issuance.issue(state, TokenFor::Exchange, &audience);
    Reply::ok(json!({"count": 1, "value": token}))
}

fn azure_devops(state: &mut State, issuance: Issuance, request: &Request) -> Reply {
    if request.bearer() != Some(&state.credentials.request_token) {
        return Reply { json: json!({"message": "TF400813: not authorized"}), ..Reply::empty(401) };
    }
    let version = form_value(&request.query, "api-version");
    if request.method != "POST" || version.as_deref() != Some("7.2-preview.1") {
        return Reply { json: json!({"message": "No such version"}), ..Reply::empty(400) };
    }
    let token = issuance.issue(state, TokenFor::Exchange, "api://AzureADTokenExchange");
    Reply::ok(json!({"oidcToken": token}))
}

/// Entra's answer to a service principal or a managed identity that asks for a token for `resource`.
fn for_resource(state: &mut State, issuance: Issuance, resource: &str) -> Reply {
    let what = match resource {
        DATABRICKS => TokenFor::EntraService,
        MANAGEMENT => TokenFor::EntraManagement,
        _ => return refuse(400, "invalid_resource", "AADSTS500011: The resource was not found."),
    };
    Reply::ok(json!({
        "token_type": "Bearer", "expires_in": issuance.lifetime.as_secs().to_string(),
        "expires_on": issuance.expires_on().to_string(), "resource": resource,
        "access_token": issuance.issue(state, what, resource),
    }))
}

fn entra(state: &mut State, issuance: Issuance, request: &Request) -> Reply {
    let form = String::from_utf8_lossy(&request.body).into_owned();
    let field = |name| form_value(&form, name).unwrap_or_default();
    let known = &state.credentials;
    if request.path != format!("/{}/oauth2/token", known.tenant) {
        return refuse(400, "invalid_request", "AADSTS90002: Tenant not found.");
    }
    if field("grant_type") != "client_credentials" {
        return refuse(400, "unsupported_grant_type", "AADSTS70003: unsupported grant.");
    }
    let assertion = field("client_assertion");
    let proven = match assertion.is_empty() {
        true => field("client_secret") == known.azure_secret,
        false => state.verify(&assertion, TokenUse::Exchange, issuance.now).is_some(),
    };
    if field("client_id") != known.client_id || !proven {
        let description = "AADSTS7000215: Invalid client secret provided. Trace ID: 0";
        return refuse(401, "invalid_client", description);
    }
    for_resource(state, issuance, &field("resource"))
}

fn azure_machine(state: &mut State, issuance: Issuance, request: &Request) -> Reply {
    if request.header("metadata") != Some("true") {
        return refuse(400, "bad_request_102", "Required metadata header not specified");
    }
    let query = |name| form_value(&request.query, name);
    if query("client_id").is_some_and(|id| id != state.credentials.client_id) {
        return refuse(400, "invalid_request", "Identity not found");
    }
    let mut reply = for_resource(state, issuance, &query("resource").unwrap_or_default());
    if reply.status == 200 {
        reply.json["client_id"] = state.credentials.client_id.clone().into();
    }
    reply
}

fn metadata(state: &mut State, issuance: Issuance, request: &Request) -> Reply {
    if request.header("x-databricks-metadata-version") != Some("1") {
        return Reply::invalid("X-Databricks-Metadata-Version is missing or unknown");
    }
    if request.path != state.metadata_path() {
        return Reply::error(404, "NOT_FOUND", "No such session");
    }
    if request.header("x-databricks-host") != Some(state.host.as_str()) {
        return Reply::invalid("X-Databricks-Host does not fit the session");
    }
    let token = issuance.issue(state, TokenFor::User, "");
    Reply::ok(json!({
        "access_token": token, "token_type": "Bearer", "expires_on": issuance.expires_on(),
    }))
}

fn google_machine(state: &mut State, issuance: Issuance, request: &Request) -> Reply {
    if request.header("metadata-flavor") != Some("Google") {
        let message = "Missing Metadata-Flavor:Google header.";
        return Reply { json: Value::from(message), ..Reply::empty(403) };
    }
    super::google::access_token(state, issuance)
}

/// Whether the token in the header that accompanies a service principal's is good, where there is one.
pub(super) fn accompanied(state: &State, request: &Request, now: SystemTime) -> bool {
    let good = |header, use_| {
        request.header(header).is_none_or(|token| state.verify(token, use_, now).is_some())
    };
    good("x-databricks-azure-sp-management-token", TokenUse::Management)
        && good("x-databricks-gcp-sa-access-token", TokenUse::Google)
}

#[cfg(test)]
#[path = "services_tests.rs"]
mod tests;
