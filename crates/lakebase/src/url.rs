//! Connection URLs: `postgresql://user:password@host:port/database?sslmode=…`.
//!
//! Source of the syntax: libpq's documentation, "Connection URIs". SQLAlchemy's spelling with a driver
//! (`postgresql+psycopg://`) is accepted, because existing `.env` files hold it.

use std::borrow::Cow;

use lakebase_core::{Error, Secret, Setting, SettingOrigin};
use percent_encoding::percent_decode_str;

/// The parts that a URL holds, by the names of the settings they stand for.
///
/// `Debug` shows no value, since one of them may be the password.
#[derive(Default)]
pub(crate) struct UrlParts {
    parts: Vec<(&'static str, Setting<String>)>,
    pub(crate) password: Option<Setting<Secret>>,
}

/// Parameters that libpq knows, with the setting that each stands for.
const PARAMETERS: [(&str, &str); 11] = [
    ("application_name", "application_name"),
    ("connect_timeout", "connect_timeout"),
    ("dbname", "database"),
    ("host", "host"),
    ("hostaddr", "hostaddr"),
    ("options", "options"),
    ("password", "password"),
    ("port", "port"),
    ("sslmode", "sslmode"),
    ("sslrootcert", "sslrootcert"),
    ("user", "user"),
];

impl UrlParts {
    /// Takes `url` apart. Values are not interpreted here.
    ///
    /// No error quotes any part of the URL that could belong to a password.
    pub(crate) fn parse(url: &Setting<Secret>) -> Result<Self, Error> {
        let problem = |text: &str| url.error(format!("{text}; accepted: {ACCEPTED}"));
        let text = url.value.expose();
        let (scheme, rest) = text.split_once("://").ok_or_else(|| problem("not a URL"))?;
        let dialect = scheme.split('+').next().unwrap_or_default();
        if !matches!(dialect, "postgresql" | "postgres") {
            return Err(problem("the URL's scheme is not postgresql"));
        }
        let parsed = url::Url::parse(&format!("postgresql://{rest}")).map_err(|error| {
            problem(&format!(
                "not a URL ({error}; special characters in a password must be percent-encoded)"
            ))
        })?;
        let mut found = Self::default();
        let mut put = |name, value: Cow<'_, str>| {
            if !value.is_empty() {
                found.put(url, name, value.into_owned());
            }
        };
        let decode = |text: &str| match percent_decode_str(text).decode_utf8() {
            Ok(text) => Ok(text.into_owned()),
            Err(_) => Err(problem("a percent-encoded part is not UTF-8")),
        };
        let host = decode(parsed.host_str().unwrap_or_default())?;
        if host.contains(',') {
            return Err(problem("several hosts are not supported"));
        }
        put("host", Cow::Borrowed(host.trim_start_matches('[').trim_end_matches(']')));
        if let Some(port) = parsed.port() {
            put("port", port.to_string().into());
        }
        put("user", decode(parsed.username())?.into());
        put("password", decode(parsed.password().unwrap_or_default())?.into());
        // Not the parsed path: in that, a database with the name `..` would mean the parent folder.
        let path = rest.split(['?', '#']).next().unwrap_or_default();
        let database = path.split_once('/').map_or("", |(_, database)| database);
        put("database", decode(database)?.into());
        for (key, value) in parsed.query_pairs() {
            match PARAMETERS.iter().find(|(parameter, _)| *parameter == key) {
                Some((_, name)) => put(name, value),
                // Weaker than what sqlx does anyway.
                None if key == "channel_binding" && value != "require" => {}
                None => {
                    let names: Vec<&str> = PARAMETERS.iter().map(|(name, _)| *name).collect();
                    let key: String = key.chars().filter(|c| !c.is_control()).take(40).collect();
                    return Err(url.error(format!(
                        "the URL's parameter {key:?} is not supported; accepted: {}",
                        names.join(", ")
                    )));
                }
            }
        }
        Ok(found)
    }

    fn put(&mut self, url: &Setting<Secret>, name: &'static str, value: String) {
        let (SettingOrigin::Explicit(source) | SettingOrigin::Environment(source)) = &url.origin
        else {
            return;
        };
        let origin = SettingOrigin::Url { part: name.into(), url: source.clone() };
        if name == "password" {
            self.password = Some(Setting::new(Secret::new(value), origin));
        } else {
            self.parts.retain(|(known, _)| *known != name);
            self.parts.push((name, Setting::new(value, origin)));
        }
    }

    /// The part that stands for the setting `name`.
    pub(crate) fn get(&self, name: &str) -> Option<Setting<String>> {
        self.parts.iter().find(|(known, _)| *known == name).map(|(_, setting)| setting.clone())
    }
}

