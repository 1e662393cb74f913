//! Configuration of a workspace: program → environment → profile file, as in Databricks' SDKs.

mod attribute;
mod identity;
pub mod profile;
mod settings;

use std::fmt;
use std::sync::Arc;

use http::HeaderValue;
use lakebase_core::{
    Environment, Error, ErrorKind, Result, Runtime, Secret, Setting, SettingOrigin,
};

pub use self::attribute::secret_variables;
use self::identity::Identity;
pub(crate) use self::settings::Settings;
pub use self::settings::{EffectiveSetting, SettingValue};
use crate::host::is_id;
use crate::session::Session;
use crate::{TokenSource, WorkspaceHost};

/// A workspace and an identity in it, validated.
///
/// `Debug` shows no secret.
#[derive(Clone)]
pub struct WorkspaceConfig {
    host: Setting<WorkspaceHost>,
    workspace_id: Option<Setting<String>>,
    account_id: Option<Setting<String>>,
    identity: Identity,
    product: String,
    settings: Vec<EffectiveSetting>,
}

impl WorkspaceConfig {
    /// A builder without settings.
    pub fn builder() -> WorkspaceConfigBuilder {
        WorkspaceConfigBuilder::default()
    }

    /// The configuration that the environment and the profile file describe.
    ///
    /// # Errors
    ///
    /// As [`WorkspaceConfigBuilder::build`].
    pub fn from_environment(environment: &Environment) -> Result<Self> {
        Self::builder().build(environment)
    }

    /// The workspace's address and its origin.
    #[must_use]
    pub fn host(&self) -> &Setting<WorkspaceHost> {
        &self.host
    }

    /// The workspace's id, if it was configured or part of the address.
    #[must_use]
    pub fn workspace_id(&self) -> Option<&Setting<String>> {
        self.workspace_id.as_ref()
    }

    /// The account's id, if it was configured or part of the address.
    #[must_use]
    pub fn account_id(&self) -> Option<&Setting<String>> {
        self.account_id.as_ref()
    }

    /// The kind of identity, by the SDKs' name such as `oauth-m2m`, or the name of a custom source.
    #[must_use]
    pub fn auth_type(&self) -> &str {
        match &self.identity {
            Identity::Configured { auth_type, .. } => auth_type,
            Identity::Source(source) => source.auth_type(),
        }
    }

    /// Every setting with its origin, including those that `auth_type` excludes, for diagnosis. Values are not normalised.
    #[must_use]
    pub fn settings(&self) -> &[EffectiveSetting] {
        &self.settings
    }

    /// The session and the token source.
    pub(crate) fn into_session(self, runtime: &Runtime) -> (Session, Arc<dyn TokenSource>) {
        let session = Session {
            user_agent: self.user_agent(),
            // Ids were checked as header values.
            workspace_id: self.workspace_id.and_then(|id| HeaderValue::try_from(id.value).ok()),
            account_id: self.account_id.map(|id| id.value.into()),
            host: self.host.value,
            runtime: runtime.clone(),
        };
        let source = match self.identity {
            Identity::Configured { prepared, .. } => prepared(&session),
            Identity::Source(source) => source,
        };
        (session, source)
    }

    /// The User-Agent in the SDKs' form. The language's version is the oldest that this crate supports, because a library
    /// does not know its compiler's version.
    fn user_agent(&self) -> HeaderValue {
        let os = match std::env::consts::OS {
            "" | "unknown" => "other",
            os => os,
        };
        let text = format!(
            "{} lakebase-rust/{} rust/{} os/{os} auth/{}",
            self.product,
            env!("CARGO_PKG_VERSION"),
            env!("CARGO_PKG_RUST_VERSION"),
            agent_text(self.auth_type()),
        );
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("lakebase-rust"))
    }
}

impl fmt::Debug for WorkspaceConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkspaceConfig")
            .field("host", &self.host.value.as_str())
            .field("auth_type", &self.auth_type())
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// `text` with the characters that the SDKs allow in a User-Agent.
fn agent_text(text: &str) -> String {
    let keep = |c: char| c.is_ascii_alphanumeric() || "_.+-".contains(c);
    text.chars().map(|c| if keep(c) { c } else { '-' }).collect()
}

/// Collects the program's settings. [`build`](Self::build) looks up the others.
///
/// Empty values count as unset, as in the SDKs. `Debug` shows no value.
#[derive(Clone, Default)]
#[must_use]
pub struct WorkspaceConfigBuilder {
    settings: Settings,
    source: Option<Arc<dyn TokenSource>>,
    product: Option<String>,
}

impl WorkspaceConfigBuilder {
    /// The workspace's address. The scheme is optional, and path and query are ignored.
    pub fn host(self, host: impl Into<String>) -> Self {
        self.set("host", host.into())
    }

    /// A personal access token.
    pub fn token(self, token: impl Into<Secret>) -> Self {
        self.set("token", token.into().expose().to_owned())
    }

    /// A service principal's application id.
    pub fn client_id(self, id: impl Into<String>) -> Self {
        self.set("client_id", id.into())
    }

