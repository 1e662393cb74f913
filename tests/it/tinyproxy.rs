//! Logins whose HTTP goes through a real proxy, the program tinyproxy, with a password and without.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use lakebase::{Error, ErrorKind};

use crate::support::{self, Setup, free_port, secure};

/// reqwest tells no status but 407, and tinyproxy says 401; what it does not know is tried again.
const REQWEST: bool = cfg!(feature = "http-reqwest");

on_each_runtime! { without_a_password with_a_password refusals }

/// The authority of its workspace, as in a CONNECT request.
fn workspace() -> &'static str {
    secure().description().host.trim_start_matches("https://")
}

/// A running proxy, which ends when dropped.
struct Tinyproxy {
    child: Child,
    port: u16,
    log: Option<JoinHandle<Vec<String>>>,
    _folder: tempfile::TempDir,
}

impl Tinyproxy {
    /// Starts it with these lines besides its address.
    fn start(configuration: &str) -> Self {
        // Somebody else may take a port that was free a moment ago.
        let started = (0..5).find_map(|_| Self::start_at(free_port(), configuration));
        started.expect("tinyproxy listens on one of five free ports")
    }

    fn start_at(port: u16, configuration: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tinyproxy.conf");
        // Without a file for its log it writes to standard output.
        let place = format!("Listen 127.0.0.1\nPort {port}\nAllow 127.0.0.1\nLogLevel Info\n");
        std::fs::write(&file, format!("{place}{configuration}")).unwrap();
        let mut child = Command::new("tinyproxy")
            .args(["-d", "-c"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("tinyproxy runs; `cargo xtask provision proxies` installs it");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        if !lines.by_ref().any(|line| line.contains("Accepting connections")) {
            child.wait().unwrap();
            return None;
        }
        let log = Some(std::thread::spawn(move || lines.collect()));
        Some(Self { child, port, log, _folder: folder })
    }

    /// Its address, for `user`.
    fn url(&self, user: &str) -> String {
        format!("http://{user}127.0.0.1:{}", self.port)
    }

    /// Ends it; how often it was asked to connect to the workspace.
    fn requests(mut self) -> usize {
        let _ = self.child.kill();
        let log = self.log.take().unwrap().join().unwrap();
        let request = format!("CONNECT {} HTTP/1.1", workspace());
        log.iter().filter(|line| line.contains(&request)).count()
    }
}

impl Drop for Tinyproxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Logs in, with the workspace behind the proxy at `address`.
async fn log_in(address: &str) -> Result<(), Error> {
    let setup = Setup::m2m(secure()).set("HTTPS_PROXY", address).set("PGCONNECT_TIMEOUT", 5);
    support::log_in(setup.builder().root_certificates(secure().ca_pem().to_owned())).await
}

async fn without_a_password() {
    let proxy = Tinyproxy::start("");
    log_in(&proxy.url("")).await.unwrap();
    // Three requests, two of them at the same time.
    assert!((1..=3).contains(&proxy.requests()));
}

async fn with_a_password() {
    let proxy = Tinyproxy::start("BasicAuth clerk pass-word.1\n");
    log_in(&proxy.url("clerk:pass%2Dword.1@")).await.unwrap();
    for user in ["", "clerk:pass-word.2@", "clerk@"] {
        let error = log_in(&proxy.url(user)).await.unwrap_err();
        let report = error.report();
        let way = format!("through the proxy {} from HTTPS_PROXY", proxy.url(""));
        assert!(report.contains(&way), "{report}");
        assert!(!report.contains("pass-word"), "{report}");
        let advice = if user.is_empty() { "put them into its URL" } else { "does not accept" };
        if !REQWEST {
            assert_eq!(error.kind(), ErrorKind::Config, "{report}");
            assert!(report.contains(advice), "{report}");
        }
    }
    let requests = proxy.requests();
    // The login and one for each refusal.
    assert!((4..=6).contains(&requests) || REQWEST, "{requests}");
}

async fn refusals() {
    let proxy = Tinyproxy::start("ConnectPort 1\n");
    let error = log_in(&proxy.url("")).await.unwrap_err();
    let report = error.report();
    let way = format!("through the proxy {} from HTTPS_PROXY", proxy.url(""));
    assert!(report.contains(&way), "{report}");
    if !REQWEST {
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{report}");
        assert!(report.contains("403 Forbidden"), "{report}");
        assert_eq!(proxy.requests(), 1);
    }
}
