//! Configuration values with their origin, and the environment from which they are read.

use std::fmt;
use std::io;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use crate::{Error, ErrorKind, Secret};

/// The origin of a setting's value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SettingOrigin {
    /// The builder option or command-line flag of this name.
    Explicit(Arc<str>),
    /// The environment variable of this name.
    Environment(Arc<str>),
    /// A key of a profile in a configuration file.
    Profile {
        /// The key.
        key: Arc<str>,
        /// The profile.
        profile: Arc<str>,
        /// The file's path.
        file: Arc<str>,
    },
    /// A part of a connection URL.
    Url {
        /// The part: `host`, `port`, `sslmode` and so on.
        part: Arc<str>,
        /// The origin of the URL.
        url: Arc<str>,
    },
    /// A line of the password file at this path.
    PasswordFile(Arc<str>),
}

impl fmt::Display for SettingOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Explicit(flag) if flag.starts_with("--") => write!(f, "{flag} (command line)"),
            Self::Explicit(name) => write!(f, "{name} (set by the program)"),
            Self::Environment(name) => write!(f, "{name} (environment variable)"),
            Self::Profile { key, profile, file } => {
                write!(f, "{key} (profile {profile} in {file})")
            }
            Self::Url { part, url } => write!(f, "{part} (in the URL of {url})"),
            Self::PasswordFile(path) => write!(f, "{path} (password file)"),
        }
    }
}

/// A value and its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Its origin.
    pub origin: SettingOrigin,
}

impl<T> Setting<T> {
    /// A value with its origin.
    #[must_use]
    pub fn new(value: T, origin: SettingOrigin) -> Self {
        Self { value, origin }
    }

    /// A value of the builder option `name`.
    #[must_use]
    pub fn explicit(name: &str, value: T) -> Self {
        Self::new(value, SettingOrigin::Explicit(name.into()))
    }

    /// An [`ErrorKind::Config`] error that names this setting, its origin and `problem`.
    ///
    /// `problem` must not contain a secret.
    #[must_use]
    pub fn error(&self, problem: impl fmt::Display) -> Error {
        Error::new(ErrorKind::Config, format!("{}: {problem}", self.origin))
    }

    /// The same origin with another value.
    ///
    /// # Errors
    ///
    /// The error of `convert`, after the setting's origin.
    pub fn try_map<U, E: fmt::Display>(
        self,
        convert: impl FnOnce(T) -> Result<U, E>,
    ) -> Result<Setting<U>, Error> {
        match convert(self.value) {
            Ok(value) => Ok(Setting::new(value, self.origin)),
            Err(problem) => Err(Setting::new((), self.origin).error(problem)),
        }
    }
}

impl Setting<String> {
    /// Parses the text.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] with the setting's origin and the error of `T`.
    pub fn parse<T: FromStr<Err = Error>>(self) -> Result<Setting<T>, Error> {
        self.try_map(|text| text.parse())
    }

    /// The same text as a secret.
    #[must_use]
    pub fn into_secret(self) -> Setting<Secret> {
        Setting::new(Secret::new(self.value), self.origin)
    }
}

type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;
type ReadFile = dyn Fn(&Path) -> io::Result<String> + Send + Sync;
type LookAtFile = dyn Fn(&Path) -> io::Result<FileStatus> + Send + Sync;

/// The type and permissions of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStatus {
    /// Whether it is a regular file (symbolic links are followed), and no folder, pipe or device.
    pub is_regular: bool,
    /// The Unix permissions, such as `0o600`; `None` on other systems.
    pub mode: Option<u32>,
}

/// The variables and files from which configuration is read.
///
/// It is always an argument, so tests and embedders do not depend on those of the process.
#[derive(Clone)]
pub struct Environment {
    lookup: Arc<Lookup>,
    read_file: Arc<ReadFile>,
    file_status: Arc<LookAtFile>,
}

impl Environment {
    /// An environment of these two functions.
    ///
    /// Every file counts as a regular one with unknown permissions, unless
    /// [`with_file_status`](Self::with_file_status) replaces that.
    #[must_use]
    pub fn new(
        lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
        read_file: impl Fn(&Path) -> io::Result<String> + Send + Sync + 'static,
    ) -> Self {
        let file_status = |_: &Path| Ok(FileStatus { is_regular: true, mode: None });
        Self {
            lookup: Arc::new(lookup),
            read_file: Arc::new(read_file),
            file_status: Arc::new(file_status),
        }
    }

    /// The same environment with `file_status`, which is called before a file with secrets is read.
    #[must_use]
    pub fn with_file_status(
        self,
        file_status: impl Fn(&Path) -> io::Result<FileStatus> + Send + Sync + 'static,
    ) -> Self {
        Self { file_status: Arc::new(file_status), ..self }
    }

    /// An environment without variables and files.
    #[must_use]
    pub fn empty() -> Self {
        Self::from_pairs::<&str, &str>([])
    }

    /// An environment with these variables only.
    #[must_use]
    pub fn from_pairs<K: Into<String>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let pairs: std::collections::HashMap<String, String> =
            pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        Self::new(move |name| pairs.get(name).cloned(), |_| Err(io::ErrorKind::NotFound.into()))
    }

    /// The variable `name`. An empty one counts as unset, as in Databricks' SDKs.
    #[must_use]
    pub fn var(&self, name: &str) -> Option<Setting<String>> {
        let value = (self.lookup)(name).filter(|value| !value.is_empty())?;
        Some(Setting::new(value, SettingOrigin::Environment(name.into())))
    }

    /// The text of the file at `path`.
    ///
    /// # Errors
    ///
    /// The operating system's.
    pub fn read_file(&self, path: &Path) -> io::Result<String> {
        (self.read_file)(path)
    }

    /// The type and permissions of the file at `path`.
    ///
    /// # Errors
    ///
    /// The operating system's.
    pub fn file_status(&self, path: &Path) -> io::Result<FileStatus> {
        (self.file_status)(path)
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Target;

    #[test]
    fn errors_name_the_setting_and_its_origin() {
        let environment =
            Environment::from_pairs([("LAKEBASE_ENDPOINT", "nonsense"), ("EMPTY", "")]);
        let error = environment.var("LAKEBASE_ENDPOINT").unwrap().parse::<Target>().unwrap_err();
        assert!(
            error.to_string().starts_with(
                "LAKEBASE_ENDPOINT (environment variable): \"nonsense\" is not a resource name; accepted: projects/"
            ),
            "{error}"
        );
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(environment.var("EMPTY").is_none());
        assert!(environment.read_file(Path::new("/etc/hosts")).is_err());
    }
}