    /// A service principal's OAuth secret.
    pub fn client_secret(self, secret: impl Into<Secret>) -> Self {
        self.set("client_secret", secret.into().expose().to_owned())
    }

    /// The profile. Default: the file's `default_profile`, otherwise `DEFAULT`.
    pub fn profile(self, profile: impl Into<String>) -> Self {
        self.set("profile", profile.into())
    }

    /// The file with the profiles. Default: `~/.databrickscfg`.
    pub fn config_file(self, path: impl Into<String>) -> Self {
        self.set("config_file", path.into())
    }

    /// The kind of identity, by the SDKs' name: see [`auth`](crate::auth#kinds). Default: the first with all its settings.
    pub fn auth_type(self, auth_type: impl Into<String>) -> Self {
        self.set("auth_type", auth_type.into())
    }

    /// The account's id, for workspaces whose OAuth issuer is the account's.
    pub fn account_id(self, id: impl Into<String>) -> Self {
        self.set("account_id", id.into())
    }

    /// The workspace's id, for hosts that serve several workspaces.
    pub fn workspace_id(self, id: impl Into<String>) -> Self {
        self.set("workspace_id", id.into())
    }

    /// The path of the Databricks CLI. Default: `databricks`, searched in `PATH`.
    pub fn databricks_cli_path(self, path: impl Into<String>) -> Self {
        self.set("databricks_cli_path", path.into())
    }

    /// Takes tokens from `source`; other identities are ignored.
    pub fn token_source(mut self, source: Arc<dyn TokenSource>) -> Self {
        self.source = Some(source);
        self
    }

    /// The program's name and version for the User-Agent. Default: `unknown/0.0.0`, as in the SDKs.
    /// Characters other than letters, digits and `_ . + -` become `-`.
    pub fn product(mut self, name: &str, version: &str) -> Self {
        self.product = Some(format!("{}/{}", agent_text(name), agent_text(version)));
        self
    }

    /// Sets `key` with the caller's origin, such as a command-line flag. Keys are those of a profile, `profile` and
    /// `config_file`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if there is no such key.
    pub fn setting(mut self, key: &str, setting: Setting<String>) -> Result<Self> {
        let known = attribute::ATTRIBUTES.iter().map(|attribute| attribute.key);
        match known.chain(["profile", "config_file"]).find(|known| *known == key) {
            Some(key) => self.settings.set(key, setting),
            None => return Err(setting.error(format!("there is no workspace setting {key:?}"))),
        }
        Ok(self)
    }

    fn set(mut self, key: &'static str, value: String) -> Self {
        self.settings.set(key, Setting::explicit(key, value));
        self
    }

    /// The settings that [`build`](Self::build) uses, with their origins and without validation. For diagnosis, also if
    /// `build` fails.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the profile file is needed and cannot be read, or has no such profile.
    pub fn effective_settings(&self, environment: &Environment) -> Result<Vec<EffectiveSetting>> {
        let mut settings = self.settings.clone();
        settings.complete(environment)?;
        Ok(settings.report())
    }

    /// Looks up the settings that are not set, and validates all.
    ///
    /// The profile file is read only if a profile is set, or neither an address nor an identity is.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`]: no address or a malformed one, an unreadable or malformed profile file, an
    /// unknown profile, two identities, half an identity. [`ErrorKind::Unsupported`]: an identity of a kind
    /// that is not supported. The message names the setting and its origin.
    pub fn build(mut self, environment: &Environment) -> Result<WorkspaceConfig> {
        self.settings.complete(environment)?;
        let settings = &self.settings;
        let Some(written) = settings.get("host") else {
            let profile = settings.get("profile").map_or(String::new(), |profile| {
                format!(" (profile {:?} has no host)", profile.value)
            });
            return Err(Error::new(
                ErrorKind::Config,
                format!(
                    "no workspace is configured{profile}; set host, DATABRICKS_HOST, or a profile in ~/.databrickscfg"
                ),
            ));
        };
        let parts = WorkspaceHost::parts(&written.value)
            .map_err(|problem| written.error(&problem).with_source(problem))?;
        let host = Setting::new(parts.host, written.origin.clone());
        let id = |key, lifted: Option<String>| match settings.get(key) {
            Some(id) if is_id(&id.value) => Ok(Some(id.clone())),
            Some(id) => Err(id.error("is not an id; accepted: letters, digits and -")),
            None => Ok(lifted.map(|id| Setting::new(id, SettingOrigin::clone(&written.origin)))),
        };
        let workspace_id = id("workspace_id", parts.workspace_id)?;
        let account_id = id("account_id", parts.account_id)?;
        let identity = match self.source {
            Some(source) => Identity::Source(source),
            None => identity::choose(settings, environment, &host)?,
        };
        let product = self.product.unwrap_or_else(|| "unknown/0.0.0".to_owned());
        let settings = settings.report();
        Ok(WorkspaceConfig { host, workspace_id, account_id, identity, product, settings })
    }
}

impl fmt::Debug for WorkspaceConfigBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkspaceConfigBuilder").finish_non_exhaustive()
    }
}
