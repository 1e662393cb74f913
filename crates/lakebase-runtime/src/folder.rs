//! A new folder that only its owner may enter, removed with all that is in it on drop.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::random::unpredictable;

/// How many names are tried.
const ATTEMPTS: usize = 16;

/// A new folder that only its owner may enter (mode 0700), removed with all that is in it on drop. Unix only.
#[derive(Debug)]
pub struct PrivateFolder(PathBuf);

impl PrivateFolder {
    /// Makes a folder with a short name in `parent`. It is new: what others put there before, links included,
    /// is never used.
    ///
    /// # Errors
    ///
    /// Those of the file system: `parent` is missing or not ours to write to.
    pub fn new_in(parent: &Path) -> io::Result<Self> {
        let mut problem = io::Error::from(io::ErrorKind::AlreadyExists);
        for _ in 0..ATTEMPTS {
            let path = parent.join(format!("lb{:08x}", unpredictable() >> 32));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => problem = error,
                Err(error) => return Err(error),
            }
        }
        Err(problem)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        // The folder is one for temporary files, where leftovers are expected.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn is_private_and_goes_with_its_content() {
        let parent = tempfile::tempdir().unwrap();
        let folder = PrivateFolder::new_in(parent.path()).unwrap();
        let path = folder.path().to_path_buf();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        std::fs::write(path.join("file"), "x").unwrap();
        drop(folder);
        assert!(!path.exists());
        assert!(PrivateFolder::new_in(&parent.path().join("missing")).is_err());
    }
}
