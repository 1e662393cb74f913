//! Programs that the system's packagers have: found where they install them, else installed with their ordinary client.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{act, exists};
use crate::system::{Failure, env, is_root};

/// Where daemons and libraries lie that are not on everybody's `PATH`.
const FOLDERS: &[&str] = &[
    "/usr/sbin",
    "/usr/local/sbin",
    "/opt/homebrew/bin",
    "/usr/local/bin",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib/wine",
];

/// A program (or a library) and the packages that hold it.
#[derive(Clone, Copy, Debug)]
pub struct Package {
    /// Its file name.
    pub program: &'static str,
    /// Debian's name.
    pub apt: &'static str,
    /// Homebrew's name.
    pub brew: &'static str,
}

impl Package {
    /// Where the program is.
    pub fn provide(self) -> Result<PathBuf, Failure> {
        let Self { program, apt, brew } = self;
        if let Some(path) = self.find() {
            return Ok(path);
        }
        if exists("apt-get") && is_root() {
            from_apt(apt)?;
        } else if exists("brew") {
            from_brew(brew)?;
        }
        self.find().ok_or_else(|| {
            Failure::new(format!("no {program}; install it (Debian: {apt}, Homebrew: {brew})"))
        })
    }

    fn find(self) -> Option<PathBuf> {
        let path = env("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&path).chain(FOLDERS.iter().map(PathBuf::from));
        first(folders, self.program)
    }
}

/// Installs a package with Debian's client.
pub(super) fn from_apt(package: &str) -> Result<(), Failure> {
    if !exists("apt-get") {
        return Err(Failure::new("no apt-get"));
    }
    if !is_root() {
        return Err(Failure::new(format!("not root, so no `apt-get install {package}`")));
    }
    act(Command::new("apt-get").args(["update", "-qq"]))?;
    // Runlevel 1: the package starts no daemon of its own.
    act(Command::new("apt-get")
        .args(["install", "-y", "-qq", "--no-install-recommends", package])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("RUNLEVEL", "1"))
}

/// The same with Homebrew.
pub(super) fn from_brew(package: &str) -> Result<(), Failure> {
    if !exists("brew") {
        return Err(Failure::new("no brew"));
    }
    act(Command::new("brew").args(["install", package]))
}

fn first(folders: impl Iterator<Item = PathBuf>, program: &str) -> Option<PathBuf> {
    folders.map(|folder| folder.join(program)).find(|path| Path::is_file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_folder_that_holds_it_counts() {
        let base = std::env::temp_dir().join(format!("xtask-package-{}", std::process::id()));
        let folders = ["a", "b", "c"].map(|name| base.join(name));
        for folder in &folders {
            std::fs::create_dir_all(folder).unwrap();
        }
        for folder in &folders[1..] {
            std::fs::write(folder.join("relay"), "").unwrap();
        }
        let find = |program| first(folders.iter().cloned(), program);
        assert_eq!(find("relay"), Some(folders[1].join("relay")));
        assert_eq!(find("other"), None);
        std::fs::remove_dir_all(&base).unwrap();
    }
}
