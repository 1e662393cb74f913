//! Starts the service once for all tests that run, and the command with nothing in its environment.

use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use lakebase_emulator::Emulator;
use serde_json::Value;

/// The emulator that the tests share; it ends with the last of them.
pub(crate) fn emulator() -> Arc<Emulator> {
    static SHARED: Mutex<Weak<Emulator>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(emulator) = shared.upgrade() {
        return emulator;
    }
    let emulator = Arc::new(Emulator::builder().start().unwrap());
    *shared = Arc::downgrade(&emulator);
    emulator
}

/// The command with an empty environment, apart from where programs are installed.
pub(crate) fn bare() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lakebase"));
    command.env_clear().stdin(Stdio::null());
    for name in ["PATH", "LAKEBASE_POSTGRES_BIN"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

/// The command, configured for the service principal and the project of `emulator`.
pub(crate) fn configured(emulator: &Emulator) -> Command {
    let service = emulator.description();
    let mut command = bare();
    command
        .env("DATABRICKS_HOST", &service.host)
        .env("DATABRICKS_CLIENT_ID", &service.client_id)
        .env("DATABRICKS_CLIENT_SECRET", &service.client_secret)
        .env("LAKEBASE_PROJECT", &service.project)
        .env("LAKEBASE_DNS", &service.dns)
        .env("PGPORT", service.pg_port.to_string())
        .env("PGSSLROOTCERT", &service.ca_cert);
    command
}

/// How a run ended and what it wrote.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// Runs `command` to its end.
    pub(crate) fn of(command: &mut Command) -> Self {
        let Output { status, stdout, stderr } = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    /// Runs the command, configured for `emulator` and with these further variables, with these arguments.
    pub(crate) fn set(emulator: &Emulator, variables: &[(&str, &str)], arguments: &[&str]) -> Self {
        Self::of(configured(emulator).envs(variables.iter().copied()).args(arguments))
    }

    /// Runs the configured command with these arguments; no secret may be on standard error.
    pub(crate) fn with(emulator: &Emulator, arguments: &[&str]) -> Self {
        let run = Self::of(configured(emulator).args(arguments));
        let service = emulator.description();
        for secret in [&service.client_secret, &service.token, &service.password] {
            assert!(!run.stderr.contains(secret), "{run:?}");
        }
        // What a token begins with.
        assert!(!run.stderr.contains("eyJ"), "{run:?}");
        run
    }

    /// Standard output of a run that must have succeeded.
    #[track_caller]
    pub(crate) fn success(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }

    /// The one line on standard error of a run that must have failed and printed nothing.
    #[track_caller]
    pub(crate) fn failure(self) -> String {
        assert_eq!((self.code, self.stdout.as_str()), (Some(1), ""), "{self:?}");
        let line = self.stderr.strip_suffix('\n').unwrap_or_default().to_owned();
        assert!(line.starts_with("lakebase: ") && !line.contains('\n'), "{self:?}");
        line
    }
}

#[track_caller]
pub(crate) fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}
