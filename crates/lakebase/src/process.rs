//! The process's own surroundings; the only place that reads them.

use std::io;
use std::path::Path;

use lakebase_core::{Environment, FileStatus};

/// The variables and files of this process.
#[expect(clippy::disallowed_methods, reason = "this is the look-up that everything else is given")]
pub(crate) fn environment() -> Environment {
    Environment::new(|name| std::env::var(name).ok(), |path| std::fs::read_to_string(path))
        .with_file_status(file_status)
}

fn file_status(path: &Path) -> io::Result<FileStatus> {
    let found = std::fs::metadata(path)?;
    #[cfg(unix)]
    let mode = Some(std::os::unix::fs::PermissionsExt::mode(&found.permissions()));
    #[cfg(not(unix))]
    let mode = None;
    Ok(FileStatus { is_regular: found.is_file(), mode })
}
