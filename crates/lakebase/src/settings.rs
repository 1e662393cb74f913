//! Looks every setting up: what the program set, then the URL, then the environment.

mod access;
mod password_file;
mod server;
mod tcp;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use lakebase_core::connect::{StartupOption, is_loopback_name};
use lakebase_core::{Environment, Error, Secret, Setting, SslMode};
use lakebase_workspace::{EffectiveSetting, SettingValue};

pub(crate) use self::access::check_choice;
use self::password_file::PasswordFile;
use crate::parameters;
use crate::url::UrlParts;

/// The settings by name, with the environment variable of each.
///
/// Sources: libpq's documentation, "Environment Variables"; `LAKEBASE_ENDPOINT` is also what Databricks
/// Apps and the npm package `@databricks/lakebase` use.
pub(crate) const SETTINGS: [(&str, &str); 20] = [
    ("application_name", "PGAPPNAME"),
    ("branch", "LAKEBASE_BRANCH"),
    ("connect_timeout", "PGCONNECT_TIMEOUT"),
    ("database", "PGDATABASE"),
    ("dns", "LAKEBASE_DNS"),
    ("endpoint", "LAKEBASE_ENDPOINT"),
    ("host", "PGHOST"),
    ("hostaddr", "PGHOSTADDR"),
    ("load_balance_hosts", "PGLOADBALANCEHOSTS"),
    ("options", "PGOPTIONS"),
    ("passfile", "PGPASSFILE"),
    ("password", "PGPASSWORD"),
    ("port", "PGPORT"),
    ("project", "LAKEBASE_PROJECT"),
    ("require_auth", "PGREQUIREAUTH"),
    ("sslmode", "PGSSLMODE"),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("target_session_attrs", "PGTARGETSESSIONATTRS"),
    ("url", "LAKEBASE_PG_URL"),
    ("user", "PGUSER"),
];

/// All sources together, in order of precedence.
pub(crate) struct Settings<'a> {
    pub(crate) explicit: &'a BTreeMap<&'static str, Setting<String>>,
    pub(crate) url: UrlParts,
    /// The setting that `url` was taken from.
    pub(crate) url_source: Option<Setting<Secret>>,
    pub(crate) environment: &'a Environment,
}

impl<'a> Settings<'a> {
    /// Finds the URL, if one is to be used, and takes it apart.
    pub(crate) fn new(
        explicit: &'a BTreeMap<&'static str, Setting<String>>,
        environment: &'a Environment,
    ) -> Result<Self, Error> {
        let mut settings =
            Self { explicit, url: UrlParts::default(), url_source: None, environment };
        if let Some(url) = settings.url_setting()? {
            settings.url = UrlParts::parse(&url)?;
            settings.url_source = Some(url);
        }
        parameters::check(|key| settings.url.get(key), environment)?;
        settings.check_server()?;
        Ok(settings)
    }

    /// Whether a URL is used.
    pub(crate) fn has_url(&self) -> bool {
        self.url_source.is_some()
    }

    pub(crate) fn get(&self, name: &str) -> Option<Setting<String>> {
        self.explicit.get(name).cloned().or_else(|| self.url.get(name)).or_else(|| {
            if name == "endpoint" {
                return self.endpoint_variable();
            }
            let (_, variable) = SETTINGS.iter().find(|(known, _)| *known == name)?;
            self.environment.var(variable)
        })
    }

    /// The settings in effect, for people. A URL shows as a secret; its parts have entries of their own.
    pub(crate) fn report(&self) -> Vec<EffectiveSetting> {
        let mut keys: Vec<&'static str> = SETTINGS.iter().map(|(key, _)| *key).collect();
        keys.extend(parameters::honoured());
        keys.sort_unstable();
        keys.dedup();
        let shown = keys.into_iter().filter_map(|key| {
            let (value, origin) = match key {
                "password" => {
                    let Setting { value, origin } = self.password()?;
                    (SettingValue::Secret(value), origin)
                }
                "url" => {
                    let Setting { value, origin } = self.url_source.clone()?;
                    (SettingValue::Secret(value), origin)
                }
                _ => {
                    let Setting { value, origin } = self.get(key)?;
                    (SettingValue::Plain(value), origin)
                }
            };
            Some(EffectiveSetting { key, value, origin })
        });
        // With a URL nothing is asked for by project or endpoint.
        let unused = |key: &str| self.has_url() && ["branch", "endpoint", "project"].contains(&key);
        shown.filter(|setting| !unused(setting.key)).collect()
    }

