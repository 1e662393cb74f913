//! Differences between platforms that are no effects, so that crates above this one need not ask for the platform.

use std::io;
use std::path::{Path, PathBuf};

use lakebase_core::FileStatus;

/// Whether programs keep their files where Windows wants them.
pub const IS_WINDOWS: bool = cfg!(windows);

/// The longest path of a Unix socket that the platform accepts, in bytes.
pub const SOCKET_PATH_LIMIT: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// The type and the mode of a file: no mode on Windows, whose files have none.
///
/// # Errors
///
/// Those of the file system.
pub fn file_status(path: &Path) -> io::Result<FileStatus> {
    let found = std::fs::metadata(path)?;
    #[cfg(unix)]
    let mode = Some(std::os::unix::fs::PermissionsExt::mode(&found.permissions()));
    #[cfg(not(unix))]
    let mode = None;
    Ok(FileStatus { is_regular: found.is_file(), mode })
}

/// On Windows, the batch file (`.cmd`) that is meant by a program's name without an extension, if `PATH` has one: Windows itself adds
/// nothing but `.exe`, while `az`, `npm` and many others are batch files. `None` on other platforms.
#[must_use]
pub fn batch_file(program: &Path) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if IS_WINDOWS { batch_file_in(program, std::env::split_paths(&path)) } else { None }
}

fn batch_file_in(program: &Path, folders: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    if program.extension().is_some() {
        return None;
    }
    let name = program.with_extension("cmd");
    // A name with a folder is not searched for.
    let searched = program.parent().is_some_and(|parent| parent.as_os_str().is_empty());
    let mut files: Box<dyn Iterator<Item = PathBuf>> = match searched {
        true => Box::new(folders.map(|folder| folder.join(&name))),
        false => Box::new(std::iter::once(name)),
    };
    files.find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batch_files_are_found_by_their_name_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("az.cmd");
        std::fs::write(&file, "").unwrap();
        let found = |program: &Path| {
            let missing = folder.path().join("missing");
            batch_file_in(program, [missing, folder.path().to_owned()].into_iter())
        };
        assert_eq!(found(Path::new("az")), Some(file.clone()));
        assert_eq!(found(&folder.path().join("az")), Some(file));
        for other in ["az.exe", "databricks", "", "bin/az"] {
            assert_eq!(found(Path::new(other)), None, "{other:?}");
        }
    }
}
