//! Errors: one line for people, a number for scripts.

use std::io;

use lakebase::sqlx;
use lakebase::sqlx::postgres::PgDatabaseError;

use crate::output::complain;

/// Prints `error`; the exit code that goes with it.
pub(crate) fn report(error: &anyhow::Error) -> i32 {
    if is_reader_gone(error) {
        return 0;
    }
    complain(line(error));
    1
}

/// Whether the reader of the output went away, which is no failure.
///
/// Our own writing has the broken pipe on top; one inside a connection has the driver's error above it.
fn is_reader_gone(error: &anyhow::Error) -> bool {
    let io = error.chain().next().and_then(|top| top.downcast_ref::<io::Error>());
    io.is_some_and(|io| io.kind() == io::ErrorKind::BrokenPipe)
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
        assert!(is_reader_gone(&pipe().into()));
        let inner = Err::<(), _>(pipe()).context("cannot query").unwrap_err();
        assert!(!is_reader_gone(&inner));
    }
}
