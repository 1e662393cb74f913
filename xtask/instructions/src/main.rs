//! The hot paths whose instructions `cargo xtask bench --check` counts: `xtask-instructions PATH TIMES`.
//!
//! Takes a path so many times, on one thread. The caller runs it twice under valgrind, with different numbers, and divides the difference: what
//! starting and ending take is in both. So nothing here may depend on time, on chance, or on another thread or process.

#![cfg(unix)]
#![expect(clippy::print_stderr, reason = "a program for `cargo xtask bench`")]

mod acquire;
mod read;
mod server;
mod source;

use std::error::Error;
use std::process::ExitCode;

/// Why a path could not be taken.
type Fault = Box<dyn Error>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match take(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask-instructions: {error}");
            ExitCode::FAILURE
        }
    }
}

fn take(arguments: &[&str]) -> Result<(), Fault> {
    let [path, times] = arguments else { return Err("takes a path and a number of times".into()) };
    let times = times.parse().map_err(|_| format!("`{times}` is no number of times"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match *path {
        "read" => runtime.block_on(read::ours(times)),
        "acquire" => runtime.block_on(acquire::ours(times)),
        "acquire-sqlx" => runtime.block_on(acquire::sqlx(times)),
        _ => Err(format!("no path `{path}`; there are read, acquire and acquire-sqlx").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_can_be_taken() {
        for path in ["read", "acquire", "acquire-sqlx"] {
            take(&[path, "40"]).unwrap();
        }
    }

    #[test]
    fn other_arguments_are_refused() {
        for (arguments, complaint) in [
            (&[][..], "a path and a number"),
            (&["read", "often"], "`often` is no number"),
            (&["write", "1"], "no path `write`"),
        ] {
            let error = take(arguments).unwrap_err().to_string();
            assert!(error.contains(complaint), "{error}");
        }
    }
}
