//! Logins through a real SOCKS proxy, the program microsocks, with a password and without: Postgres and HTTP.

use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lakebase::{Error, ErrorKind, PoolOptions};
use lakebase_testkit::assert_error;

use crate::support::{self, Setup, free_port, secure, select_one};

on_each_runtime! { names_that_only_the_proxy_knows with_a_password refusals }

/// A running proxy, which ends when dropped.
struct Microsocks {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Microsocks {
    /// Starts it with these arguments besides its address. It alone knows the emulator's hosts.
    fn start(arguments: &[&str]) -> Self {
        // Somebody else may take a port that was free a moment ago.
        let started = (0..5).find_map(|_| Self::start_at(free_port(), arguments));
        started.expect("microsocks listens on one of five free ports")
    }

    #[expect(clippy::disallowed_methods, reason = "it says nothing when it is ready")]
    fn start_at(port: u16, arguments: &[&str]) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let hosts = folder.path().join("hosts");
        let host = &secure().description().pg_host;
        std::fs::write(&hosts, format!("127.0.0.1 localhost {host}\n")).unwrap();
        let mut child = Command::new("microsocks")
            .args(["-i", "127.0.0.1", "-p", &port.to_string()])
            .args(arguments)
            .env("LD_PRELOAD", "libnss_wrapper.so")
            .env("NSS_WRAPPER_HOSTS", &hosts)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("microsocks runs; `cargo xtask provision proxies` installs it");
        for _ in 0..1_000 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(Self { child, port, _folder: folder });
            }
            if child.try_wait().unwrap().is_some() {
                return None;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("microsocks does not listen");
    }

    /// Its address, for `user`.
    fn url(&self, scheme: &str, user: &str) -> String {
        format!("{scheme}://{user}127.0.0.1:{}", self.port)
    }
}

impl Drop for Microsocks {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// As the service principal; nobody here finds the server's host, and HTTP goes through the proxy at `address`, too.
fn setup(address: &str) -> Setup {
    Setup::m2m(secure()).set("LAKEBASE_DNS", "127.0.0.1:1").set("ALL_PROXY", address)
}

/// Directly and by a pool.
async fn log_in(setup: Setup) -> Result<(), Error> {
    let setup = setup.set("PGCONNECT_TIMEOUT", 5);
    let builder = || setup.builder().root_certificates(secure().ca_pem().to_owned());
    support::log_in(builder()).await?;
    let pool = builder().build()?.pool(PoolOptions::new()).await?;
    assert_eq!(select_one(&pool).await, 1);
    pool.close().await;
    Ok(())
}

async fn names_that_only_the_proxy_knows() {
    let proxy = Microsocks::start(&[]);
    log_in(setup(&proxy.url("socks5h", ""))).await.unwrap_or_else(|e| panic!("{}", e.report()));
    // What is looked up here is not known, unless our DNS is asked.
    let error = log_in(setup(&proxy.url("socks5", ""))).await.unwrap_err();
    assert!(error.report().contains("cannot look up host"), "{}", error.report());
    let dns = &secure().description().dns;
    log_in(setup(&proxy.url("socks5", "")).set("LAKEBASE_DNS", dns)).await.unwrap();
}

async fn with_a_password() {
    let proxy = Microsocks::start(&["-u", "clerk", "-P", "pass-word.1"]);
    log_in(setup(&proxy.url("socks5h", "clerk:pass%2Dword.1@"))).await.unwrap();
    for (user, advice) in [
        ("", "put them into its URL, socks5h://user:password@host:port"),
        ("clerk:pass-word.2@", "does not accept the user and password"),
    ] {
        let error = log_in(setup(&proxy.url("socks5h", user))).await.unwrap_err();
        let report = error.report();
        let way = format!("through the proxy {} from ALL_PROXY", proxy.url("socks5h", ""));
        assert!(report.contains(&way), "{report}");
        assert!(!report.contains("pass-word"), "{report}");
        assert_eq!(error.kind(), ErrorKind::Config, "{report}");
        assert!(cfg!(feature = "http-reqwest") || report.contains(advice), "{report}");
    }
}

async fn refusals() {
    let proxy = Microsocks::start(&[]);
    let setup = setup(&proxy.url("socks5h", "")).set("PGPORT", free_port());
    let error = log_in(setup).await.unwrap_err();
    assert_error(&error, ErrorKind::TimedOut, &["the proxy answered 5: connection refused"]);
}
