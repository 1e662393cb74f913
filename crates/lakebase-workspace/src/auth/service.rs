//! Token services other than the workspace.
//!
//! They are `https`, or `http` on this machine and its link, where machines have their metadata services: loopback and
//! link-local addresses, and Google's name for one. Redirects are not followed.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryFutureExt as _;
use http::header::USER_AGENT;
use http::{HeaderValue, Request, Response, Uri};
use lakebase_core::connect::is_loopback_name;
use lakebase_core::{Error, ErrorKind, Result, Runtime, Secret};

use super::AccessToken;
use crate::observe::Asked;
use crate::session::{Session, within};
use crate::wire;

/// The time-out of a service in the network, as for the workspace.
pub(super) const REMOTE: Duration = Duration::from_secs(60);
/// The time-out of a service on this machine or its link, as in the SDKs.
pub(super) const NEAR: Duration = Duration::from_secs(10);

/// One token service.
#[derive(Clone, Debug)]
pub(super) struct Service {
    pub(super) runtime: Runtime,
    user_agent: HeaderValue,
    /// Its name, for errors.
    name: &'static str,
    timeout: Duration,
}

impl Service {
    pub(super) fn new(session: &Session, name: &'static str, timeout: Duration) -> Self {
        Self {
            runtime: session.runtime.clone(),
            user_agent: session.user_agent.clone(),
            name,
            timeout,
        }
    }

    /// Sends `request` and returns a reply that is a success.
    ///
    /// # Errors
    ///
    /// The service's error, without `secrets`; a redirect; a time-out.
    pub(super) async fn ask(
        &self,
        mut request: Request<Bytes>,
        secrets: &[Secret],
    ) -> Result<Response<Bytes>> {
        let name = self.name;
        accepts(request.uri())
            .map_err(|problem| Error::new(ErrorKind::Config, format!("{name} {problem}")))?;
        request.headers_mut().insert(USER_AGENT, self.user_agent.clone());
        let clock = &*self.runtime.clock;
        // The path of a metadata service is a secret.
        let asked = Asked::named(&request, name, clock);
        let sent = self.runtime.http.send(request).map_err(|error| error.context(name));
        let late = || format!("{name} did not answer within {} s", self.timeout.as_secs());
        let result = within(&self.runtime, self.timeout, sent, late).await;
        asked.answered(&result, clock);
        let reply = result?;
        if reply.status().is_success() {
            return Ok(reply);
        }
        if reply.status().is_redirection() {
            let status = reply.status().as_u16();
            let text = format!("{name} answered {status} with a redirect, which is not followed");
            return Err(Error::new(ErrorKind::Protocol, text).with_status(status));
        }
        Err(wire::failure(&name, &reply, clock.wall(), secrets))
    }

    /// The token in the reply to `request`, which an OAuth token end point gives.
    ///
    /// # Errors
    ///
    /// As [`ask`](Self::ask), and those of [`wire::oauth_token`].
    pub(super) async fn oauth_token(
        &self,
        request: Request<Bytes>,
        secrets: &[Secret],
    ) -> Result<AccessToken> {
        let asked_at = self.runtime.clock.wall();
        let reply = self.ask(request, secrets).await?;
        wire::oauth_token(reply.body(), asked_at, wire::served_at(reply.headers()))
    }
}

/// Whether secrets may be sent to `uri`.
pub(super) fn accepts(uri: &Uri) -> Result<(), &'static str> {
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(_)) => Ok(()),
        (Some("http"), Some(host)) if is_near(host) => Ok(()),
        (Some("http"), Some(_)) => {
            Err("is http://, which would send secrets in the clear; accepted: https://")
        }
        _ => Err("is not a URL; accepted: https://…"),
    }
}

/// Whether `host` is on this machine or its link.
fn is_near(host: &str) -> bool {
    is_loopback_name(host)
        || host == "metadata.google.internal"
        || match host.trim_start_matches('[').trim_end_matches(']').parse() {
            Ok(IpAddr::V4(v4)) => v4.is_link_local(),
            Ok(IpAddr::V6(v6)) => v6.is_unicast_link_local(),
            Err(_) => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_goes_to_this_machine_and_its_link_only() {
        for (uri, accepted) in [
            ("https://token.actions.example/x?y", true),
            ("http://127.0.0.1:1/x", true),
            ("http://localhost/x", true),
            ("http://[::1]/x", true),
            ("http://169.254.169.254/metadata", true),
            ("http://[fe80::1]/x", true),
            ("http://metadata.google.internal/x", true),
            ("http://token.actions.example/x", false),
            ("http://169.253.0.1/x", false),
            ("http://127.0.0.1.evil.example/x", false),
            ("http://metadata.google.internal.evil.example/x", false),
            ("ftp://token.example/x", false),
            ("/x", false),
        ] {
            assert_eq!(accepts(&uri.parse().unwrap()).is_ok(), accepted, "{uri}");
        }
    }
}
