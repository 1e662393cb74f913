//! A real Postgres with TLS, in which the service principal's password is its token.

use std::error::Error;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::stage::{CLIENT, HOST};

pub struct Postgres {
    pub port: u16,
    /// File with the certificate to trust.
    pub certificate: PathBuf,
    folder: PathBuf,
    server: Command,
    child: Option<Child>,
}

impl Postgres {
    /// Makes a cluster in a new folder and starts it. `LAKEBASE_POSTGRES_BIN` names the folder of its programs.
    pub fn start() -> Result<Self, Box<dyn Error>> {
        let bin =
            std::env::var_os("LAKEBASE_POSTGRES_BIN").ok_or("LAKEBASE_POSTGRES_BIN is not set")?;
        let bin = Path::new(&bin);
        let folder = std::env::temp_dir().join(format!("lakebase-outside-{}", std::process::id()));
        fs::create_dir(&folder)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let certificate = folder.join("server.pem");
        let server = Command::new(bin.join("postgres"));
        let mut postgres = Self { port, certificate, folder, server, child: None };
        let folder = &postgres.folder;

        let made = rcgen::generate_simple_self_signed([HOST.to_owned()])?;
        fs::write(&postgres.certificate, made.cert.pem())?;
        let key = folder.join("server.key");
        fs::write(&key, made.signing_key.serialize_pem())?;
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600))?;
        let password = folder.join("password");
        fs::write(&password, CLIENT[2])?;
        let owner = unprivileged(folder)?;
        if let Some((uid, gid)) = owner {
            for path in [folder, &key, &password] {
                chown(path, Some(uid), Some(gid))?;
            }
        }
        let program = |name: &str| {
            let mut command = Command::new(bin.join(name));
            command.current_dir("/").stdout(Stdio::null()).stderr(Stdio::null());
            if let Some((uid, gid)) = owner {
                command.uid(uid).gid(gid);
            }
            command
        };

        let data = folder.join("data");
        let mut initdb = program("initdb");
        initdb.arg("-D").arg(&data).args([
            "-U",
            CLIENT[0],
            "-A",
            "password",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        ]);
        initdb.arg(format!("--pwfile={}", password.display()));
        if !initdb.status()?.success() {
            return Err("initdb failed".into());
        }
        fs::write(data.join("pg_hba.conf"), "hostssl all all 127.0.0.1/32 password\n")?;
        let mut single = program("postgres");
        single.args(["--single", "-D"]).arg(&data).arg("postgres").stdin(Stdio::piped());
        let mut single = single.spawn()?;
        if let Some(mut stdin) = single.stdin.take() {
            std::io::Write::write_all(&mut stdin, b"create database databricks_postgres\n")?;
        }
        if !single.wait()?.success() {
            return Err("the database could not be created".into());
        }
        let mut server = program("postgres");
        server.arg("-D").arg(&data);
        for setting in [
            "listen_addresses=127.0.0.1".to_owned(),
            format!("port={port}"),
            "unix_socket_directories=".to_owned(),
            "fsync=off".to_owned(),
            "ssl=on".to_owned(),
            format!("ssl_cert_file={}", postgres.certificate.display()),
            format!("ssl_key_file={}", key.display()),
        ] {
            server.arg("-c").arg(setting);
        }
        postgres.server = server;
        postgres.serve()?;
        Ok(postgres)
    }

    /// Ends all sessions without a word, as a crash does, and starts the server again.
    #[allow(dead_code, reason = "not every program does")]
    pub fn restart(&mut self) -> Result<(), Box<dyn Error>> {
        self.stop("-QUIT");
        self.serve()
    }

    /// Starts the server and waits until it listens.
    fn serve(&mut self) -> Result<(), Box<dyn Error>> {
        let child = self.child.insert(self.server.spawn()?);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if let Some(status) = child.try_wait()? {
                return Err(format!("postgres ended with {status}").into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn stop(&mut self, signal: &str) {
        if let Some(mut child) = self.child.take() {
            let _ = Command::new("kill").args([signal, &child.id().to_string()]).status();
            let _ = child.wait();
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // A fast shutdown.
        self.stop("-INT");
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Whom to run Postgres as, which refuses root: `postgres` or `nobody`. `None` if we are not root.
fn unprivileged(folder: &Path) -> Result<Option<(u32, u32)>, Box<dyn Error>> {
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
    Ok(Some(ids("postgres").or_else(|| ids("nobody")).ok_or("there is no unprivileged user")?))
}
