//! Checks before a token is sent: the service reports the host, TLS verifies it, and it is not the pooler.

use crate::{ConnectParams, Endpoint, Error, ErrorKind, Result, SettingOrigin, SslMode};

/// Refuses a pooled host, which does not accept tokens.
///
/// Source: Databricks' documentation, "Connection pooling": the pooler takes native passwords only. Its host
/// is the endpoint's with `-pooler` at the end of the first label.
pub(super) fn check_host_is_direct(host: &str) -> Result<()> {
    if host.split('.').next().unwrap_or_default().ends_with("-pooler") {
        let message = format!(
            "{host} is a pooled host, which takes native passwords only; use the direct host"
        );
        return Err(Error::new(ErrorKind::Config, message));
    }
    Ok(())
}

/// Refuses a host that the service does not report for `endpoint`.
pub(super) fn check_host_is_reported(host: &str, endpoint: &Endpoint) -> Result<()> {
    if endpoint.hosts.contains(host) {
        return Ok(());
    }
    let there: Vec<&str> = endpoint.hosts.iter().map(|host| &**host).collect();
    let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
    Err(Error::new(
        ErrorKind::Config,
        format!(
            "{host} is not a host of {}, and a token goes only to hosts that the workspace reports; there: {there}; \
             leave the host out, or set another endpoint",
            endpoint.name
        ),
    ))
}

/// Raises the mode of `params` to `verify-full`, because a server that gets a token can use it. Returns whether it did.
///
/// The mode of logins to this machine stays.
///
/// # Errors
///
/// [`ErrorKind::Config`] for `disable`, with the setting's origin.
pub(super) fn raise_verification(
    params: &mut ConnectParams,
    origin: Option<&SettingOrigin>,
) -> Result<bool> {
    if params.is_loopback() {
        return Ok(false);
    }
    match params.tls.mode {
        SslMode::VerifyFull => Ok(false),
        SslMode::Disable => {
            let setting = origin.map_or(String::new(), |origin| format!("{origin}: "));
            let message = format!(
                "{setting}sslmode disable would send a token to {} without TLS; accepted: verify-full, to which \
                 allow, prefer, require and verify-ca are raised with a token",
                params.host
            );
            Err(Error::new(ErrorKind::Config, message))
        }
        SslMode::Allow | SslMode::Prefer | SslMode::Require | SslMode::VerifyCa => {
            params.tls.mode = SslMode::VerifyFull;
            Ok(true)
        }
    }
}
