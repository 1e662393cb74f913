//! Tokens, as the emulated service knows them.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

/// A token that the emulated service has given.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) identity: String,
    pub(crate) use_: TokenUse,
    /// By the emulated clock; `None` never.
    pub(crate) expires: Option<SystemTime>,
    /// Full names of the only instances that it opens; any when empty.
    pub(crate) instances: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TokenUse {
    /// Calls to the workspace's API.
    Workspace,
    /// Logins at endpoints.
    Database,
    /// Logins at Provisioned instances.
    Instance,
    /// To be exchanged for a token of the workspace.
    Exchange,
    /// Azure's management, beside a token of the workspace.
    Management,
    /// Google's services.
    Google,
}

/// A token of another issuer: whom and what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TokenFor {
    /// An id token that the workspace exchanges for one of its own.
    Exchange,
    /// Of Databricks' metadata service: a token of the user in the workspace.
    User,
    /// Entra's for Databricks, of the user (with the claim `upn`).
    EntraUser,
    /// Entra's for Databricks, of the service principal.
    EntraService,
    /// Entra's for Azure's management, of the service principal.
    EntraManagement,
    /// Google's access token.
    Google,
    /// Google's id token of the service account, for the workspace.
    GoogleService,
}