    pub(crate) fn text(&self, name: &str) -> Option<Arc<str>> {
        self.get(name).map(|setting| setting.value.into())
    }

    /// The password of a native role.
    pub(crate) fn password(&self) -> Option<Setting<Secret>> {
        let explicit = self.explicit.get("password").cloned().map(Setting::into_secret);
        explicit
            .or_else(|| self.url.password.clone())
            .or_else(|| self.environment.var("PGPASSWORD").map(Setting::into_secret))
            .or_else(|| match self.password_file() {
                PasswordFile::Password(password) => Some(password),
                PasswordFile::Silent | PasswordFile::Ignored(_) => None,
            })
    }

    /// Why there is a password file and it is not used.
    pub(crate) fn ignored_password_file(&self) -> Option<String> {
        match self.password_file() {
            PasswordFile::Ignored(reason) => Some(reason),
            PasswordFile::Silent | PasswordFile::Password(_) => None,
        }
    }

    /// The host, or the folder of a Unix socket.
    pub(crate) fn host(&self) -> (Option<Arc<str>>, Option<PathBuf>) {
        match self.text("host") {
            Some(path) if path.starts_with('/') => (None, Some(PathBuf::from(&*path))),
            host => (host, None),
        }
    }

    /// The value that `parse` reads from the setting `name`, if that is set.
    fn read<T, E>(
        &self,
        name: &str,
        parse: impl FnOnce(String) -> Result<T, E>,
    ) -> Result<Option<T>, Error>
    where
        E: Display,
    {
        self.get(name).map(|setting| Ok(setting.try_map(parse)?.value)).transpose()
    }

    pub(crate) fn addresses(&self) -> Result<Vec<IpAddr>, Error> {
        let parse = |text: String| {
            text.parse().map_err(|_| {
                format!("{text:?} is not an IP address; accepted: 192.0.2.1 or 2001:db8::1")
            })
        };
        Ok(self.read("hostaddr", parse)?.into_iter().collect())
    }

    pub(crate) fn port(&self) -> Result<u16, Error> {
        let parse = |text: String| match text.parse::<u16>() {
            Ok(port) if port > 0 => Ok(port),
            _ => Err(format!("{text:?} is not a port; accepted: 1 to 65535")),
        };
        Ok(self.read("port", parse)?.unwrap_or(5432))
    }

    /// The mode, if a setting names it.
    pub(crate) fn ssl_mode(&self) -> Result<Option<SslMode>, Error> {
        self.read("sslmode", |text| text.parse())
    }

    /// Certificates to trust, from the file that `sslrootcert` names.
    pub(crate) fn root_certificates(&self) -> Result<Option<Setting<Bytes>>, Error> {
        let Some(setting) = self.get("sslrootcert") else { return Ok(None) };
        if setting.value == "system" {
            return Ok(None);
        }
        let origin = setting.origin.clone();
        let path = setting.value.clone();
        match self.environment.read_file(Path::new(&path)) {
            Ok(text) => Ok(Some(Setting::new(text.into(), origin))),
            Err(error) => Err(setting
                .error(format!("cannot read {path:?}; accepted: a file of PEM certificates"))
                .with_source(error)),
        }
    }

    /// The budget of one connect.
    pub(crate) fn connect_timeout(&self) -> Result<Option<Duration>, Error> {
        let parse = |text: String| match text.parse::<u32>() {
            Ok(seconds) => Ok(Duration::from_secs(seconds.into())),
            Err(_) => Err(format!(
                "{text:?} is not a time-out; accepted: whole seconds, 0 for the default"
            )),
        };
        Ok(self.read("connect_timeout", parse)?.filter(|timeout| !timeout.is_zero()))
    }

    /// `-c name=value` and `--name=value`, as libpq's `options` has them.
    pub(crate) fn options(&self) -> Result<Vec<StartupOption>, Error> {
        let parse = |text: String| {
            parse_options(&text).ok_or(
                "not start-up options; accepted: -c name=value or --name=value, separated by spaces",
            )
        };
        Ok(self.read("options", parse)?.unwrap_or_default())
    }