const ACCEPTED: &str = "postgresql://user:password@host:port/database?sslmode=verify-full";

/// Takes a URL apart and forgets it: for fuzzing.
#[doc(hidden)]
pub fn fuzz_url(text: &str) {
    if let Ok(parts) = UrlParts::parse(&Setting::explicit("url", Secret::new(text))) {
        drop(parts.get("host"));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(url: &str) -> Result<UrlParts, Error> {
        UrlParts::parse(&Setting::explicit("url", Secret::new(url)))
    }

    fn check(url: &str, expected: &[(&str, &str)]) {
        let parts = parse(url).unwrap();
        for (name, value) in expected {
            let found = match *name {
                "password" => parts.password.as_ref().map(|found| found.value.expose().to_owned()),
                name => parts.get(name).map(|found| found.value),
            };
            assert_eq!(found.as_deref(), Some(*value), "{name} in {url}");
        }
        let count = parts.parts.len() + usize::from(parts.password.is_some());
        assert_eq!(count, expected.len(), "{url}");
    }

    #[test]
    fn takes_urls_apart() {
        check(
            "postgresql://me:p%40ss@localhost:5433/db?sslmode=disable",
            &[
                ("user", "me"),
                ("password", "p@ss"),
                ("host", "localhost"),
                ("port", "5433"),
                ("database", "db"),
                ("sslmode", "disable"),
            ],
        );
        check("postgres://localhost", &[("host", "localhost")]);
        check("postgres://h/%2E%2E", &[("host", "h"), ("database", "..")]);
        check(
            "postgresql+psycopg://a%40b.example@h/d",
            &[("user", "a@b.example"), ("host", "h"), ("database", "d")],
        );
        check("postgresql://[::1]:5432/d", &[("host", "::1"), ("port", "5432"), ("database", "d")]);
        check(
            "postgresql:///d?host=/var/run/postgresql",
            &[("database", "d"), ("host", "/var/run/postgresql")],
        );
        check("postgresql://%2Ftmp%2Fpg/d", &[("host", "/tmp/pg"), ("database", "d")]);
        check(
            "postgresql://h?user=u&password=x&hostaddr=127.0.0.1&options=-c%20a%3Db&channel_binding=prefer",
            &[
                ("host", "h"),
                ("user", "u"),
                ("password", "x"),
                ("hostaddr", "127.0.0.1"),
                ("options", "-c a=b"),
            ],
        );
    }

    #[test]
    fn refuses_with_a_reason_and_without_the_password() {
        for (url, reason) in [
            ("", "not a URL; accepted: postgresql://user"),
            ("localhost/db", "not a URL"),
            ("mysql://u:canary@h/d", "scheme is not postgresql"),
            (
                "postgresql://u:canary#1@h:99999/d",
                "not a URL (invalid port number; special characters",
            ),
            ("postgresql://u:canary@h:port/d", "not a URL (invalid port number"),
            ("postgresql://u:canary@h,h2/d", "several hosts are not supported"),
            (
                "postgresql://u:canary@h/d?sslcompression=1",
                "parameter \"sslcompression\" is not supported; accepted: application_name",
            ),
            (
                "postgresql://u:canary@h/d?channel_binding=require",
                "parameter \"channel_binding\" is not supported",
            ),
            ("postgresql://%ff:canary@h/d", "not UTF-8"),
            ("postgresql://h/%ff", "not UTF-8"),
        ] {
            let error = parse(url).err().unwrap_or_else(|| panic!("{url} was accepted"));
            assert!(error.to_string().contains(reason), "{url}: {error}");
            assert!(error.to_string().starts_with("url (set by the program): "), "{error}");
            assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_or_leaks(text in "(postgresql(\\+psycopg)?://)?\\PC*", secret in "[a-z]{12}") {
            let _ = parse(&text);
            if let Err(error) = parse(&format!("postgresql://u:{secret}@h:{text}")) {
                let printed = format!("{error:?}");
                prop_assert!(text.contains(&secret) || !printed.contains(&secret));
            }
        }

        #[test]
        fn encoded_parts_come_back(user in "\\PC{1,20}", password in "\\PC{1,20}", database in "\\PC{1,20}") {
            let encode = |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
            let url = format!("postgresql://{}:{}@h/{}", encode(&user), encode(&password), encode(&database));
            let parts = parse(&url).unwrap();
            prop_assert_eq!(parts.get("user").unwrap().value, user);
            prop_assert_eq!(parts.get("database").unwrap().value, database);
            let found = parts.password.unwrap().value;
            prop_assert_eq!(found.expose(), password);
        }
    }
}
