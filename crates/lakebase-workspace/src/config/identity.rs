//! Which identity the settings describe.

use std::collections::BTreeSet;
use std::sync::Arc;

use lakebase_core::{Error, ErrorKind, Result, Secret, Setting, SettingOrigin};

use super::attribute::{SUPPORTED, UNSUPPORTED};
use super::settings::Settings;
use crate::{TokenSource, WorkspaceHost};

/// How to obtain tokens.
#[derive(Clone, Debug)]
pub(super) enum Identity {
    Pat(Setting<Secret>),
    OauthM2m { client_id: Setting<String>, client_secret: Setting<Secret> },
    DatabricksCli { program: String, selector: [String; 2], last_resort: bool },
    Source(Arc<dyn TokenSource>),
}

/// The identity that `settings` describe, in the SDKs' order: `pat`, `oauth-m2m`, `databricks-cli`.
pub(super) fn choose(settings: &Settings, host: &Setting<WorkspaceHost>) -> Result<Identity> {
    let supported = SUPPORTED.join(", ");
    if let Some(wanted) = settings.get("auth_type") {
        return match wanted.value.as_str() {
            "pat" => {
                pat(settings).unwrap_or_else(|| Err(needs(wanted, "token", "DATABRICKS_TOKEN")))
            }
            "oauth-m2m" => {
                let missing = || needs(wanted, "client_id", "DATABRICKS_CLIENT_ID");
                oauth_m2m(settings).unwrap_or_else(|| Err(missing()))
            }
            "databricks-cli" => Ok(databricks_cli(settings, host)),
            other if UNSUPPORTED.contains(&other) => Err(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "{}: {other:?} is not supported yet; supported: {supported}",
                    wanted.origin
                ),
            )),
            other => Err(wanted.error(format!("{other:?} is not known; accepted: {supported}"))),
        };
    }
    check_ambiguity(settings)?;
    let refused =
        settings.of(None).find(|(attribute, _)| !matches!(attribute.auth, Some("pat" | "oauth")));
    if let Some((attribute, setting)) = refused {
        let what = match attribute.auth.unwrap_or_default() {
            "basic" => "user name and password",
            other => other,
        };
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "{} configures an identity by {what}, which is not supported; supported: {supported}; to use one of these, set auth_type (DATABRICKS_AUTH_TYPE)",
                setting.origin
            ),
        ));
    }
    pat(settings)
        .or_else(|| oauth_m2m(settings))
        .unwrap_or_else(|| Ok(databricks_cli(settings, host)))
}

fn check_ambiguity(settings: &Settings) -> Result<()> {
    let kinds: BTreeSet<_> =
        settings.of(None).filter_map(|(attribute, _)| attribute.auth).collect();
    if kinds.len() <= 1 {
        return Ok(());
    }
    let kinds = kinds.into_iter().collect::<Vec<_>>().join(" and ");
    let from: Vec<_> = settings.of(None).map(|(_, setting)| setting.origin.to_string()).collect();
    Err(Error::new(
        ErrorKind::Config,
        format!(
            "more than one authorization method configured: {kinds}; set by {}; remove one, or set auth_type (DATABRICKS_AUTH_TYPE)",
            from.join(", ")
        ),
    ))
}

fn needs(setting: &Setting<String>, key: &str, variable: &str) -> Error {
    setting.error(format!("{} needs {key} ({variable}), which is not set", setting.value))
}

/// A setting whose text can stand in a header.
fn token_text(setting: &Setting<String>) -> Result<Setting<Secret>> {
    if setting.value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(setting.clone().into_secret());
    }
    Err(setting.error("has a blank, a line break or another character that no token has"))
}

fn pat(settings: &Settings) -> Option<Result<Identity>> {
    settings.get("token").map(|token| token_text(token).map(Identity::Pat))
}

fn oauth_m2m(settings: &Settings) -> Option<Result<Identity>> {
    match (settings.get("client_id"), settings.get("client_secret")) {
        (None, None) => None,
        (Some(id), Some(secret)) => {
            let identity = Identity::OauthM2m {
                client_id: id.clone(),
                client_secret: secret.clone().into_secret(),
            };
            Some(Ok(identity))
        }
        (Some(id), None) => Some(Err(id.error(
            "a service principal also needs client_secret (DATABRICKS_CLIENT_SECRET), which is not set",
        ))),
        (None, Some(secret)) => Some(Err(secret.error(
            "a service principal also needs client_id (DATABRICKS_CLIENT_ID), which is not set",
        ))),
    }
}

/// The CLI is asked by profile only if it sees the same profile and that is what the host is from.
fn databricks_cli(settings: &Settings, host: &Setting<WorkspaceHost>) -> Identity {
    let own_file = settings
        .get("config_file")
        .is_some_and(|file| matches!(file.origin, SettingOrigin::Explicit(_)));
    let selector = match &host.origin {
        SettingOrigin::Profile { profile, .. } if !own_file => {
            ["--profile".to_owned(), profile.to_string()]
        }
        _ => ["--host".to_owned(), host.value.to_string()],
    };
    let program = settings.get("databricks_cli_path");
    let program = program.map_or_else(|| "databricks".to_owned(), |path| path.value.clone());
    let last_resort = settings.get("auth_type").is_none();
    Identity::DatabricksCli { program, selector, last_resort }
}
