//! Starts an emulator, prints its description as one JSON line, and runs until standard input ends.

use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            let _ = writeln!(io::stderr(), "lakebase-emulator: {error}{cause}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(unix)]
fn run() -> Result<(), Box<dyn std::error::Error>> {
    let emulator = lakebase_emulator::Emulator::builder().start()?;
    let mut stdout = io::stdout();
    writeln!(stdout, "{}", serde_json::to_string(emulator.description())?)?;
    stdout.flush()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

#[cfg(not(unix))]
fn run() -> Result<(), Box<dyn std::error::Error>> {
    Err("the emulator needs Unix: run it on Linux or macOS, or in WSL".into())
}
