//! The workspace: whether it answers, its clock, who we are there, the endpoint and a credential for it.

use std::sync::Arc;
use std::time::Duration;

use lakebase::core::connect::{Auth, Connector};
use lakebase::core::{Endpoint, EndpointState, Timestamp};
use lakebase::workspace::WorkspaceClient;
use lakebase::{Error, ErrorKind, Lakebase};

use super::fault::{Fault, certificate_fault};
use super::identity;
use super::question::{finding, within};
use super::report::{Examined, Finding, Report, ShownSetting};

/// How far the clocks may be apart. Issuers of tokens commonly allow five minutes.
const MAX_SKEW: Duration = Duration::from_secs(5 * 60);

/// The results that later steps need.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The endpoint, if it can be logged in to.
    pub(super) endpoint: Option<Endpoint>,
    /// Whether there is something to log in with.
    pub(super) can_log_in: bool,
}

pub(super) async fn examine(
    report: &mut Report<'_>,
    lakebase: &Lakebase,
    settings: &[ShownSetting],
) -> std::io::Result<Found> {
    let connector = lakebase.connector();
    let with_token = matches!(connector.config().auth, Auth::Credential { .. });
    let Some(workspace) = lakebase.workspace() else {
        report.skip(
            &["workspace", "clock", "identity", "endpoint"],
            "nothing is asked of a workspace",
        )?;
        report.skip(&["credential"], native(&connector.config().auth))?;
        return Ok(Found { endpoint: None, can_log_in: true });
    };
    let reached = report.step("workspace", reach(workspace, connector)).await?;
    let Some(time) = reached else {
        report.skip(
            &["clock", "identity", "endpoint", "credential"],
            "the workspace cannot be reached",
        )?;
        return Ok(Found { endpoint: None, can_log_in: !with_token });
    };
    match time {
        Some(time) => {
            let local = connector.runtime().clock.wall();
            report.step("clock", std::future::ready(compare(local, time))).await?;
        }
        None => report.skip(&["clock"], "the workspace's reply has no date")?,
    }
    if report.step("identity", identity::examine(workspace, lakebase, settings)).await?.is_none() {
        report.skip(&["endpoint", "credential"], "the workspace does not know who is asking")?;
        return Ok(Found { endpoint: None, can_log_in: !with_token });
    }
    let endpoint = report.step("endpoint", endpoint(lakebase)).await?;
    if !with_token {
        report.skip(&["credential"], native(&connector.config().auth))?;
        return Ok(Found { endpoint: endpoint.flatten(), can_log_in: true });
    }
    let Some(endpoint) = endpoint else {
        report.skip(&["credential"], "there is no endpoint to get one for")?;
        return Ok(Found::default());
    };
    let credential = report.step("credential", credential(lakebase)).await?;
    Ok(Found { endpoint, can_log_in: credential.is_some() })
}

fn native(auth: &Auth) -> &'static str {
    match auth {
        Auth::Password(_) => "logs in with a native password",
        _ => "logs in without a password",
    }
}

async fn reach(workspace: &WorkspaceClient, connector: &Connector) -> Examined<Option<Timestamp>> {
    let host = workspace.host();
    let route = workspace.route().unwrap_or_else(|error| error.report());
    match within(connector, workspace.server_time()).await {
        Ok(time) => Ok((time, format!("{host} answers; requests go {route}"))),
        Err(error) => {
            let fault = Fault::at_proxy(&error).unwrap_or_else(|| match error.kind() {
                ErrorKind::Tls => certificate_fault(&error).unwrap_or(Fault::TlsFailed),
                ErrorKind::PermissionDenied => Fault::WorkspaceAccessDenied,
                _ => Fault::WorkspaceUnreachable,
            });
            let mut detail = error.report();
            if !detail.contains(&route) {
                detail.push_str(&format!("; requests go {route}"));
            }
            Err(Finding::new(fault, detail))
        }
    }
}

/// Compares this machine's clock with the workspace's; the round trip is within the tolerance.
fn compare(local: Timestamp, server: Timestamp) -> Examined<()> {
    let (ahead, behind) = (local.saturating_since(server), server.saturating_since(local));
    let skew = ahead.max(behind);
    let word = if ahead > behind { "ahead of" } else { "behind" };
    // `Date` counts whole seconds.
    let detail = match skew.as_secs() {
        0 | 1 => "agrees with the workspace's".to_owned(),
        seconds => format!("{seconds} s {word} the workspace's ({local} here, {server} there)"),
    };
    if skew > MAX_SKEW { Err(Finding::new(Fault::ClockSkew, detail)) } else { Ok(((), detail)) }
}

/// The endpoint that logins go to; `None` if the host is configured and no endpoint is.
async fn endpoint(lakebase: &Lakebase) -> Examined<Option<Endpoint>> {
    let connector = lakebase.connector();
    let wrong = |error: Error| {
        finding(&error, || match error.kind() {
            ErrorKind::Disabled => Fault::EndpointDisabled,
            ErrorKind::NotFound | ErrorKind::InvalidRequest => Fault::EndpointNotFound,
            ErrorKind::PermissionDenied => Fault::WorkspaceAccessDenied,
            ErrorKind::Unavailable if error.status().is_none() => Fault::EndpointNotReady,
            _ => Fault::WorkspaceUnreachable,
        })
    };
    let Some(endpoint) = within(connector, lakebase.endpoint()).await.map_err(wrong)? else {
        return Ok((None, "none is configured".to_owned()));
    };
    let host = within(connector, connector.host()).await.map_err(wrong)?;
    let Endpoint { name, endpoint_type, state, .. } = &endpoint;
    let wakes = if *state == EndpointState::Idle { "; the login will wake it" } else { "" };
    let detail = format!("{name}, {endpoint_type}, {state}{wakes}; host {host}");
    Ok((Some(endpoint), detail))
}

async fn credential(lakebase: &Lakebase) -> Examined<()> {
    match within(lakebase.connector(), lakebase.credential()).await {
        Ok(held) => Ok(((), format!("a database token, good until {}", held.expires_at))),
        Err(error) => Err(finding(&error, || match error.kind() {
            ErrorKind::NotFound => Fault::EndpointNotFound,
            _ if error.is_transient() => Fault::WorkspaceUnreachable,
            _ => Fault::CredentialRefused,
        })),
    }
}

/// The host to connect to, if it is known by now.
pub(super) async fn host(lakebase: &Lakebase, found: &Found) -> Option<Arc<str>> {
    let connector = lakebase.connector();
    if connector.config().host.is_none() && found.endpoint.is_none() {
        return None;
    }
    within(connector, connector.host()).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_may_be_apart_by_minutes_in_both_directions() {
        let at = |seconds: i64| Timestamp::from_unix_millis(seconds * 1000);
        for (local, server, expected) in [
            (1000, 1000, Ok("agrees with the workspace's")),
            (1001, 1000, Ok("agrees with the workspace's")),
            (1300, 1000, Ok("300 s ahead of the workspace's")),
            (1301, 1000, Err("301 s ahead of the workspace's")),
            (1000, 1301, Err("301 s behind the workspace's")),
        ] {
            match (compare(at(local), at(server)), expected) {
                (Ok(((), detail)), Ok(start)) => assert!(detail.starts_with(start), "{detail}"),
                (Err(finding), Err(start)) => {
                    assert_eq!(finding.fault, Fault::ClockSkew);
                    assert!(finding.detail.starts_with(start), "{finding:?}");
                }
                (seen, _) => panic!("{local} {server}: {seen:?}"),
            }
        }
    }
}
