//! Starts an emulator, prints its description as one JSON line, and runs until standard input ends.

use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;

use lakebase_emulator::Emulator;

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

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let emulator = Emulator::builder().start()?;
    let mut stdout = io::stdout();
    writeln!(stdout, "{}", serde_json::to_string(emulator.description())?)?;
    stdout.flush()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
