//! A real Postgres with TLS on loopback. The benchmarks start theirs by this file, too.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What a server is like.
pub struct Setup<'a> {
    /// The folder of Postgres' programs.
    pub bin: &'a Path,
    /// The names in its certificate.
    pub hosts: &'a [&'a str],
    /// The superuser.
    pub user: &'a str,
    /// What the superuser logs in with; if empty, anybody may log in.
    pub password: &'a str,
    /// More settings, each `name=value`.
    pub settings: &'a [&'a str],
}

/// A running server, over TLS only, with a database as the service names it. Dropping it stops it.
pub struct Postgres {
    pub port: u16,
    /// File with the certificate to trust.
    pub certificate: PathBuf,
    folder: PathBuf,
    server: Command,
    child: Option<Child>,
}

impl Postgres {
    /// Makes a cluster in a new folder and starts it.
    pub fn start(setup: &Setup<'_>) -> io::Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let name = format!("lakebase-postgres-{}-{port}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder)?;
        let certificate = folder.join("server.pem");
        let server = Command::new(setup.bin.join("postgres"));
        let mut postgres = Self { port, certificate, folder, server, child: None };
        let folder = &postgres.folder;

        let names: Vec<_> = setup.hosts.iter().map(|host| (*host).to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(names).map_err(io::Error::other)?;
        fs::write(&postgres.certificate, made.cert.pem())?;
        let key = folder.join("server.key");
        fs::write(&key, made.signing_key.serialize_pem())?;
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600))?;
        let password = folder.join("password");
        fs::write(&password, setup.password)?;
        let owner = unprivileged(folder)?;
        if let Some((uid, gid)) = owner {
            for path in [folder, &key, &password] {
                chown(path, Some(uid), Some(gid))?;
            }
        }
        let program = |name: &str| {
            let mut command = Command::new(setup.bin.join(name));
            command.current_dir("/").stdin(Stdio::null());
            command.stdout(Stdio::null()).stderr(Stdio::null());
            if let Some((uid, gid)) = owner {
                command.uid(uid).gid(gid);
            }
            command
        };

        let data = folder.join("data");
        let method = if setup.password.is_empty() { "trust" } else { "password" };
        let mut initdb = program("initdb");
        initdb.arg("-D").arg(&data).args(["-U", setup.user, "-A", method, "-E", "UTF8"]);
        initdb.args(["--locale=C", "--no-sync"]);
        if !setup.password.is_empty() {
            initdb.arg(format!("--pwfile={}", password.display()));
        }
        if !initdb.status()?.success() {
            return Err(io::Error::other("initdb failed"));
        }
        fs::write(data.join("pg_hba.conf"), format!("hostssl all all 127.0.0.1/32 {method}\n"))?;
        let mut single = program("postgres");
        single.args(["--single", "-D"]).arg(&data).arg("postgres").stdin(Stdio::piped());
        let mut single = single.spawn()?;
        if let Some(mut stdin) = single.stdin.take() {
            stdin.write_all(b"create database databricks_postgres\n")?;
        }
        if !single.wait()?.success() {
            return Err(io::Error::other("the database could not be created"));
        }
        let mut server = program("postgres");
        server.arg("-D").arg(&data).stderr(Stdio::piped());
        for setting in [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "logging_collector=off",
            "lc_messages=C",
            "fsync=off",
            "ssl=on",
            &format!("port={port}"),
            &format!("ssl_cert_file={}", postgres.certificate.display()),
            &format!("ssl_key_file={}", key.display()),
        ]
        .iter()
        .chain(setup.settings)
        {
            server.args(["-c", setting]);
        }
        postgres.server = server;
        postgres.serve()?;
        Ok(postgres)
    }

    /// Starts the server, and waits until it accepts connections or ends.
    pub fn serve(&mut self) -> io::Result<()> {
        let child = self.child.insert(self.server.spawn()?);
        let mut last = String::new();
        // Postgres goes on when nobody reads its log any more.
        if let Some(log) = child.stderr.take() {
            for line in BufReader::new(log).lines() {
                last = line?;
                if last.contains("database system is ready to accept connections") {
                    return Ok(());
                }
            }
        }
        Err(io::Error::other(format!("postgres ended with {}: {last}", child.wait()?)))
    }

    /// Ends the server by a signal: `-INT` for a fast shutdown, `-QUIT` for one like a crash.
    pub fn stop(&mut self, signal: &str) {
        if let Some(mut child) = self.child.take() {
            let _ = Command::new("kill").args([signal, &child.id().to_string()]).status();
            let _ = child.wait();
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop("-INT");
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Whom to run Postgres as, which refuses root: `postgres` or `nobody`. `None` if we are not root.
fn unprivileged(folder: &Path) -> io::Result<Option<(u32, u32)>> {
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
    let ids = ids("postgres").or_else(|| ids("nobody"));
    ids.map(Some).ok_or_else(|| io::Error::other("there is no unprivileged user"))
}
