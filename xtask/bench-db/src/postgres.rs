//! A real Postgres with TLS on loopback, as fast as it gets: what every subject talks to in the end.

use std::ffi::OsStr;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use tempfile::TempDir;

use crate::clock;
use crate::peers::Peers;
use crate::process::bare;

/// The first name in the server's certificate; every system resolves it.
pub(crate) const HOST: &str = "localhost";
/// The others: those of the test kit's `netns/hosts`.
const MORE_HOSTS: [&str; 3] = ["server.test", "one-of-two.test", "one-of-three.test"];
/// As the service names it.
pub(crate) const DATABASE: &str = "databricks_postgres";

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server. TLS is required and anybody may log in: what a login costs is measured elsewhere.
pub(crate) struct Postgres {
    pub(crate) address: SocketAddr,
    /// The folder of its programs, among them `pgbench` and `psql` where the packager has them.
    pub(crate) bin: PathBuf,
    /// The superuser.
    pub(crate) user: String,
    folder: TempDir,
    child: Child,
}

impl Postgres {
    /// Makes a cluster whose superuser is `user` in a new folder and starts it with the peer `postgres`, a folder of programs.
    pub(crate) fn start(peers: &Peers, user: &str) -> Result<Self> {
        let bin = peers.get("postgres");
        let bin = bin.map_err(|reason| anyhow!("this row needs a Postgres server: {reason}"))?;
        let folder = tempfile::Builder::new().prefix("lakebase-bench-").tempdir()?;
        let path = folder.path();
        let names: Vec<_> = [HOST].into_iter().chain(MORE_HOSTS).map(str::to_owned).collect();
        let made = rcgen::generate_simple_self_signed(names)?;
        let (certificate, key) = (path.join("server.pem"), path.join("server.key"));
        fs::write(&certificate, made.cert.pem())?;
        fs::write(&key, made.signing_key.serialize_pem())?;
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600))?;
        let owner = unprivileged(path)?;
        if let Some((uid, gid)) = owner {
            for path in [path, &key] {
                chown(path, Some(uid), Some(gid))?;
            }
        }
        let program = |name: &str| {
            let mut command = Command::new(bin.join(name));
            command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
            command.stderr(Stdio::null());
            if let Some((uid, gid)) = owner {
                command.uid(uid).gid(gid);
            }
            command
        };

        let data = path.join("data");
        let mut initdb = program("initdb");
        initdb.arg("-D").arg(&data).args(["-U", user, "-A", "trust", "-E", "UTF8"]);
        initdb.args(["--locale=C", "--no-sync"]);
        ensure!(initdb.status().context("cannot start initdb")?.success(), "initdb failed");
        fs::write(data.join("pg_hba.conf"), "hostssl all all 127.0.0.1/32 trust\n")?;
        let mut single = program("postgres");
        single.args(["--single", "-D"]).arg(&data).arg("postgres").stdin(Stdio::piped());
        let mut single = single.spawn()?;
        if let Some(mut stdin) = single.stdin.take() {
            writeln!(stdin, "create database {DATABASE}")?;
        }
        ensure!(single.wait()?.success(), "the database could not be created");

        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let mut server = program("postgres");
        server.arg("-D").arg(&data);
        for setting in [
            format!("listen_addresses={}", address.ip()),
            format!("port={}", address.port()),
            "unix_socket_directories=".to_owned(),
            "max_connections=700".to_owned(),
            "shared_buffers=64MB".to_owned(),
            "fsync=off".to_owned(),
            "ssl=on".to_owned(),
            format!("ssl_cert_file={}", certificate.display()),
            format!("ssl_key_file={}", key.display()),
        ] {
            server.arg("-c").arg(setting);
        }
        let child = server.spawn().context("cannot start postgres")?;
        let bin = bin.to_owned();
        let mut postgres = Self { address, bin, user: user.to_owned(), folder, child };
        postgres.wait()?;
        Ok(postgres)
    }

    /// The certificate to trust.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.path().join("server.pem")
    }

    /// One of its programs, found beside the server or on the `PATH`, set to log in directly with verified TLS.
    pub(crate) fn client(&self, name: &str) -> Command {
        let beside = self.bin.join(name);
        let mut command =
            Command::new(if beside.is_file() { beside.as_os_str() } else { OsStr::new(name) });
        bare(&mut command)
            .env("PGHOST", HOST)
            .env("PGHOSTADDR", self.address.ip().to_string())
            .env("PGPORT", self.address.port().to_string())
            .env("PGUSER", &self.user)
            .env("PGDATABASE", DATABASE)
            .env("PGSSLMODE", "verify-full")
            .env("PGSSLROOTCERT", self.certificate());
        command
    }

    fn wait(&mut self) -> Result<()> {
        let started = clock::now();
        while !answers(self.address) {
            if let Some(status) = self.child.try_wait()? {
                bail!("postgres ended with {status}");
            }
            ensure!(clock::since(started) < PATIENCE, "postgres did not start within {PATIENCE:?}");
            clock::pause(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGINT is a fast shutdown.
        let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        let _ = self.child.wait();
    }
}

/// Whether a server at `address` looks at logins already. It refuses one without TLS; while it starts, it refuses any with 57P03.
fn answers(address: SocketAddr) -> bool {
    let reply = || -> Result<Vec<u8>> {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(&startup("nobody")?)?;
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply)?;
        Ok(reply)
    };
    reply().is_ok_and(|reply| reply.first() == Some(&b'E') && !contains(&reply, b"57P03"))
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}

/// A start-up packet of protocol 3.0.
pub(crate) fn startup(user: &str) -> Result<Vec<u8>> {
    let mut packet = vec![0, 0, 0, 0, 0, 3, 0, 0];
    for text in ["user", user, "database", DATABASE] {
        packet.extend(text.as_bytes());
        packet.push(0);
    }
    packet.push(0);
    let length = u32::try_from(packet.len())?.to_be_bytes();
    packet.splice(..4, length);
    Ok(packet)
}

/// Whom to run Postgres as, which refuses root: `postgres` or `nobody`. `None` if we are not root.
fn unprivileged(folder: &Path) -> Result<Option<(u32, u32)>> {
    // A new folder belongs to the user who made it.
    if fs::metadata(folder)?.uid() != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let ids = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    Ok(Some(ids("postgres").or_else(|| ids("nobody")).context("there is no unprivileged user")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_have_their_length() {
        let packet = startup("me").unwrap();
        assert_eq!(u32::from_be_bytes(packet[..4].try_into().unwrap()) as usize, packet.len());
        assert!(packet.ends_with(b"database\0databricks_postgres\0\0"));
    }

    #[test]
    fn a_server_that_starts_does_not_answer_yet() {
        for (reply, ready) in [
            (&b"E\0\0\0\x10SFATAL\0C57P03\0\0"[..], false),
            (b"E\0\0\0\x10SFATAL\0C28000\0\0", true),
            (b"", false),
        ] {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let address = listener.local_addr().unwrap();
            let server = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = stream.read(&mut [0; 256]);
                stream.write_all(reply).unwrap();
            });
            assert_eq!(answers(address), ready);
            server.join().unwrap();
            assert!(!answers(address), "nobody listens any more");
        }
    }
}
