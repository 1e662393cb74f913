//! Where Postgres' programs are.

use std::env::consts::EXE_SUFFIX;
use std::path::{Path, PathBuf};

/// Setting that names the folder with `postgres` and `initdb`.
pub(crate) const SETTING: &str = "LAKEBASE_POSTGRES_BIN";

/// Folders of the usual packages; one `*` stands for a version.
const USUAL: &[&str] = &[
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/opt/homebrew/opt/postgresql/bin",
    "/opt/homebrew/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    "/usr/local/pgsql/bin",
    "/usr/local/bin",
    "/usr/bin",
];

/// Finds the folder that holds `postgres` and `initdb`: the configured one, `LAKEBASE_POSTGRES_BIN`, `PATH`,
/// then the usual folders, newest version first.
pub(crate) fn find(
    configured: Option<&Path>,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<PathBuf, String> {
    find_in(configured, lookup, USUAL)
}

fn find_in(
    configured: Option<&Path>,
    lookup: &dyn Fn(&str) -> Option<String>,
    usual: &[&str],
) -> Result<PathBuf, String> {
    if let Some(folder) = configured {
        return named(folder, "the configuration");
    }
    if let Some(folder) = lookup(SETTING).filter(|folder| !folder.is_empty()) {
        return named(Path::new(&folder), SETTING);
    }
    let path = lookup("PATH").unwrap_or_default();
    let mut searched: Vec<PathBuf> =
        std::env::split_paths(&path).filter(|p| p.is_absolute()).collect();
    searched.extend(usual.iter().flat_map(|pattern| expand(pattern)));
    let found = searched.iter().find_map(|folder| {
        // Links (as in /usr/local/bin), of `postgres` alone or of all programs, lead to the folder beside which `share` lies.
        let real = std::fs::canonicalize(folder.join(format!("postgres{EXE_SUFFIX}"))).ok();
        let real = real.as_deref().and_then(Path::parent);
        real.into_iter().chain([&**folder]).find(|folder| is_complete(folder)).map(Path::to_owned)
    });
    found.ok_or_else(|| format!(
        "no Postgres found: looked for `postgres` and `initdb` in {SETTING} (not set), PATH ({path}) and {}; \
         install it (Debian/Ubuntu: apt install postgresql, Fedora: dnf install postgresql-server, \
         macOS: brew install postgresql@17) or set {SETTING} to the folder with these programs",
        usual.join(", ")
    ))
}

fn named(folder: &Path, source: &str) -> Result<PathBuf, String> {
    // The programs are started from another folder, so a relative name would not do.
    if let Some(folder) = std::fs::canonicalize(folder).ok().filter(|folder| is_complete(folder)) {
        return Ok(folder);
    }
    Err(format!(
        "{source} says that Postgres is in '{}', but `postgres` and `initdb` are not both there",
        folder.display()
    ))
}

fn is_complete(folder: &Path) -> bool {
    ["postgres", "initdb"].iter().all(|name| folder.join(format!("{name}{EXE_SUFFIX}")).is_file())
}

/// Folders that fit a pattern with at most one `*`, highest version first.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else {
        return vec![PathBuf::from(pattern)];
    };
    let (parent, prefix) = before.rsplit_once('/').unwrap_or(("", before));
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut versions: Vec<(u32, PathBuf)> = names
        .filter_map(|name| {
            let version = name.strip_prefix(prefix)?.split('.').next()?.parse().ok()?;
            Some((version, PathBuf::from(format!("{parent}/{name}{after}"))))
        })
        .collect();
    versions.sort_by_key(|version| std::cmp::Reverse(version.0));
    versions.into_iter().map(|(_, folder)| folder).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_setting_that_is_wrong() {
        let lookup = |name: &str| (name == SETTING).then(|| "/nowhere".to_owned());
        let error = find(None, &lookup).unwrap_err();
        assert!(error.contains(SETTING) && error.contains("/nowhere"), "{error}");
        let error = find(Some(Path::new("/void")), &lookup).unwrap_err();
        assert!(error.contains("configuration") && error.contains("/void"), "{error}");
    }

    #[test]
    fn what_was_searched_is_listed() {
        let lookup = |name: &str| (name == "PATH").then(|| "/one:relative:/two".to_owned());
        let error = find_in(None, &lookup, &["/three/*/bin"]).unwrap_err();
        for part in
            [SETTING, "/one", "/two", "/three/*/bin", "apt install postgresql", "brew install"]
        {
            assert!(error.contains(part), "{part} is not in: {error}");
        }
    }

    #[test]
    fn the_path_goes_before_the_usual_folders_and_the_newest_first() {
        let base = std::env::temp_dir().join(format!("lakebase-find-{}", std::process::id()));
        for folder in ["path", "usual-9/bin", "usual-17.2/bin", "usual-16/bin", "usual-x/bin"] {
            std::fs::create_dir_all(base.join(folder)).unwrap();
            for name in ["postgres", "initdb"] {
                let program = format!("{name}{EXE_SUFFIX}");
                std::fs::write(base.join(folder).join(program), "").unwrap();
            }
        }
        let base = std::fs::canonicalize(base).unwrap();
        let pattern = format!("{}/usual-*/bin", base.display());
        let path = |name: &str| (name == "PATH").then(|| base.join("path").display().to_string());
        let first = find_in(None, &path, &[&pattern]);
        let newest = find_in(None, &|_| None, &[&pattern]);
        let named = find_in(Some(&base.join("usual-9/../usual-9/bin")), &path, &[]);
        #[cfg(unix)]
        let linked = {
            let folder = base.join("linked");
            std::fs::create_dir(&folder).unwrap();
            let program = base.join("usual-16/bin/postgres");
            std::os::unix::fs::symlink(program, folder.join("postgres")).unwrap();
            find_in(None, &|name| (name == "PATH").then(|| folder.display().to_string()), &[])
        };
        std::fs::remove_dir_all(&base).unwrap();
        assert_eq!(first.unwrap(), base.join("path"));
        assert_eq!(newest.unwrap(), base.join("usual-17.2/bin"));
        assert_eq!(named.unwrap(), base.join("usual-9/bin"));
        #[cfg(unix)]
        assert_eq!(linked.unwrap(), base.join("usual-16/bin"));
    }

    #[test]
    fn patterns_without_a_version_stay() {
        assert_eq!(expand("/usr/bin"), [PathBuf::from("/usr/bin")]);
        assert!(expand("/nowhere/at-all-*/bin").is_empty());
    }
}
