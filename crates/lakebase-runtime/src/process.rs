//! Running programs, as far as it is the same on every runtime.

use std::io;
use std::process::Output;

use lakebase_core::effect::ProcessOutput;
use lakebase_core::{Error, ErrorKind, Result, Secret};

/// Turns what a runtime collected into what the trait promises.
pub(crate) fn finish(program: &str, output: io::Result<Output>) -> Result<ProcessOutput> {
    let output = output.map_err(|error| {
        let problem = if error.kind() == io::ErrorKind::NotFound {
            "was not found; give its full path or add its folder to PATH"
        } else {
            "could not be run"
        };
        Error::new(ErrorKind::Config, format!("the program {program:?} {problem}"))
            .with_source(error)
    })?;
    // The usual case takes over the buffer, so that wiping the secret wipes the only copy.
    let stdout = String::from_utf8(output.stdout)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    Ok(ProcessOutput {
        success: output.status.success(),
        stdout: Secret::new(stdout),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
