//! `lakebase url`: the connection URL, for clients that take one.

use lakebase::core::connect::Auth;
use lakebase::{Lakebase, Secret};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::connection_parameters::ConnectionParameters;
use crate::cli::{Global, Url};
use crate::output::{Object, note, print_json, print_line};
use crate::progress::{self, ASKING};
use crate::settings::lakebase;

/// All but the characters that may stand in any part of a URL as they are.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub(crate) async fn run(global: &Global, arguments: &Url) -> anyhow::Result<()> {
    let lakebase = lakebase(global)?;
    let password = async {
        match arguments.with_token {
            true => password(&lakebase).await,
            false => Ok(None),
        }
    };
    let both = futures::future::try_join(ConnectionParameters::of(&lakebase), password);
    let (parameters, password) = progress::during(global, ASKING, both).await?;
    let mode = lakebase.connector().ssl_mode_to(&parameters.host).as_str();
    let url = url(&parameters, password.as_ref(), mode);
    if password.is_some() {
        note("lakebase: warning: the URL holds a secret; keep it out of logs and shell history");
    }
    match global.json {
        true => print_json(&Object(vec![("url", Some(&url))])),
        false => Ok(print_line(url)?),
    }
}

/// `text` as it may stand in any part of a URL.
fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// The password for the login: a token, or the native password.
async fn password(lakebase: &Lakebase) -> lakebase::Result<Option<Secret>> {
    Ok(match &lakebase.connector().config().auth {
        Auth::Credential { .. } => Some(lakebase.credential().await?.token.clone()),
        Auth::Password(password) => Some(password.clone()),
        Auth::Nothing => None,
    })
}

fn url(parameters: &ConnectionParameters, password: Option<&Secret>, mode: &str) -> String {
    let (user, database) = (encode(&parameters.user), encode(&parameters.database));
    let password = password.map(|password| encode(password.expose()));
    if let Some(directory) = &parameters.socket_directory {
        // Most parsers of URLs, ours among them, refuse a user in front of an empty host.
        let directory = encode(&directory.to_string_lossy());
        let port = parameters.port;
        let password = password.map_or(String::new(), |password| format!("&password={password}"));
        return format!(
            "postgresql:///{database}?host={directory}&port={port}&user={user}{password}"
        );
    }
    let password = password.map_or(String::new(), |password| format!(":{password}"));
    let host = match parameters.host.contains(':') {
        true => format!("[{}]", parameters.host),
        false => encode(&parameters.host),
    };
    format!("postgresql://{user}{password}@{host}:{}/{database}?sslmode={mode}", parameters.port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(host: &str) -> ConnectionParameters {
        ConnectionParameters {
            host: host.into(),
            socket_directory: None,
            port: 5432,
            user: "ada@example.com".into(),
            database: "a b".into(),
        }
    }

    #[test]
    fn every_part_is_encoded() {
        assert_eq!(
            url(&parameters("ep-1.example"), None, "verify-full"),
            "postgresql://ada%40example.com@ep-1.example:5432/a%20b?sslmode=verify-full"
        );
        assert_eq!(
            url(&parameters("::1"), Some(&Secret::new("p:/@")), "prefer"),
            "postgresql://ada%40example.com:p%3A%2F%40@[::1]:5432/a%20b?sslmode=prefer"
        );
    }

    #[test]
    fn a_socket_is_a_parameter() {
        let parameters = ConnectionParameters {
            socket_directory: Some("/var/run".into()),
            ..parameters("localhost")
        };
        let expected =
            "postgresql:///a%20b?host=%2Fvar%2Frun&port=5432&user=ada%40example.com".to_owned();
        assert_eq!(url(&parameters, None, "prefer"), expected);
        let with_password = url(&parameters, Some(&Secret::new("p&q")), "prefer");
        assert_eq!(with_password, expected + "&password=p%26q");
    }
}
