//! A new folder that only its owner may enter, removed with all that is in it on drop.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::random::unpredictable;

/// How many names are tried.
const ATTEMPTS: usize = 16;

/// Owns its folder.
#[derive(Debug)]
pub(crate) struct PrivateFolder(PathBuf);

impl PrivateFolder {
    /// Makes a folder (mode 0700) with a short name in `parent`. It is new: what others put there before,
    /// links included, is never used.
    pub(crate) fn new_in(parent: &Path) -> io::Result<Self> {
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

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        // There is nobody to tell, and the folder is where leftovers are expected.
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
