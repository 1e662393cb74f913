//! Clients of every kind through `lakebase proxy`, in front of a workspace and a Postgres of our own.
//!
//! Arguments: Python, its script, the command `lakebase`, the folder of npm packages.

mod postgres;
#[expect(dead_code, reason = "the second process is the command, not this program again")]
mod stage;
mod workspace;

use std::error::Error;
use std::fs;
use std::process::Command;
use std::time::Duration;

use stage::CLIENT;
use workspace::Workspace;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [python, script, program, packages] = &arguments[..] else {
        return Err("four arguments: PYTHON SCRIPT LAKEBASE PACKAGES".into());
    };
    let mut postgres = stage::postgres()?;
    let workspace = Workspace::start()?;
    let restart = postgres.certificate.with_file_name("restart");
    let environment = format!(
        r#"{{"DATABRICKS_HOST":{:?},"DATABRICKS_CLIENT_ID":{:?},"DATABRICKS_CLIENT_SECRET":{:?},
            "LAKEBASE_PROJECT":"outside","LAKEBASE_BRANCH":"main",
            "PGHOSTADDR":"127.0.0.1","PGPORT":"{}","PGSSLROOTCERT":{:?}}}"#,
        workspace.url, CLIENT[0], CLIENT[1], postgres.port, postgres.certificate,
    );
    let stage = format!(
        r#"{{"program":{program:?},"environment":{environment},"user":{:?},"database":"databricks_postgres",
            "packages":{packages:?},"restart":{restart:?}}}"#,
        CLIENT[0],
    );
    let mut clients = Command::new(python)
        .args([script, "Clients", "Restart"])
        .env("LAKEBASE_PROXY", stage)
        .spawn()?;
    let status = loop {
        if let Some(status) = clients.try_wait()? {
            break status;
        }
        if restart.exists() {
            // Ends all sessions without a word.
            postgres.stop("-QUIT");
            postgres.serve()?;
            fs::remove_file(&restart)?;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    if status.success() { Ok(()) } else { Err(format!("the clients ended with {status}").into()) }
}
