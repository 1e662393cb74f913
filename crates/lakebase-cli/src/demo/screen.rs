//! Draws: a block of strips that is redrawn in place below the events, or plain lines.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

use crate::process;

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const LABEL: usize = 9;

/// One column of the strips.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Column {
    pub(crate) tokens: u64,
    pub(crate) failed_mints: u64,
    pub(crate) logins: u64,
    pub(crate) queries: u64,
    pub(crate) failed: u64,
}

/// Where the timeline is drawn: standard error.
#[derive(Debug)]
pub(crate) struct Screen {
    live: bool,
    colour: bool,
    width: usize,
    /// Lines of the block that stand on the terminal now.
    drawn: usize,
    block: String,
}

impl Screen {
    pub(crate) fn stderr() -> Self {
        Self {
            live: process::can_redraw(),
            colour: process::may_colour(&io::stderr()),
            width: process::columns(),
            drawn: 0,
            block: String::new(),
        }
    }

    /// How many columns a strip has.
    pub(crate) fn columns(&self) -> usize {
        self.width.saturating_sub(LABEL + 1).max(10)
    }

    /// Prints a line that stays, above the block.
    pub(crate) fn event(&mut self, at: Duration, text: &str) {
        let mut out = self.erase();
        let _ = writeln!(out, "{:>6.1} s  {text}", at.as_secs_f64());
        self.redraw(out);
    }

    /// Replaces the block, on a terminal.
    pub(crate) fn block(&mut self, status: &str, columns: &[Column]) {
        if !self.live {
            return;
        }
        let out = self.erase();
        self.block = self.strips(status, columns);
        self.redraw(out);
    }

    /// Leaves the block where it is, for good.
    pub(crate) fn end(&mut self) {
        self.block.clear();
        self.drawn = 0;
    }

    /// The sequence that takes the block away: up to its first line, then clear to the end.
    fn erase(&mut self) -> String {
        match std::mem::take(&mut self.drawn) {
            0 => String::new(),
            lines => format!("\x1b[{lines}A\r\x1b[J"),
        }
    }

    fn redraw(&mut self, mut out: String) {
        if !self.block.is_empty() {
            // Lines that do not fit are cut, not wrapped: the block must have as many lines as it seems to.
            out = format!("{out}\x1b[?7l{}\x1b[?7h", self.block);
        }
        self.drawn = self.block.lines().count();
        let mut stderr = io::stderr().lock();
        // One write, so that the terminal shows no half of it. A closed terminal is no reason to stop.
        let _ = stderr.write_all(out.as_bytes()).and_then(|()| stderr.flush());
    }

    fn strips(&self, status: &str, columns: &[Column]) -> String {
        let most = |count: fn(&Column) -> u64| columns.iter().map(count).max().unwrap_or(0).max(1);
        let (logins, queries) = (most(|c| c.logins), most(|c| c.queries));
        let token = |c: &Column| match (c.tokens, c.failed_mints) {
            (0, 0) => ('·', None),
            (0, _) => ('x', Some(RED)),
            _ => ('●', Some(GREEN)),
        };
        let query = |c: &Column| match c.failed {
            0 => (bar(c.queries, queries), None),
            _ => ('x', Some(RED)),
        };
        let mut out = String::new();
        self.strip(&mut out, "tokens", columns, token);
        self.strip(&mut out, "logins", columns, |c| (bar(c.logins, logins), None));
        self.strip(&mut out, "queries", columns, query);
        let status: String = status.chars().take(self.width.saturating_sub(1)).collect();
        let _ = writeln!(out, "{status}");
        out
    }

    fn strip(
        &self,
        out: &mut String,
        label: &str,
        columns: &[Column],
        draw: impl Fn(&Column) -> (char, Option<&'static str>),
    ) {
        let _ = write!(out, "{label:LABEL$}");
        for column in columns.iter().take(self.columns()) {
            let _ = match draw(column) {
                (c, Some(colour)) if self.colour => write!(out, "{colour}{c}\x1b[0m"),
                (c, _) => write!(out, "{c}"),
            };
        }
        out.push('\n');
    }
}

const GREEN: &str = "\x1b[32m";
const RED: &str = "\x1b[31m";

/// A bar for `count`, the highest for `most`; nothing at all for none.
fn bar(count: u64, most: u64) -> char {
    if count == 0 {
        return ' ';
    }
    let step = usize::try_from(count.saturating_mul(7) / most.max(1)).unwrap_or(7);
    BARS.get(step).copied().unwrap_or('█')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen() -> Screen {
        Screen { live: true, colour: false, width: 40, drawn: 0, block: String::new() }
    }

    #[test]
    fn strips_show_tokens_refusals_and_heights() {
        let columns = [
            Column { tokens: 1, logins: 8, queries: 40, ..Column::default() },
            Column { failed_mints: 2, logins: 1, queries: 80, ..Column::default() },
            Column { failed: 1, queries: 3, ..Column::default() },
        ];
        let text = screen().strips("well", &columns);
        assert_eq!(text, "tokens   ●x·\nlogins   █▁ \nqueries  ▄█x\nwell\n");
    }

    #[test]
    fn a_block_is_taken_away_by_as_many_lines_as_it_has() {
        let mut screen = screen();
        screen.block = "a\nb\n".to_owned();
        screen.drawn = 2;
        assert_eq!(screen.erase(), "\x1b[2A\r\x1b[J");
        assert_eq!(screen.erase(), "", "it is gone");
    }
}
