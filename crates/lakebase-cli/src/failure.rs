//! Errors: one line for people, a number for scripts.

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use lakebase::sqlx;
use lakebase::sqlx::postgres::PgDatabaseError;

/// Prints `error` and says how the process shall end.
///
/// A reader of the output that went away is no failure, and nobody is there to be told.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    let is_broken_pipe = |cause: &(dyn Error + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(|io| io.kind() == io::ErrorKind::BrokenPipe)
    };
    // Only our own writing has the pipe on top; one inside a connection has the driver's error above it.
    if error.chain().next().is_some_and(is_broken_pipe) {
        return ExitCode::SUCCESS;
    }
    // Without standard error there is nobody to tell either.
    let _ = writeln!(io::stderr(), "lakebase: {}", line(error));
    ExitCode::FAILURE
}

/// All levels in one line, without repeating a level that its parent quotes, and what Postgres adds.
pub(crate) fn line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    let mut add = |text: &str, separator: &str| {
        if !line.contains(text) {
            if !line.is_empty() {
                line.push_str(separator);
            }
            line.push_str(text);
        }
    };
    for cause in error.chain() {
        // Not the driver's own text, which quotes a line of the server's source.
        if let Some(sqlx::Error::Database(database)) = cause.downcast_ref() {
            add(database.message(), ": ");
            if let Some(code) = database.code() {
                add(&format!("(SQLSTATE {code})"), " ");
            }
            if let Some(postgres) = database.try_downcast_ref::<PgDatabaseError>() {
                for more in [postgres.detail(), postgres.hint()].into_iter().flatten() {
                    add(more, "; ");
                }
            }
            break;
        }
        add(&cause.to_string(), ": ");
    }
    line.split(char::is_control)
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::*;

    #[test]
    fn causes_are_on_one_line_and_said_once() {
        let error =
            anyhow!("connection reset").context("login: connection reset").context("no\n  way");
        assert_eq!(line(&error), "no way: login: connection reset");
    }

    #[test]
    fn only_our_own_broken_pipe_is_silent() {
        let pipe = || io::Error::from(io::ErrorKind::BrokenPipe);
        assert_eq!(report(&pipe().into()), ExitCode::SUCCESS);
        let inner = Err::<(), _>(pipe()).context("cannot query").unwrap_err();
        assert_eq!(report(&inner), ExitCode::FAILURE);
    }
}
