//! The clouds, the tenant, and the headers beside a token of Entra, which Azure's identities share.
//!
//! Facts from Databricks' SDK for Python 0.162 (`environments.py`, `azure.py`, `config.py` `load_azure_tenant_id`) and for
//! Go 0.175 (`config/azure.go`).

use std::sync::{Mutex, PoisonError};

use lakebase_core::{Error, ErrorKind, Result, Secret, Setting};

use super::AccessToken;
use super::kind::Reading;
use crate::host::is_id;
use crate::session::Session;
use crate::wire;

/// The end points of one of Azure's clouds.
#[derive(Debug)]
struct Cloud {
    name: &'static str,
    login: &'static str,
    management: &'static str,
}

const CLOUDS: [Cloud; 3] = [
    Cloud {
        name: "PUBLIC",
        login: "https://login.microsoftonline.com/",
        management: "https://management.core.windows.net/",
    },
    Cloud {
        name: "USGOVERNMENT",
        login: "https://login.microsoftonline.us/",
        management: "https://management.core.usgovcloudapi.net/",
    },
    Cloud {
        name: "CHINA",
        login: "https://login.chinacloudapi.cn/",
        management: "https://management.core.chinacloudapi.cn/",
    },
];

/// The suffix of workspace hosts on Azure, the cloud, and the id of Databricks' application in Entra.
const ZONES: [(&str, &str, &str); 5] = [
    (".dev.azuredatabricks.net", "PUBLIC", "62a912ac-b58e-4c1d-89ea-b2dbfc7358fc"),
    (".staging.azuredatabricks.net", "PUBLIC", "4a67d088-db5c-48f1-9ff2-0aace800ae68"),
    (".azuredatabricks.net", "PUBLIC", DATABRICKS),
    (".databricks.azure.us", "USGOVERNMENT", DATABRICKS),
    (".databricks.azure.cn", "CHINA", DATABRICKS),
];

const DATABRICKS: &str = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d";

/// The suffixes of workspace hosts in other clouds.
const ELSEWHERE: [&str; 4] =
    [".cloud.databricks.com", ".cloud.databricks.us", ".dev.databricks.com", ".gcp.databricks.com"];

/// Whether the host is that of a workspace on Azure.
pub(super) fn is_azure(reading: &Reading<'_>) -> bool {
    let host = host(reading);
    ZONES.iter().any(|(zone, ..)| host.ends_with(zone))
}

/// The cloud of the workspace: by its host, otherwise by `azure_environment`. `None` if the host is another cloud's and
/// `auth_type` does not name this kind, because variables for Terraform are often set there.
pub(super) fn azure(reading: &Reading<'_>) -> Result<Option<Azure>> {
    let host = host(reading);
    let named = reading.get("azure_environment");
    let zone = ZONES.iter().find(|(zone, ..)| host.ends_with(zone));
    if zone.is_none() && ELSEWHERE.iter().any(|zone| host.ends_with(zone)) && !reading.demanded {
        return Ok(None);
    }
    let name = match (zone, &named) {
        (Some((_, cloud, _)), _) => (*cloud).to_owned(),
        (None, Some(named)) => canonical(&named.value),
        (None, None) => "PUBLIC".to_owned(),
    };
    let cloud = CLOUDS.iter().find(|cloud| cloud.name == name);
    let cloud = match (cloud, named) {
        (Some(cloud), _) => cloud,
        (None, Some(named)) => {
            let names = CLOUDS.map(|cloud| cloud.name).join(", ");
            let problem = format!("{:?} is not a cloud of Azure; accepted: {names}", named.value);
            return Err(named.error(problem));
        }
        (None, None) => return Ok(None),
    };
    let resource_id = reading.get("azure_workspace_resource_id");
    if let Some(id) = &resource_id
        && !id.value.bytes().all(|byte| byte.is_ascii_graphic())
    {
        return Err(id.error("is not a resource id; accepted: /subscriptions/…/workspaces/…"));
    }
    Ok(Some(Azure {
        application: zone.map_or(DATABRICKS, |(.., application)| application),
        login: cloud.login,
        management: cloud.management,
        resource_id: resource_id.map(|id| id.value),
        tenant: reading.get("azure_tenant_id"),
    }))
}

fn host(reading: &Reading<'_>) -> String {
    let authority = reading.host.value.authority();
    authority.split_once(':').map_or(authority, |(name, _)| name).to_owned()
}

