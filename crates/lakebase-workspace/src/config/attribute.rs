//! The settings of Databricks' SDKs: names, environment variables, and kinds of identity.

/// One setting.
#[derive(Debug)]
pub(super) struct Attribute {
    /// Its name as a builder option and as a key of a profile.
    pub(super) key: &'static str,
    /// Its environment variable.
    pub(super) variable: &'static str,
    /// The kind of identity that it configures.
    pub(super) auth: Option<&'static str>,
    pub(super) secret: bool,
}

const fn plain(key: &'static str, variable: &'static str) -> Attribute {
    Attribute { key, variable, auth: None, secret: false }
}

const fn auth(auth: &'static str, key: &'static str, variable: &'static str) -> Attribute {
    Attribute { key, variable, auth: Some(auth), secret: false }
}

const fn secret(auth: &'static str, key: &'static str, variable: &'static str) -> Attribute {
    Attribute { key, variable, auth: Some(auth), secret: true }
}

/// All settings, in the order of reports. Settings of unsupported identities are included, so that they are refused and
/// not ignored.
pub(super) const ATTRIBUTES: &[Attribute] = &[
    plain("host", "DATABRICKS_HOST"),
    plain("account_id", "DATABRICKS_ACCOUNT_ID"),
    plain("workspace_id", "DATABRICKS_WORKSPACE_ID"),
    plain("auth_type", "DATABRICKS_AUTH_TYPE"),
    plain("databricks_cli_path", "DATABRICKS_CLI_PATH"),
    plain("token_audience", "DATABRICKS_TOKEN_AUDIENCE"),
    plain("azure_environment", "ARM_ENVIRONMENT"),
    plain("actions_id_token_request_url", "ACTIONS_ID_TOKEN_REQUEST_URL"),
    Attribute {
        secret: true,
        ..plain("actions_id_token_request_token", "ACTIONS_ID_TOKEN_REQUEST_TOKEN")
    },
    secret("pat", "token", "DATABRICKS_TOKEN"),
    auth("oauth", "client_id", "DATABRICKS_CLIENT_ID"),
    secret("oauth", "client_secret", "DATABRICKS_CLIENT_SECRET"),
    auth("basic", "username", "DATABRICKS_USERNAME"),
    secret("basic", "password", "DATABRICKS_PASSWORD"),
    secret("metadata-service", "metadata_service_url", "DATABRICKS_METADATA_SERVICE_URL"),
    auth("env-oidc", "oidc_token_env", "DATABRICKS_OIDC_TOKEN_ENV"),
    auth("file-oidc", "oidc_token_filepath", "DATABRICKS_OIDC_TOKEN_FILEPATH"),
    auth("azure", "azure_workspace_resource_id", "DATABRICKS_AZURE_RESOURCE_ID"),
    auth("azure", "azure_use_msi", "ARM_USE_MSI"),
    auth("azure", "azure_client_id", "ARM_CLIENT_ID"),
    secret("azure", "azure_client_secret", "ARM_CLIENT_SECRET"),
    auth("azure", "azure_tenant_id", "ARM_TENANT_ID"),
    secret("google", "google_credentials", "GOOGLE_CREDENTIALS"),
    auth("google", "google_service_account", "DATABRICKS_GOOGLE_SERVICE_ACCOUNT"),
];

/// The environment variables with secrets of an identity, supported or not. Programs that need none of them should not
/// inherit them.
pub fn secret_variables() -> impl Iterator<Item = &'static str> {
    let attributes = ATTRIBUTES.iter().filter(|attribute| attribute.secret);
    attributes
        .map(|attribute| attribute.variable)
        .chain(["DATABRICKS_OIDC_TOKEN", "SYSTEM_ACCESSTOKEN"])
}

/// An older name of `variable`, as in the SDK for Python.
pub(super) fn alias(variable: &str) -> Option<&'static str> {
    (variable == "DATABRICKS_OIDC_TOKEN_FILEPATH").then_some("DATABRICKS_OIDC_TOKEN_FILE")
}

/// The identity types of the SDKs that this crate does not support.
pub(super) const UNSUPPORTED: &[&str] = &[
    "basic",
    "external-browser",
    "runtime",
    "runtime-oauth",
    "model-serving",
    "model_serving_user_credentials",
    "model_serving_service_principal",
];
