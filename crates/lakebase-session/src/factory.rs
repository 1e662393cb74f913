//! One login for one client, as a [`ConnectionFactory`]: the connector's loop decides when and how often.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use lakebase_core::{ConnectFailure, ConnectParams, ConnectionFactory, SslMode};

use crate::error::LoginError;
use crate::login::{Greeting, log_in};
use crate::startup::{CancelKey, Startup};
use crate::stream::ServerStream;
use crate::upstream::{Peer, Upstream};

/// Logs in as a client asked for: with its parameters and its version of the protocol, but as the connector's
/// user and with the connector's password.
///
/// The connector adds what the client leaves open: the database, `application_name`, further settings.
#[derive(Clone, Debug)]
pub struct StartupFactory {
    upstream: Arc<Upstream>,
    startup: Startup,
}

/// A session that a server has opened and no client has used yet.
#[derive(Debug)]
pub struct Session {
    /// The connection.
    pub stream: ServerStream,
    /// The greeting for a client that has sent its `StartupMessage` and is authenticated: everything from `AuthenticationOk` to
    /// `ReadyForQuery`.
    pub greeting: Bytes,
    /// The key that cancels its statements; `None` if the server offers no way.
    pub cancel: Option<CancelKey>,
    /// Where a cancel request has to go.
    pub peer: Peer,
}

impl StartupFactory {
    /// A factory for a client that sent `startup`. Its `user` is ignored.
    #[must_use]
    pub fn new(upstream: Arc<Upstream>, startup: Startup) -> Self {
        Self { upstream, startup }
    }

    async fn log_in(
        &self,
        params: &ConnectParams,
        startup: &[u8],
        encrypt: bool,
    ) -> Result<Session, LoginError> {
        let (mut stream, address) = self.upstream.open(params, encrypt).await?;
        let Greeting { bytes, cancel } = log_in(&mut stream, startup, params).await?;
        let peer = Peer { address, encrypted: stream.is_tls(), params: without_password(params) };
        Ok(Session { stream, greeting: bytes, cancel, peer })
    }
}

/// Cancelling needs no password, and a session outlives its token.
fn without_password(params: &ConnectParams) -> Arc<ConnectParams> {
    Arc::new(ConnectParams { password: None, ..params.clone() })
}

#[async_trait]
impl ConnectionFactory for StartupFactory {
    type Connection = Session;
    type Error = LoginError;

    async fn connect(&self, params: &ConnectParams) -> Result<Session, LoginError> {
        let startup = upstream_startup(&self.startup, params);
        let startup = startup.encode().map_err(LoginError::Startup)?;
        let mode = params.tls.mode;
        match self.log_in(params, &startup, mode > SslMode::Allow).await {
            // As libpq: with `allow`, TLS is for servers that refuse to do without.
            Err(LoginError::Refused(_)) if mode == SslMode::Allow => {
                self.log_in(params, &startup, true).await
            }
            result => result,
        }
    }

    fn classify(&self, error: &LoginError) -> ConnectFailure {
        error.class()
    }
}

/// The client's parameters with what the connector decides.
///
/// libpq sends the user's name as the database when none was given, so a database of that name means "none".
fn upstream_startup(client: &Startup, params: &ConnectParams) -> Startup {
    let mut startup = client.clone();
    let database = client.get("database").filter(|name| !name.is_empty());
    if database.is_none() || database == client.get("user") {
        startup.set("database", &*params.database);
    }
    startup.set("user", &*params.user);
    if let (None, Some(name)) = (client.get("application_name"), &params.application_name) {
        startup.set("application_name", &**name);
    }
    if !params.options.is_empty() {
        // Later ones win, and parameters of the packet win over `options`.
        let mut options = Vec::new();
        for (name, value) in &params.options {
            options.extend_from_slice(format!("-c {}={} ", escape(name), escape(value)).as_bytes());
        }
        options.extend_from_slice(client.get("options").unwrap_or_default());
        startup.set("options", options);
    }
    startup
}

/// For `options`, which are separated by white space.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\\' || c.is_ascii_whitespace() {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lakebase_core::Tls;

    use super::*;

    fn params() -> ConnectParams {
        ConnectParams {
            host: "h".into(),
            socket_directory: None,
            addresses: Vec::new(),
            port: 5432,
            database: "configured".into(),
            user: "identity".into(),
            password: Some("secret".into()),
            dial_timeout: Duration::from_secs(10),
            tls: Tls::default(),
            tcp: Default::default(),
            progress: Default::default(),
            load_balance_hosts: Default::default(),
            require_auth: Default::default(),
            application_name: Some("ours".into()),
            options: vec![("search_path".into(), "a b".into())],
        }
    }

    fn sent(client: &[(&str, &str)]) -> Startup {
        let mut startup = Startup::new();
        for (name, value) in client {
            startup.set(name, value);
        }
        upstream_startup(&startup, &params())
    }

    fn text<'a>(startup: &'a Startup, name: &str) -> Option<&'a str> {
        startup.get(name).map(|value| std::str::from_utf8(value).unwrap())
    }

    #[test]
    fn the_user_is_ours_and_the_database_the_client_s() {
        let startup = sent(&[("user", "me"), ("database", "theirs"), ("application_name", "psql")]);
        assert_eq!(text(&startup, "user"), Some("identity"));
        assert_eq!(text(&startup, "database"), Some("theirs"));
        assert_eq!(text(&startup, "application_name"), Some("psql"));
    }

    #[test]
    fn what_the_client_leaves_open_is_configured() {
        for client in [&[("user", "me"), ("database", "me")][..], &[("user", "me")], &[]] {
            let startup = sent(client);
            assert_eq!(text(&startup, "database"), Some("configured"), "{client:?}");
            assert_eq!(text(&startup, "application_name"), Some("ours"));
            assert_eq!(text(&startup, "options"), Some("-c search_path=a\\ b "));
        }
    }

    #[test]
    fn options_of_the_client_come_last() {
        let startup = sent(&[("user", "me"), ("options", "-c x=1"), ("replication", "database")]);
        assert_eq!(text(&startup, "options"), Some("-c search_path=a\\ b -c x=1"));
        assert_eq!(text(&startup, "replication"), Some("database"));
    }

    #[test]
    fn what_is_kept_for_cancelling_holds_no_password() {
        assert!(without_password(&params()).password.is_none());
    }
}