    /// Whether the server is on this machine, so that a missing TLS set-up is expected.
    pub(crate) fn is_local(&self) -> bool {
        match self.host() {
            (_, Some(_)) => true,
            (Some(host), None) => is_loopback_name(&host),
            (None, None) => self.has_url(),
        }
    }
}

fn parse_options(text: &str) -> Option<Vec<StartupOption>> {
    let mut found = Vec::new();
    let mut words = split_words(text).into_iter();
    while let Some(word) = words.next() {
        let pair = match word.strip_prefix("-c") {
            Some("") => words.next()?,
            Some(pair) => pair.to_owned(),
            None => word.strip_prefix("--")?.to_owned(),
        };
        let (name, value) = pair.split_once('=').filter(|(name, _)| !name.is_empty())?;
        found.push((name.replace('-', "_").into(), value.into()));
    }
    Some(found)
}

/// Splits at spaces; a backslash takes the next character literally.
fn split_words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut inside) = (Vec::new(), String::new(), false);
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character.is_whitespace() {
            if inside {
                words.push(std::mem::take(&mut word));
            }
            inside = false;
        } else {
            inside = true;
            word.extend(if character == '\\' { characters.next() } else { Some(character) });
        }
    }
    if inside {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_names_origins_and_shows_no_secret() {
        let environment = Environment::from_pairs([
            (
                "LAKEBASE_PG_URL",
                "postgresql://me:canary@h.example/d?sslmode=require&keepalives_idle=5&channel_binding=prefer",
            ),
            ("PGPORT", "6432"),
            ("LAKEBASE_BRANCH", "dev"),
        ]);
        let explicit = BTreeMap::from([("user", Setting::explicit("--user", "you".to_owned()))]);
        let report = Settings::new(&explicit, &environment).unwrap().report();
        let lines: Vec<String> = report
            .iter()
            .map(|EffectiveSetting { key, value, origin }| match value {
                SettingValue::Plain(text) => format!("{key}={text} from {origin}"),
                SettingValue::Secret(_) => format!("{key} from {origin}"),
            })
            .collect();
        assert_eq!(
            lines,
            [
                "database=d from database (in the URL of LAKEBASE_PG_URL)",
                "host=h.example from host (in the URL of LAKEBASE_PG_URL)",
                "keepalives_idle=5 from keepalives_idle (in the URL of LAKEBASE_PG_URL)",
                "password from password (in the URL of LAKEBASE_PG_URL)",
                "port=6432 from PGPORT (environment variable)",
                "sslmode=require from sslmode (in the URL of LAKEBASE_PG_URL)",
                "url from LAKEBASE_PG_URL (environment variable)",
                "user=you from --user (command line)",
            ]
        );
        assert!(!format!("{report:?}").contains("canary"));
    }

    #[test]
    fn a_url_counts_whatever_is_in_it_and_is_reported() {
        for (variable, url) in [
            ("DATABASE_URL", "postgresql://u:p@h/d"),
            ("DATABASE_URL", "postgresql:///d"),
            ("LAKEBASE_PG_URL", "postgresql:///d?user=u"),
            ("LAKEBASE_PG_URL", "dbname=d user=u"),
        ] {
            let environment = Environment::from_pairs([(variable, url)]);
            let explicit = BTreeMap::new();
            let settings = Settings::new(&explicit, &environment).unwrap();
            assert!(matches!(settings.mode(), Ok(crate::mode::Mode::Static)), "{url}");
            assert_eq!(settings.last_resort().is_some(), variable == "DATABASE_URL", "{url}");
            assert!(settings.report().iter().any(|setting| setting.key == "url"), "{url}");
        }
    }

    #[test]
    fn start_up_options_are_split_as_libpq_does() {
        let check = |text: &str, expected: Option<&[(&str, &str)]>| {
            let found = parse_options(text);
            let found: Option<Vec<(&str, &str)>> =
                found.as_ref().map(|found| found.iter().map(|(k, v)| (&**k, &**v)).collect());
            assert_eq!(found.as_deref(), expected, "{text}");
        };
        check("", Some(&[]));
        check(
            "-c geqo=off  --statement-timeout=5min",
            Some(&[("geqo", "off"), ("statement_timeout", "5min")]),
        );
        check("-csearch_path=a\\ b", Some(&[("search_path", "a b")]));
        check("-c", None);
        check("-c =x", None);
        check("geqo=off", None);
    }
}
