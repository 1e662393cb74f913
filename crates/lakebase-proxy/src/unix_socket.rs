//! A Unix socket that only its owner can reach.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use lakebase_core::connect::socket_path;
use lakebase_core::{Error, ErrorKind, Result};
use lakebase_runtime::platform::SOCKET_PATH_LIMIT;
use tokio::net::{UnixListener, UnixStream};

/// A listening socket, removed on drop.
#[derive(Debug)]
pub(crate) struct UnixSocket {
    listener: UnixListener,
    directory: PathBuf,
    port: u16,
    _file: SocketFile,
}

/// The socket in the file system.
#[derive(Debug)]
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // A leftover does no harm: the next listener replaces it.
        let _ = fs::remove_file(&self.0);
    }
}

impl UnixSocket {
    /// Listens on `.s.PGSQL.<port>` in `directory`, which is made (mode 0700) if it is missing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if others can enter the folder, it belongs to another user, or a server listens there.
    pub(crate) fn bind(directory: &Path, port: u16) -> Result<Self> {
        let refuse = |problem: &str| {
            let message = format!("cannot listen in folder {directory:?}: {problem}");
            Error::new(ErrorKind::Config, message)
        };
        let because = |problem: &str, error: io::Error| refuse(problem).with_source(error);
        match DirBuilder::new().mode(0o700).create(directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(because("it cannot be made", error));
            }
            _ => {}
        }
        let folder =
            fs::metadata(directory).map_err(|error| because("it cannot be read", error))?;
        let mode = folder.mode() & 0o777;
        if !folder.is_dir() {
            return Err(refuse("it is no folder"));
        }
        if mode & 0o077 != 0 {
            let problem = format!(
                "others may enter it (mode {mode:04o}), and every client that connects is logged in; accepted: mode 0700"
            );
            return Err(refuse(&problem));
        }
        let path = socket_path(directory, port);
        let length = path.as_os_str().len();
        if length > SOCKET_PATH_LIMIT {
            let problem = format!(
                "the socket's path would have {length} bytes; accepted: up to {SOCKET_PATH_LIMIT}"
            );
            return Err(refuse(&problem));
        }
        let listener = match UnixListener::bind(&path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                remove_stale(&path).map_err(|error| because("its socket is in use", error))?;
                UnixListener::bind(&path)
            }
            result => result,
        };
        let listener = listener.map_err(|error| because("the socket cannot be opened", error))?;
        let file = SocketFile(path);
        let socket = fs::symlink_metadata(&file.0)
            .map_err(|error| because("the socket is not there", error))?;
        // The new socket belongs to us.
        if socket.uid() != folder.uid() {
            return Err(refuse("it belongs to another user"));
        }
        Ok(Self { listener, directory: directory.to_owned(), port, _file: file })
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) async fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }
}

/// Removes a socket that no server listens on.
fn remove_stale(path: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        return Err(io::Error::other("the file in its place is no socket"));
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(io::Error::other("another process listens there")),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[tokio::test]
    async fn the_folder_is_made_private_and_the_socket_goes() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("new");
        let socket = UnixSocket::bind(&directory, 5432).unwrap();
        assert_eq!(fs::metadata(&directory).unwrap().mode() & 0o777, 0o700);
        let error = UnixSocket::bind(&directory, 5432).unwrap_err();
        assert!(error.report().contains("another process listens there"), "{}", error.report());
        assert!(UnixSocket::bind(&directory, 5433).is_ok(), "another port is another socket");
        drop(socket);
        assert!(!directory.join(".s.PGSQL.5432").exists());
    }

    #[tokio::test]
    async fn folders_that_others_may_enter_are_refused() {
        let parent = tempfile::tempdir().unwrap();
        for mode in [0o755, 0o770, 0o701] {
            fs::set_permissions(parent.path(), fs::Permissions::from_mode(mode)).unwrap();
            let error = UnixSocket::bind(parent.path(), 5432).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains("accepted: mode 0700"), "{error}");
        }
    }

    #[tokio::test]
    async fn only_a_dead_socket_is_replaced() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("d");
        DirBuilder::new().mode(0o700).create(&directory).unwrap();
        let path = directory.join(".s.PGSQL.5432");
        fs::write(&path, "precious").unwrap();
        let error = UnixSocket::bind(&directory, 5432).unwrap_err();
        assert!(error.report().contains("no socket"), "{}", error.report());
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        fs::remove_file(&path).unwrap();
        // A socket whose process is gone leaves its file.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        assert!(UnixSocket::bind(&directory, 5432).is_ok());
        let long = parent.path().join("x".repeat(100));
        assert!(UnixSocket::bind(&long, 5432).is_err());
    }
}
