//! The command `lakebase` as these tests start it.

use std::path::PathBuf;
use std::process::Command;

use lakebase_emulator::Emulator;

/// Where cargo builds.
pub(crate) fn target() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(3).unwrap().to_owned()
}

/// `lakebase` with the settings of a service principal of `emulator`, and no others.
pub(crate) fn lakebase(emulator: &Emulator) -> Command {
    let it = emulator.description();
    let program = target().join("debug/lakebase");
    assert!(program.is_file(), "no {}: cargo build -p lakebase-cli", program.display());
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if ["DATABRICKS_", "LAKEBASE_", "PG", "DATABASE_URL"].iter().any(|it| name.starts_with(it))
        {
            command.env_remove(&*name);
        }
    }
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("DATABRICKS_HOST", &it.host)
        .env("DATABRICKS_CLIENT_ID", &it.client_id)
        .env("DATABRICKS_CLIENT_SECRET", &it.client_secret)
        .env("LAKEBASE_ENDPOINT", &it.endpoint)
        .env("LAKEBASE_DNS", &it.dns)
        .env("PGPORT", it.pg_port.to_string())
        .env("PGSSLROOTCERT", &it.ca_cert);
    command
}

/// What a command prints; panics if it fails.
pub(crate) fn printed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, error) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{out}{error}");
    out
}
