//! `lakebase psql`: PostgreSQL's own terminal through a private tunnel.

use std::env::consts::EXE_SUFFIX;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use lakebase::Lakebase;
use lakebase::core::EndpointState;
use tokio::process::Command;

use super::child::address::LocalAddress;
use super::child::run;
use crate::cli::{Global, Psql};
use crate::output::note;
use crate::process::variable;
use crate::progress::{self, ASKING};
use crate::settings::lakebase;

/// The program to run, instead of what is found.
const SETTING: &str = "LAKEBASE_PSQL";

/// Folders of the usual packages; one `*` stands for a version.
#[cfg(windows)]
const USUAL: &[&str] = &["C:/Program Files/PostgreSQL/*/bin"];
#[cfg(not(windows))]
const USUAL: &[&str] = &[
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/libpq/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/libpq/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/home/linuxbrew/.linuxbrew/opt/libpq/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    "/usr/local/pgsql/bin",
];

pub(crate) async fn run_psql(global: &Global, arguments: &Psql) -> anyhow::Result<i32> {
    let program = find(&variable, USUAL)?;
    let lakebase = lakebase(global)?;
    // An error is reported here, with more help than psql has.
    progress::during(global, ASKING, lakebase.connector().login()).await?;
    if io::stderr().is_terminal() && is_asleep(&lakebase).await {
        note("lakebase: waking the compute");
    }
    let address = LocalAddress::open(&lakebase, false).await?;
    let mut command = Command::new(program);
    command.args(&arguments.arguments);
    address.tell(&mut command, false);
    run(command).await
}

/// Whether the login will have to wait; from what the look-up of the endpoint said, if there was one.
async fn is_asleep(lakebase: &Lakebase) -> bool {
    let config = lakebase.connector().config();
    config.host.is_none()
        && config.socket_directory.is_none()
        && matches!(lakebase.endpoint().await, Ok(Some(it)) if it.state == EndpointState::Idle)
}

/// Finds psql: [`SETTING`], `PATH`, then the usual folders, newest version first.
fn find(lookup: &dyn Fn(&str) -> Option<String>, usual: &[&str]) -> anyhow::Result<PathBuf> {
    if let Some(program) = lookup(SETTING) {
        let path = PathBuf::from(program);
        if !path.is_file() {
            bail!("{SETTING} (environment variable): there is no file {}", path.display());
        }
        // A bare name would be searched for on the path.
        return std::path::absolute(path).context("the current folder is gone");
    }
    let path = lookup("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
    let mut programs = folders.chain(usual.iter().flat_map(|pattern| expand(pattern)));
    let name = format!("psql{EXE_SUFFIX}");
    programs.find_map(|folder| Some(folder.join(&name)).filter(|file| file.is_file())).with_context(|| {
        format!(
            "there is no psql: looked for it in {SETTING} (not set), PATH ({path}) and {}; install it (Debian/Ubuntu: \
             apt install postgresql-client, Fedora: dnf install postgresql, macOS: brew install libpq, Windows: winget \
             install PostgreSQL.PostgreSQL.17) or set {SETTING}",
            usual.join(", ")
        )
    })
}

/// Folders that fit a pattern with at most one `*`, highest version first.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else {
        return vec![PathBuf::from(pattern)];
    };
    let (parent, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let version = name.strip_prefix(prefix)?.split('.').next()?.parse().ok()?;
            Some((version, Path::new(parent).join(format!("{name}{after}"))))
        })
        .collect();
    versions.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    versions.into_iter().map(|(_, folder)| folder).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn psql_in(folder: &Path) -> PathBuf {
        std::fs::create_dir_all(folder).unwrap();
        let program = folder.join(format!("psql{EXE_SUFFIX}"));
        std::fs::write(&program, "").unwrap();
        program
    }

    #[test]
    fn the_setting_wins_then_the_path_then_the_newest() {
        let base = tempfile::tempdir().unwrap();
        let [old, new] = ["9", "17"].map(|version| psql_in(&base.path().join(version).join("bin")));
        let pattern = format!("{}/*/bin", base.path().display()).replace('\\', "/");
        let found = |variables: &[(&str, &Path)]| {
            let lookup = |name: &str| {
                let (_, value) = variables.iter().find(|(known, _)| *known == name)?;
                Some(value.to_str().unwrap().to_owned())
            };
            find(&lookup, &[&pattern]).map_err(|error| error.to_string())
        };
        assert_eq!(found(&[]), Ok(new.clone()));
        let path = ("PATH", old.parent().unwrap());
        assert_eq!(found(&[path]), Ok(old.clone()));
        assert_eq!(found(&[path, (SETTING, &new)]), Ok(new));
        let error = found(&[(SETTING, Path::new("/nowhere/psql"))]).unwrap_err();
        assert!(error.contains(SETTING) && error.contains("/nowhere/psql"), "{error}");
    }

    #[test]
    fn a_missing_psql_is_explained() {
        let error = find(&|_| None, &["/nowhere"]).unwrap_err().to_string();
        assert!(error.contains("/nowhere") && error.contains("install"), "{error}");
    }
}
