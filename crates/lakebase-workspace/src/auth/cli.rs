//! The Databricks CLI as an identity: `databricks-cli`.
//!
//! The token comes from a run of the CLI. Its token cache is not read, because newer versions keep it in the key ring.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::TryFutureExt as _;
use lakebase_core::effect::ProcessOutput;
use lakebase_core::refresh::Demand;
use lakebase_core::{Error, ErrorKind, Result, Runtime, SettingOrigin};

use super::AccessToken;
use super::kind::{Identity, Kind, Prepared, Reading, prepared};
use crate::session::within;
use crate::wire;

/// The time limit: the CLI may request a new token from the workspace.
const TIMEOUT: Duration = Duration::from_secs(60);

const NOTHING_ELSE: &str = "no credentials are configured (DATABRICKS_TOKEN, or DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET), and ";

const FORCE: &str = "--force-refresh";

pub(super) const KIND: Kind = Kind { name: "databricks-cli", needs: "the Databricks CLI", read };

fn read(reading: &Reading<'_>) -> Result<Option<Prepared>> {
    Ok(reading.demanded.then(|| prepare(reading, false)))
}

/// The CLI is run with the profile only if it reads the same profile and the host is from there.
pub(super) fn prepare(reading: &Reading<'_>, last_resort: bool) -> Prepared {
    let own_file = reading
        .get("config_file")
        .is_some_and(|file| matches!(file.origin, SettingOrigin::Explicit(_)));
    let selector = match &reading.host.origin {
        SettingOrigin::Profile { profile, .. } if !own_file => {
            ["--profile".to_owned(), profile.to_string()]
        }
        _ => ["--host".to_owned(), reading.host.value.to_string()],
    };
    let program = reading.get("databricks_cli_path");
    let program = program.map_or_else(|| "databricks".to_owned(), |path| path.value);
    prepared(KIND.name, move |session| DatabricksCli {
        runtime: session.runtime.clone(),
        program: program.clone(),
        selector: selector.clone(),
        last_resort,
        cannot_force: AtomicBool::new(false),
    })
}

/// `databricks auth token`, for users who logged in with `databricks auth login`.
#[derive(Debug)]
struct DatabricksCli {
    runtime: Runtime,
    program: String,
    /// `--profile P` or `--host H`.
    selector: [String; 2],
    /// Whether this kind is used because nothing is configured.
    last_resort: bool,
    /// Whether the installed version lacks the flag (older than 0.296.0).
    cannot_force: AtomicBool,
}

impl DatabricksCli {
    async fn run(&self, force: bool) -> Result<ProcessOutput> {
        let [flag, value] = &self.selector;
        let mut arguments = vec!["auth", "token", flag, value];
        if force {
            arguments.push(FORCE);
        }
        let run = self.runtime.process.output(&self.program, &arguments).map_err(|error| {
            let why = if self.last_resort { NOTHING_ELSE } else { "" };
            error.context(format!(
                "{why}the Databricks CLI {:?} could not be started; install it, or set databricks_cli_path (DATABRICKS_CLI_PATH)",
                self.program
            ))
        });
        let late = || format!("`{}` did not end within {} s", self.command(), TIMEOUT.as_secs());
        within(&self.runtime, TIMEOUT, run, late).await
    }

    fn command(&self) -> String {
        format!("{} auth token {}", self.program, self.selector.join(" "))
    }

    fn refusal(&self, output: &ProcessOutput) -> Error {
        let stderr = &output.stderr;
        let says = |phrase: &str| stderr.contains(phrase);
        if says("No such command") || says("Usage: databricks [OPTIONS]") {
            return Error::new(
                ErrorKind::Config,
                format!(
                    "{:?} is the legacy Databricks CLI; install version 0.207.1 or later, or set databricks_cli_path (DATABRICKS_CLI_PATH)",
                    self.program
                ),
            );
        }
        let [flag, value] = &self.selector;
        if says("databricks OAuth is not configured for this host") {
            return Error::new(
                ErrorKind::Unauthenticated,
                format!(
                    "no credentials are configured and the Databricks CLI is not logged in; run `databricks auth login {flag} {value}`, or set DATABRICKS_TOKEN, or DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET"
                ),
            );
        }
        let kind = if says("auth login") || says("refresh token") {
            ErrorKind::Unauthenticated
        } else {
            ErrorKind::Unavailable
        };
        let said = wire::clean_with(stderr, std::slice::from_ref(&output.stdout));
        Error::new(kind, format!("`{}` failed: {said}", self.command()))
    }
}

impl Identity for DatabricksCli {
    async fn mint(&self, demand: Demand) -> Result<AccessToken> {
        let force = demand.force && !self.cannot_force.load(Ordering::Relaxed);
        let mut output = self.run(force).await?;
        if force && !output.success && output.stderr.contains("unknown flag") {
            self.cannot_force.store(true, Ordering::Relaxed);
            output = self.run(false).await?;
        }
        if !output.success {
            return Err(self.refusal(&output));
        }
        wire::cli_token(&output.stdout)
    }

    fn describe(&self) -> String {
        format!("the login of the Databricks CLI ({})", self.selector.join(" "))
    }
}
