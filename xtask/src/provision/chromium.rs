//! Finds a Chromium or Chrome, else installs Debian's.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::package::from_apt;
use crate::process::captured;
use crate::system::{Failure, env};

/// The variable that names the program to the tests.
pub(super) const VARIABLE: &str = "LAKEBASE_CHROMIUM";

/// Programs on the PATH, and where macOS keeps them.
const PROGRAMS: &[&str] = &[
    "chromium",
    "google-chrome",
    "google-chrome-stable",
    "chromium-browser",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/// The program: the one that the variable names, else an installed one, else what apt-get installs.
pub(super) fn provide() -> Result<PathBuf, Failure> {
    if let Some(named) = env(VARIABLE) {
        let program = PathBuf::from(named);
        return match version(&program) {
            Ok(_) => Ok(program),
            Err(error) => Err(Failure::new(format!(
                "{VARIABLE} is `{}`, which does not run: {error}",
                program.display()
            ))),
        };
    }
    if let Some(program) = installed() {
        return Ok(program);
    }
    let missing = |why: &str| {
        Failure::new(format!(
            "no Chromium; install one (Debian: the package chromium) or set {VARIABLE} to its program. Tried apt-get: {why}"
        ))
    };
    from_apt("chromium").map_err(|error| missing(&error.to_string()))?;
    installed().ok_or_else(|| missing("what it installed does not run"))
}

fn installed() -> Option<PathBuf> {
    PROGRAMS.iter().map(PathBuf::from).find(|program| version(program).is_ok())
}

/// What it says it is; the program that Ubuntu puts in a browser's place says nothing.
fn version(program: &Path) -> Result<String, Failure> {
    let said = captured(Command::new(program).arg("--version"))?;
    match said.lines().find(|line| line.contains("Chrom")) {
        Some(line) => Ok(line.trim().to_owned()),
        None => Err(Failure::new("it is no Chromium")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_programs_are_no_browser() {
        assert!(version(Path::new("/nowhere")).is_err());
        assert!(version(Path::new("rustc")).unwrap_err().to_string().contains("no Chromium"));
    }
}
