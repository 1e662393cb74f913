//! The identity: which kind it is and why, and whether the workspace knows it.

use std::time::UNIX_EPOCH;

use lakebase::core::Timestamp;
use lakebase::workspace::WorkspaceClient;
use lakebase::{Error, ErrorKind, Lakebase};

use super::fault::Fault;
use super::question::{finding, within};
use super::report::{Examined, ShownSetting};

pub(super) async fn examine(
    workspace: &WorkspaceClient,
    lakebase: &Lakebase,
    settings: &[ShownSetting],
) -> Examined<()> {
    let connector = lakebase.connector();
    let who = async {
        workspace.access_token().await?;
        workspace.current_user().await
    };
    let result = within(connector, who).await;
    let kind = workspace.auth_type();
    match result {
        Ok(user) => {
            let now = connector.runtime().clock.wall();
            let mut detail = format!("{user} ({})", origin(kind, settings, now));
            if let Some(role) = connector.config().user.as_ref().filter(|role| **role != user) {
                detail.push_str(&format!(", to log in as the role {role}"));
            }
            Ok(((), detail))
        }
        Err(error) => Err(finding(&error, || fault(workspace, kind, &error))),
    }
}

/// The kind, what chose it, and how it gets its tokens: `file-oidc from DATABRICKS_AUTH_TYPE; token file …, 3 min old;
/// exchanged`.
fn origin(kind: &str, settings: &[ShownSetting], now: Timestamp) -> String {
    let find = |name| settings.iter().find(|setting| setting.name == name);
    let mut line = kind.to_owned();
    if let Some(chosen) = find("auth_type") {
        let origin = chosen.origin.split_once(" (environment variable)");
        let origin = origin.map_or(chosen.origin.as_str(), |(variable, _)| variable);
        line.push_str(&format!(" from {origin}"));
    }
    if kind == "file-oidc"
        && let Some(path) = find("oidc_token_filepath").and_then(|setting| setting.value.as_ref())
    {
        line.push_str(&format!("; token file {path}"));
        if let Some(age) = age(path, now) {
            line.push_str(&format!(", {age} old"));
        }
    }
    if kind.ends_with("-oidc") {
        line.push_str("; exchanged");
    }
    line
}

/// How long ago the file was written, in the largest unit of which it is at least one.
fn age(path: &str, now: Timestamp) -> Option<String> {
    let written = std::fs::metadata(path).ok()?.modified().ok()?;
    let written = written.duration_since(UNIX_EPOCH).ok()?;
    let written = Timestamp::from_unix_millis(i64::try_from(written.as_millis()).ok()?);
    let seconds = now.saturating_since(written).as_secs();
    Some(match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    })
}

fn fault(workspace: &WorkspaceClient, kind: &str, error: &Error) -> Fault {
    let report = error.report();
    let is_federated = kind.ends_with("-oidc");
    match error.kind() {
        ErrorKind::Unauthenticated | ErrorKind::InvalidRequest
            if is_federated && report.contains("the workspace refused the id token") =>
        {
            Fault::IdTokenRefused
        }
        ErrorKind::Unauthenticated
            if ["oauth-m2m", "pat", "azure-client-secret"].contains(&kind) =>
        {
            Fault::SecretRefused
        }
        // Workspaces answer an unknown personal access token like this, with 403.
        ErrorKind::PermissionDenied if report.to_lowercase().contains("invalid access token") => {
            Fault::SecretRefused
        }
        ErrorKind::PermissionDenied if report.contains(workspace.host().as_str()) => {
            Fault::WorkspaceAccessDenied
        }
        ErrorKind::Config if kind != "databricks-cli" => Fault::Configuration,
        _ if error.is_transient() => {
            let only_workspace =
                ["pat", "oauth-m2m", "env-oidc", "file-oidc", "databricks-cli"].contains(&kind);
            match only_workspace || report.contains(workspace.host().as_str()) {
                true => Fault::WorkspaceUnreachable,
                false => Fault::TokenServiceUnreachable,
            }
        }
        _ => Fault::IdentityRefused,
    }
}
