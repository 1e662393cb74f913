//! Collects settings from the program, the environment and the profile file, each with its origin.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use lakebase_core::{Environment, Error, ErrorKind, Result, Secret, Setting, SettingOrigin};

use super::attribute::{ATTRIBUTES, Attribute, alias};
use super::profile::{DEFAULT, ProfileFile, SETTINGS};

/// The value of a setting for display.
#[derive(Clone, Debug)]
pub enum SettingValue {
    /// The value.
    Plain(String),
    /// A secret value, which is not shown.
    Secret(Secret),
}

/// A setting and its origin.
#[derive(Clone, Debug)]
pub struct EffectiveSetting {
    /// Its name, as in a profile.
    pub key: &'static str,
    /// Its value.
    pub value: SettingValue,
    /// Its origin.
    pub origin: SettingOrigin,
}

/// Values by key. Not `Debug`: values may be secrets.
#[derive(Clone, Default)]
pub(crate) struct Settings(BTreeMap<&'static str, Setting<String>>);

impl Settings {
    pub(super) fn set(&mut self, key: &'static str, setting: Setting<String>) {
        if !setting.value.is_empty() {
            self.0.insert(key, setting);
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Setting<String>> {
        self.0.get(key)
    }

    /// Whether anything configures an identity of kind `auth`.
    pub(crate) fn configure(&self, auth: &str) -> bool {
        self.of(Some(auth)).next().is_some()
    }

    /// The settings that choose or configure an identity of kind `auth`, or of any kind.
    pub(super) fn of(
        &self,
        auth: Option<&str>,
    ) -> impl Iterator<Item = (&'static Attribute, &Setting<String>)> {
        ATTRIBUTES
            .iter()
            .filter(move |attribute| {
                attribute.auth.is_some() && auth.is_none_or(|auth| attribute.auth == Some(auth))
            })
            .filter_map(|attribute| self.0.get(attribute.key).map(|setting| (attribute, setting)))
    }

    /// All settings, for display.
    pub(super) fn report(&self) -> Vec<EffectiveSetting> {
        let keys = ["profile", "config_file"].into_iter().map(|key| (key, false));
        let keys = keys.chain(ATTRIBUTES.iter().map(|attribute| (attribute.key, attribute.secret)));
        keys.filter_map(|(key, secret)| {
            let Setting { value, origin } = self.0.get(key)?.clone();
            let value = if secret {
                SettingValue::Secret(Secret::new(value))
            } else {
                SettingValue::Plain(value)
            };
            Some(EffectiveSetting { key, value, origin })
        })
        .collect()
    }

    /// Adds the settings that the program did not set: first from variables, then from the profile.
    pub(super) fn complete(&mut self, environment: &Environment) -> Result<()> {
        let others =
            [("profile", "DATABRICKS_CONFIG_PROFILE"), ("config_file", "DATABRICKS_CONFIG_FILE")];
        let all = ATTRIBUTES.iter().map(|attribute| (attribute.key, attribute.variable));
        for (key, variable) in others.into_iter().chain(all) {
            let mut names = [variable].into_iter().chain(alias(variable));
            if !self.0.contains_key(key)
                && let Some(setting) = names.find_map(|name| environment.var(name))
            {
                self.set(key, setting);
            }
        }
        let named = self.0.contains_key("profile");
        if !named && (self.0.contains_key("host") || self.of(None).next().is_some()) {
            return Ok(());
        }
        self.add_profile(environment)
    }

    fn add_profile(&mut self, environment: &Environment) -> Result<()> {
        let Some((path, file)) = self.read_file(environment)? else {
            return Ok(());
        };
        let (profile, must_exist) = match (self.get("profile"), file.default_profile()) {
            (Some(named), _) => (named.clone(), true),
            (None, Some(default)) => {
                let origin = SettingOrigin::Profile {
                    key: "default_profile".into(),
                    profile: SETTINGS.into(),
                    file: path.as_str().into(),
                };
                (Setting::new(default.to_owned(), origin), true)
            }
            (None, None) => {
                let origin = SettingOrigin::Profile {
                    key: "profile".into(),
                    profile: DEFAULT.into(),
                    file: path.as_str().into(),
                };
                (Setting::new(DEFAULT.to_owned(), origin), false)
            }
        };
        if !file.has(&profile.value) {
            if !must_exist {
                return Ok(());
            }
            let there = file.profiles().join(", ");
            let there = if there.is_empty() { "none" } else { &there };
            return Err(
                profile.error(format!("{path} has no profile {:?}; there: {there}", profile.value))
            );
        }
        for attribute in ATTRIBUTES {
            if !self.0.contains_key(attribute.key)
                && let Some(value) = file.get(&profile.value, attribute.key)
            {
                let origin = SettingOrigin::Profile {
                    key: attribute.key.into(),
                    profile: profile.value.as_str().into(),
                    file: path.as_str().into(),
                };
                self.set(attribute.key, Setting::new(value.to_owned(), origin));
            }
        }
        self.set("profile", profile);
        Ok(())
    }

    /// The profile file; `None` if it does not exist and no setting requires it.
    fn read_file(&self, environment: &Environment) -> Result<Option<(String, ProfileFile)>> {
        // The setting that requires the file, for errors.
        let asked = self.get("config_file").or_else(|| self.get("profile"));
        let refuse = |problem: String| match asked {
            Some(setting) => setting.error(problem),
            None => Error::new(ErrorKind::Config, problem),
        };
        let written = self.get("config_file").map_or("~/.databrickscfg", |file| &file.value);
        let home = ["HOME", "USERPROFILE"].into_iter().find_map(|name| environment.var(name));
        let path =
            match (written.strip_prefix('~').filter(|rest| rest.starts_with(['/', '\\'])), home) {
                (None, _) => PathBuf::from(written),
                (Some(rest), Some(home)) => PathBuf::from(home.value + rest),
                (Some(_), None) if asked.is_none() => return Ok(None),
                (Some(_), None) => {
                    return Err(refuse(format!(
                        "{written} cannot be found, because neither HOME nor USERPROFILE is set"
                    )));
                }
            };
        let shown = path.display().to_string();
        match environment.read_file(&path) {
            Ok(text) => {
                let file = ProfileFile::parse(&text)
                    .map_err(|error| refuse(format!("{shown}: {error}")).with_source(error))?;
                Ok(Some((shown, file)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && asked.is_none() => Ok(None),
            Err(error) => {
                Err(refuse(format!("{shown} cannot be read: {error}")).with_source(error))
            }
        }
    }
}
