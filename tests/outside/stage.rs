//! Sets the stage: a workspace and a Postgres of our own, then this program again with an environment that describes them.
//!
//! The second process is the user's program and reads its real environment, as a user's does.

use std::error::Error;
use std::process::{Command, ExitCode};

use crate::postgres::{Postgres, Setup};
use crate::workspace::Workspace;

/// Known to the fake workspace only.
pub const HOST: &str = "db.outside.test";
/// The service principal, its secret, and the token that is its password.
pub const CLIENT: [&str; 3] = ["5f0c9f0e-outside", "outside-secret", "outside-token-of-an-hour"];

/// Runs `user` in a second process on a stage that the first one sets.
pub fn play(user: impl FnOnce() -> Result<(), Box<dyn Error>>) -> ExitCode {
    let played = if std::env::var_os("DATABRICKS_HOST").is_some() { user() } else { set() };
    match played {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprintln!("  caused by: {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

/// A server in which the service principal's password is its token. `LAKEBASE_POSTGRES_BIN` names the folder of its programs.
pub fn postgres() -> Result<Postgres, Box<dyn Error>> {
    let bin =
        std::env::var_os("LAKEBASE_POSTGRES_BIN").ok_or("LAKEBASE_POSTGRES_BIN is not set")?;
    let [user, _, password] = CLIENT;
    let setup = Setup { bin: bin.as_ref(), hosts: &[HOST], user, password, settings: &[] };
    Ok(Postgres::start(&setup)?)
}

fn set() -> Result<(), Box<dyn Error>> {
    let postgres = postgres()?;
    let workspace = Workspace::start()?;
    let port = postgres.port.to_string();
    let named = ("LAKEBASE_ENDPOINT", "projects/outside/branches/main/endpoints/rw");
    // By full name, and by project and branch.
    for target in [vec![named], vec![("LAKEBASE_PROJECT", "outside"), ("LAKEBASE_BRANCH", "main")]]
    {
        let status = Command::new(std::env::current_exe()?)
            .env_clear()
            .envs(target)
            .env("DATABRICKS_HOST", &workspace.url)
            .env("DATABRICKS_CLIENT_ID", CLIENT[0])
            .env("DATABRICKS_CLIENT_SECRET", CLIENT[1])
            .env("PGHOSTADDR", "127.0.0.1")
            .env("PGPORT", &port)
            .env("PGSSLROOTCERT", &postgres.certificate)
            .status()?;
        if !status.success() {
            return Err(format!("the user's program ended with {status}").into());
        }
    }
    Ok(())
}
