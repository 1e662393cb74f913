//! Configuration values that remember where they came from, and the outside they are read from.

use std::fmt;
use std::io;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use crate::{Error, ErrorKind, Secret};

/// Where a setting's value came from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SettingOrigin {
    /// The program set it, through the builder option or command-line flag of this name.
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
    /// A part of the connection URL that came from elsewhere.
    Url {
        /// Which part: `host`, `port`, `sslmode` and so on.
        part: Arc<str>,
        /// Where the URL came from.
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

/// A value and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub origin: SettingOrigin,
}

impl<T> Setting<T> {
    /// A value with its origin.
    #[must_use]
    pub fn new(value: T, origin: SettingOrigin) -> Self {
        Self { value, origin }
    }

    /// A value that the program set through the option `name`.
    #[must_use]
    pub fn explicit(name: &str, value: T) -> Self {
        Self::new(value, SettingOrigin::Explicit(name.into()))
    }

    /// An [`ErrorKind::Config`] error that names this setting, its origin and `problem`.
    ///
    /// `problem` must not quote the value of a secret.
    #[must_use]
    pub fn error(&self, problem: impl fmt::Display) -> Error {
        Error::new(ErrorKind::Config, format!("{}: {problem}", self.origin))
    }

    /// The same origin with another value.
    ///
    /// # Errors
    ///
    /// The one of `convert`, with this setting named in front of it.
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
    /// Reads the text.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`]: the setting, its origin, and what `T` says is wrong and accepted.
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

/// What the operating system says about a file, as far as configuration asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStatus {
    /// Whether it is a regular file, after symbolic links: no folder, pipe or device.
    pub is_regular: bool,
    /// The permissions as Unix has them, such as `0o600`; `None` where the system has no such thing.
    pub mode: Option<u32>,
}

/// The process's surroundings as far as configuration reads them: variables and files.
///
/// Always injected, so that tests and embedders never depend on the real ones.
#[derive(Clone)]
pub struct Environment {
    lookup: Arc<Lookup>,
    read_file: Arc<ReadFile>,
    file_status: Arc<LookAtFile>,
}

impl Environment {
    /// Surroundings that answer through these two functions.
    ///
    /// Files count as regular ones whose permissions are unknown, unless [`with_file_status`](Self::with_file_status)
    /// says more.
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

    /// The same surroundings, in which `file_status` tells about files that hold secrets before they are read.
    #[must_use]
    pub fn with_file_status(
        self,
        file_status: impl Fn(&Path) -> io::Result<FileStatus> + Send + Sync + 'static,
    ) -> Self {
        Self { file_status: Arc::new(file_status), ..self }
    }

    /// No variable is set and no file exists.
    #[must_use]
    pub fn empty() -> Self {
        Self::from_pairs::<&str, &str>([])
    }

    /// Only these variables are set and no file exists.
    #[must_use]
    pub fn from_pairs<K: Into<String>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let pairs: std::collections::HashMap<String, String> =
            pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        Self::new(move |name| pairs.get(name).cloned(), |_| Err(io::ErrorKind::NotFound.into()))
    }

    /// The variable `name`; an empty one counts as not set, as in Databricks' SDKs.
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

    /// What kind of file is at `path`, and who may read it.
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
