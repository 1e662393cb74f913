//! The password of a native role in a file that libpq's programs share.

use std::path::{Path, PathBuf};

use lakebase_core::{Environment, Secret, Setting, SettingOrigin};
use lakebase_runtime::platform::IS_WINDOWS;

use super::Settings;
use crate::mode::Mode;
use crate::pgpass::{self, Login};

/// The permissions of group and others.
const OTHERS: u32 = 0o077;

/// The answer of the password file.
pub(crate) enum PasswordFile {
    /// There is none, or it has no password for this login, or none is needed.
    Silent,
    /// The password for this login.
    Password(Setting<Secret>),
    /// The file is not used; why.
    Ignored(String),
}

impl Settings<'_> {
    /// The answer of the password file about the login to a server that a URL or host names.
    ///
    /// Asked only where no other setting has a password. Without a user there is nothing to look for.
    pub(super) fn password_file(&self) -> PasswordFile {
        self.password_file_on(IS_WINDOWS)
    }

    fn password_file_on(&self, on_windows: bool) -> PasswordFile {
        let (Ok(Mode::Static), Some(user), Ok(port)) =
            (self.mode(), self.text("user"), self.port())
        else {
            return PasswordFile::Silent;
        };
        let Some(path) = self
            .get("passfile")
            .map(|path| path.value.into())
            .or_else(|| default_path(self.environment, on_windows))
        else {
            return PasswordFile::Silent;
        };
        let host = self.text("host").or_else(|| self.text("hostaddr"));
        let database = self.text("database").unwrap_or_else(|| user.clone());
        let login = Login {
            host: host.as_deref().unwrap_or("localhost"),
            port,
            database: &database,
            user: &user,
        };
        read(self.environment, &path, &login)
    }
}

/// Where libpq looks if nothing is set.
fn default_path(environment: &Environment, on_windows: bool) -> Option<PathBuf> {
    Some(match on_windows {
        false => Path::new(&environment.var("HOME")?.value).join(".pgpass"),
        true => {
            Path::new(&environment.var("APPDATA")?.value).join("postgresql").join("pgpass.conf")
        }
    })
}

fn read(environment: &Environment, path: &Path, login: &Login<'_>) -> PasswordFile {
    let shown = path.display();
    // Before it is read, because reading a pipe may not end.
    match environment.file_status(path) {
        Err(_) => return PasswordFile::Silent,
        Ok(status) if !status.is_regular => {
            return PasswordFile::Ignored(format!("password file {shown} is not a regular file"));
        }
        Ok(status) => {
            if let Some(mode) = status.mode.filter(|mode| mode & OTHERS != 0) {
                let mode = mode & 0o777;
                return PasswordFile::Ignored(format!(
                    "password file {shown} has mode {mode:04o}, so others may read it; set it to 0600"
                ));
            }
        }
    }
    let Ok(text) = environment.read_file(path).map(Secret::new) else {
        return PasswordFile::Silent;
    };
    match pgpass::find(text.expose(), login).filter(|password| !password.is_empty()) {
        Some(password) => {
            let origin = SettingOrigin::PasswordFile(shown.to_string().into());
            PasswordFile::Password(Setting::new(Secret::new(password), origin))
        }
        None => PasswordFile::Silent,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io;

    use lakebase_core::FileStatus;

    use super::*;

    const FILE: &str = "db.example:*:*:me:canary\nlocalhost:5432:me:me:local";

    /// What is found with these variables, and the file at `path` of this mode.
    fn found(variables: &[(&'static str, &'static str)], path: &'static str, mode: u32) -> String {
        let variables = variables.to_vec();
        let regular = mode & 0o170_000 == 0;
        let environment = Environment::new(
            move |name| variables.iter().find(|it| it.0 == name).map(|it| it.1.to_owned()),
            move |asked| match asked == Path::new(path) {
                true if regular => Ok(FILE.to_owned()),
                true => panic!("it is read, which may not end"),
                false => Err(io::ErrorKind::NotFound.into()),
            },
        )
        .with_file_status(move |asked| match asked == Path::new(path) {
            true => Ok(FileStatus { is_regular: regular, mode: Some(mode) }),
            false => Err(io::ErrorKind::NotFound.into()),
        });
        let explicit = BTreeMap::new();
        let settings = Settings::new(&explicit, &environment).unwrap();
        let found = match settings.password_file_on(false) {
            PasswordFile::Silent => "silent".to_owned(),
            PasswordFile::Ignored(reason) => reason,
            PasswordFile::Password(Setting { value, origin }) => {
                format!("{} from {origin}", value.expose())
            }
        };
        // As paths are joined where the tests run.
        found.replace('\\', "/")
    }

    const HOME: (&str, &str) = ("HOME", "/home/me");
    const PGPASS: &str = "/home/me/.pgpass";
    const URL: (&str, &str) = ("LAKEBASE_PG_URL", "postgresql://me@db.example/d");

    #[test]
    fn it_is_looked_for_where_libpq_looks() {
        let by_url = |url| ("LAKEBASE_PG_URL", url);
        let by_name = [("PGHOST", "db.example"), ("PGUSER", "me")];
        for (variables, path, password) in [
            (vec![HOME, URL], PGPASS, Some("canary")),
            (vec![HOME, URL, ("PGPASSFILE", "/p")], "/p", Some("canary")),
            (vec![HOME, URL, ("PGPASSFILE", "/p")], PGPASS, None),
            (
                vec![by_url("postgresql://me@db.example/d?passfile=/q"), ("PGPASSFILE", "/p")],
                "/q",
                Some("canary"),
            ),
            (vec![HOME, by_name[0], by_name[1]], PGPASS, Some("canary")),
            // The database is the user's name where there is none.
            (vec![HOME, by_url("postgresql://me@localhost")], PGPASS, Some("local")),
            (vec![HOME, by_url("postgresql://me@localhost:5433")], PGPASS, None),
            (vec![HOME, by_url("postgresql://you@db.example")], PGPASS, None),
            // There is no user to look for.
            (vec![HOME, by_url("postgresql://db.example")], PGPASS, None),
            // A workspace is asked for a token.
            (vec![HOME, ("LAKEBASE_PROJECT", "p"), by_name[0], by_name[1]], PGPASS, None),
            (vec![URL], PGPASS, None),
        ] {
            let expected = match password {
                Some(password) => format!("{password} from {path} (password file)"),
                None => "silent".to_owned(),
            };
            assert_eq!(found(&variables, path, 0o600), expected, "{variables:?}");
        }
        let windows = Environment::from_pairs([("APPDATA", "roaming")]);
        let expected = Path::new("roaming").join("postgresql").join("pgpass.conf");
        assert_eq!(default_path(&windows, true), Some(expected));
        assert_eq!(default_path(&windows, false), None);
    }

    #[test]
    fn a_file_that_others_may_read_or_that_is_none_is_not_used() {
        let of_mode = |mode| found(&[HOME, URL], PGPASS, mode);
        for mode in [0o640, 0o604, 0o602, 0o777] {
            let expected = format!(
                "password file /home/me/.pgpass has mode {mode:04o}, so others may read it; set it to 0600"
            );
            assert_eq!(of_mode(mode), expected);
        }
        assert_eq!(of_mode(0o010_600), "password file /home/me/.pgpass is not a regular file");
        assert!(of_mode(0o400).starts_with("canary from"));
    }
}
