//! The process's own surroundings, as far as output depends on them.

use std::io::{self, IsTerminal};

/// Whether `stream` may be sent colours: it is a terminal, and `NO_COLOR` is not set (see no-color.org).
pub(crate) fn may_colour(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && variable("NO_COLOR").is_none() && !is_dumb()
}

/// Whether lines on standard error can be drawn over.
pub(crate) fn can_redraw() -> bool {
    io::stderr().is_terminal() && !is_dumb()
}

/// The terminal's width in columns as the shell exports it; 80 if it does not.
#[cfg(unix)] // for the demo
pub(crate) fn columns() -> usize {
    variable("COLUMNS")
        .and_then(|text| text.parse().ok())
        .filter(|columns| *columns >= 40)
        .unwrap_or(80)
}

/// Consoles of Windows show escape sequences as text until they are told not to; older ones know no other way.
fn is_dumb() -> bool {
    variable("TERM").is_some_and(|term| term == "dumb")
        || anstyle_query::windows::enable_ansi_colors() == Some(false)
}

#[expect(
    clippy::disallowed_methods,
    reason = "about the terminal and programs; the connection's settings are read by the library"
)]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