/// `AzurePublicCloud` and `public` are both `PUBLIC`.
fn canonical(name: &str) -> String {
    let name = name.to_ascii_uppercase();
    let name = name.strip_prefix("AZURE").unwrap_or(&name);
    name.strip_suffix("CLOUD").unwrap_or(name).to_owned()
}

/// The Azure facts of a workspace.
#[derive(Clone, Debug)]
pub(super) struct Azure {
    /// The resource of Databricks.
    pub(super) application: &'static str,
    /// The address of Entra.
    pub(super) login: &'static str,
    /// The resource of Azure's management.
    pub(super) management: &'static str,
    pub(super) resource_id: Option<String>,
    pub(super) tenant: Option<Setting<String>>,
}

impl Azure {
    /// The token for Databricks, with the headers of an identity on Azure: the token for Azure's management, and the
    /// workspace's resource id.
    pub(super) fn accompany(
        &self,
        mut token: AccessToken,
        management: Option<&AccessToken>,
    ) -> Result<AccessToken> {
        if let Some(management) = management {
            let value = wire::sensitive(&management.token)?;
            token.headers.insert("x-databricks-azure-sp-management-token", value);
            if let (Some(end), Some(other)) = (token.expires_at, management.expires_at) {
                token.expires_at = Some(end.min(other));
            }
        }
        if let Some(id) = &self.resource_id {
            let value = wire::sensitive(&Secret::new(id.as_str()))?;
            token.headers.insert("x-databricks-azure-workspace-resource-id", value);
        }
        Ok(token)
    }
}

/// The tenant of a workspace: the configured one, otherwise looked up once.
#[derive(Debug)]
pub(super) struct Tenant {
    session: Session,
    known: Mutex<Option<String>>,
}

impl Tenant {
    pub(super) fn new(session: &Session, azure: &Azure) -> Self {
        let known = azure.tenant.as_ref().map(|tenant| tenant.value.clone());
        Self { session: session.clone(), known: Mutex::new(known) }
    }

    /// The tenant. The workspace redirects to its tenant's login page, whose URL contains the tenant's id.
    pub(super) async fn get(&self) -> Result<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(tenant) = known {
            return Ok(tenant);
        }
        let reply = self.session.send(wire::azure_login(&self.session.host)?).await?;
        if reply.status().is_server_error() {
            return Err(self.session.expect_success(reply, &[]).map_or_else(
                |error| error.context("asking the workspace for its tenant"),
                |_| unknown_tenant(&self.session),
            ));
        }
        let tenant = wire::azure_tenant(&reply).filter(|tenant| is_id(tenant));
        let tenant = tenant.ok_or_else(|| unknown_tenant(&self.session))?;
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(tenant.clone());
        Ok(tenant)
    }
}

fn unknown_tenant(session: &Session) -> Error {
    let host = &session.host;
    Error::new(
        ErrorKind::Config,
        format!("{host} does not tell its tenant; set azure_tenant_id (ARM_TENANT_ID)"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_names_of_the_clouds_are_known() {
        for (name, expected) in [
            ("public", "PUBLIC"),
            ("AzurePublicCloud", "PUBLIC"),
            ("AzureChinaCloud", "CHINA"),
            ("usgovernment", "USGOVERNMENT"),
            ("x", "X"),
        ] {
            assert_eq!(canonical(name), expected);
        }
    }

    #[test]
    fn a_token_lives_no_longer_than_what_goes_with_it() {
        let at = |seconds: i64| Some(lakebase_core::Timestamp::from_unix_millis(seconds * 1000));
        let azure = Azure {
            application: DATABRICKS,
            login: CLOUDS[0].login,
            management: CLOUDS[0].management,
            resource_id: Some("/subscriptions/1".to_owned()),
            tenant: None,
        };
        let token = AccessToken { expires_at: at(100), ..AccessToken::new("inner") };
        let management = AccessToken { expires_at: at(50), ..AccessToken::new("outer-secret") };
        let joined = azure.accompany(token, Some(&management)).unwrap();
        assert_eq!(joined.expires_at, at(50));
        assert_eq!(joined.headers["x-databricks-azure-workspace-resource-id"], "/subscriptions/1");
        assert!(!format!("{joined:?}").contains("outer-secret"));
        assert_eq!(joined.secrets()[1].expose(), "outer-secret");
    }
}
