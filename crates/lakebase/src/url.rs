//! Connection strings: `postgresql://user:password@host:port/database?sslmode=…`, or `host=… dbname=…`.
//!
//! Source of both forms: libpq's documentation, "Connection Strings". SQLAlchemy's spelling with a driver
//! (`postgresql+psycopg://`) is accepted, because existing `.env` files hold it.

mod keywords;
mod uri;

use std::borrow::Cow;

use lakebase_core::{Error, Secret, Setting, SettingOrigin};

use crate::parameters::{self, PARAMETERS, Parameter, Treatment};

/// The parts that a connection string holds, by the names of the settings they stand for.
///
/// `Debug` shows no value, since one of them may be the password.
#[derive(Default)]
pub(crate) struct UrlParts {
    parts: Vec<(&'static str, Setting<String>)>,
    pub(crate) password: Option<Setting<Secret>>,
}

impl UrlParts {
    /// Takes `url` apart. Values are not interpreted here, except that a port must be one.
    ///
    /// No error quotes any part of the URL that could belong to a password.
    pub(crate) fn parse(url: &Setting<Secret>) -> Result<Self, Error> {
        let words = read(url.value.expose()).map_err(|Problem(text)| url.error(text))?;
        let mut found = Self::default();
        for (parameter, value) in words.found {
            found.put(url, parameter.key(), value);
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

/// Why a text is not a connection string, for people.
#[derive(Debug)]
struct Problem(Cow<'static, str>);

impl Problem {
    fn new(text: impl Into<Cow<'static, str>>) -> Self {
        Self(text.into())
    }

    /// Something is where only an unencoded password would put it.
    fn slid(what: &str) -> Self {
        Self(format!("{what}; {ENCODE}; accepted: {ACCEPTED}").into())
    }
}

const ACCEPTED: &str =
    "postgresql://user:password@host:port/database?sslmode=verify-full, or host=… user=… dbname=…";

/// A host has to be one.
pub(crate) const SEVERAL_HOSTS: &str = "several hosts are not supported: logins, their retries and tokens are for one \
    endpoint, whose host stays when its compute is replaced";

const ENCODE: &str = "percent-encode what is special in a user, password, database or value: % as %25, / as %2F, \
    : as %3A, ? as %3F, # as %23, @ as %40";

/// The parameters of a connection string, in the order they were found.
struct Words {
    found: Vec<(&'static Parameter, String)>,
    /// How to write what is special in this form of a connection string.
    hint: &'static str,
    /// The text after a secret may be the rest of it.
    after_secret: bool,
}

impl Words {
    fn new(hint: &'static str) -> Self {
        Self { found: Vec::new(), hint, after_secret: false }
    }

    /// Takes the parameter `name` of a list of parameters; one that is empty says nothing.
    fn add(&mut self, name: &str, value: String) -> Result<(), Problem> {
        let Some(parameter) = parameters::find(name) else {
            return Err(self.unknown(name));
        };
        self.after_secret |= parameter.is_secret();
        self.put(parameter, value);
        Ok(())
    }

    /// Takes a part that has a place of its own.
    fn add_part(&mut self, name: &'static str, value: String) {
        if let Some(parameter) = parameters::find(name) {
            self.put(parameter, value);
        }
    }

    fn put(&mut self, parameter: &'static Parameter, value: String) {
        if !value.is_empty() {
            self.found.push((parameter, value));
        }
    }

    fn unknown(&self, name: &str) -> Problem {
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if self.after_secret || name.len() > 40 || !name.chars().all(is_name) {
            let text = format!("a parameter is not one of libpq's; {}", self.hint);
            return Problem::new(format!("{text}; accepted: {ACCEPTED}"));
        }
        let honoured =
            PARAMETERS.iter().filter(|it| matches!(it.treatment, Treatment::Honoured { .. }));
        let names: Vec<&str> = honoured.map(|parameter| parameter.name).collect();
        let names = names.join(", ");
        Problem::new(format!("the parameter {name:?} is not supported; accepted: {names}"))
    }
}

fn read(text: &str) -> Result<Words, Problem> {
    let scheme = text.split_once("://").filter(|(scheme, _)| !scheme.contains('='));
    match scheme {
        Some((scheme, rest)) => {
            let dialect = scheme.split('+').next().unwrap_or_default();
            if !matches!(dialect, "postgresql" | "postgres") {
                let text = format!("the URL's scheme is not postgresql; accepted: {ACCEPTED}");
                return Err(Problem::new(text));
            }
            uri::read(rest)
        }
        None if text.contains('=') => keywords::read(text),
        None => Err(Problem::new(format!("not a URL; accepted: {ACCEPTED}"))),
    }
}

/// Takes a URL apart and forgets it: for fuzzing.
#[doc(hidden)]
pub fn fuzz_url(text: &str) {
    if let Ok(parts) = UrlParts::parse(&Setting::explicit("url", Secret::new(text))) {
        drop(parts.get("host"));
    }
}

#[cfg(test)]
#[path = "url/tests.rs"]
mod tests;
