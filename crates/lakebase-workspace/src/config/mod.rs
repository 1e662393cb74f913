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
    /// Starts with nothing set.
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

    /// The workspace's address and where it came from.
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

    /// The kind of identity, by the SDKs' name such as `oauth-m2m`, or a token source's own name.
    #[must_use]
    pub fn auth_type(&self) -> &str {
        match &self.identity {
            Identity::Configured { auth_type, .. } => auth_type,
            Identity::Source(source) => source.auth_type(),
        }
    }

    /// Every setting that was found, also those that lost against `auth_type`, with its origin: for
    /// diagnosis. Values are as they were written.
    #[must_use]
    pub fn settings(&self) -> &[EffectiveSetting] {
        &self.settings
    }

    /// Splits into what sends requests and what makes tokens.
    pub(crate) fn into_session(self, runtime: &Runtime) -> (Session, Arc<dyn TokenSource>) {
        let session = Session {
            user_agent: self.user_agent(),
            // Ids were checked to fit in a header.
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

    /// The SDKs' form. The language's version is the oldest that this crate supports, because a library
    /// does not know which one compiled it.
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

/// Only characters that the SDKs allow in a User-Agent.
fn agent_text(text: &str) -> String {
    let keep = |c: char| c.is_ascii_alphanumeric() || "_.+-".contains(c);
    text.chars().map(|c| if keep(c) { c } else { '-' }).collect()
}

/// Collects what the program sets; everything else is looked up by [`build`](Self::build).
///
/// Empty values count as not set, as in the SDKs. `Debug` shows no value.
#[derive(Clone, Default)]
#[must_use]
pub struct WorkspaceConfigBuilder {
    settings: Settings,
    source: Option<Arc<dyn TokenSource>>,
    product: Option<String>,
}

impl WorkspaceConfigBuilder {
    /// The workspace's address; the scheme may be missing, path and query are dropped.
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

    /// The profile to read. Default: the file's `default_profile`, else `DEFAULT`.
    pub fn profile(self, profile: impl Into<String>) -> Self {
        self.set("profile", profile.into())
    }

    /// The file that holds profiles. Default: `~/.databrickscfg`.
    pub fn config_file(self, path: impl Into<String>) -> Self {
        self.set("config_file", path.into())
    }

    /// The only kind of identity to use, by the SDKs' name: see [`auth`](crate::auth#kinds). Default: the first
    /// whose settings are there.
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

    /// The Databricks CLI's program. Default: `databricks`, searched for on the path.
    pub fn databricks_cli_path(self, path: impl Into<String>) -> Self {
        self.set("databricks_cli_path", path.into())
    }

    /// Takes tokens from `source`, whatever else is configured.
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

    /// Sets `key` with an origin of the caller's, such as a command-line flag. Keys are those of a profile, and `profile` and `config_file`.
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

    /// What [`build`](Self::build) would use, with the origin of every value; nothing is validated. For
    /// diagnosis, also where `build` fails.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the profile file is needed and cannot be read, or has no such profile.
    pub fn effective_settings(&self, environment: &Environment) -> Result<Vec<EffectiveSetting>> {
        let mut settings = self.settings.clone();
        settings.complete(environment)?;
        Ok(settings.report())
    }

    /// Looks up what was not set and validates everything.
    ///
    /// The profile file is read only if a profile is named, or neither an address nor an identity is set.
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
        let pasted = WorkspaceHost::paste(&written.value)
            .map_err(|problem| written.error(&problem).with_source(problem))?;
        let host = Setting::new(pasted.host, written.origin.clone());
        let id = |key, lifted: Option<String>| match settings.get(key) {
            Some(id) if is_id(&id.value) => Ok(Some(id.clone())),
            Some(id) => Err(id.error("is not an id; accepted: letters, digits and -")),
            None => Ok(lifted.map(|id| Setting::new(id, SettingOrigin::clone(&written.origin)))),
        };
        let workspace_id = id("workspace_id", pasted.workspace_id)?;
        let account_id = id("account_id", pasted.account_id)?;
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
