//! Standard output: tables for people, JSON for programs.

use std::io::{self, BufWriter, StdoutLock, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::ser::{Serialize, Serializer};

/// Standard output, buffered. A broken pipe comes back as the bare I/O error.
pub(crate) struct Output(BufWriter<StdoutLock<'static>>);

impl Output {
    pub(crate) fn stdout() -> Self {
        Self(BufWriter::new(io::stdout().lock()))
    }

    pub(crate) fn line(&mut self, text: impl AsRef<str>) -> io::Result<()> {
        writeln!(self.0, "{}", text.as_ref())
    }

    pub(crate) fn text(&mut self, text: impl AsRef<str>) -> io::Result<()> {
        self.0.write_all(text.as_ref().as_bytes())
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Set once, before anything is said.
static QUIET: AtomicBool = AtomicBool::new(false);

/// Makes [`note`] say nothing, as `--quiet` wants it.
pub(crate) fn keep_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

/// Set once, before anything is said.
static LOGGED: AtomicBool = AtomicBool::new(false);

/// Makes [`note`] and [`complain`] events of the log, so that each of its lines has the same form.
pub(crate) fn say_in_log() {
    LOGGED.store(true, Ordering::Relaxed);
}

/// Writes an error; without standard error it is dropped.
pub(crate) fn complain(text: impl AsRef<str>) {
    if LOGGED.load(Ordering::Relaxed) {
        return tracing::error!("{}", text.as_ref());
    }
    let _ = writeln!(io::stderr(), "lakebase: {}", text.as_ref());
}

/// Writes a remark beside the result; without standard error it is dropped.
pub(crate) fn note(text: impl AsRef<str>) {
    if LOGGED.load(Ordering::Relaxed) {
        return tracing::info!("{}", text.as_ref().trim_start_matches("lakebase: "));
    }
    if !QUIET.load(Ordering::Relaxed) {
        let _ = writeln!(io::stderr(), "{}", text.as_ref());
    }
}

/// Writes `text` to standard output, as it is.
pub(crate) fn print(text: impl AsRef<str>) -> io::Result<()> {
    let mut output = Output::stdout();
    output.text(text)?;
    output.flush()
}

/// Writes one line to standard output.
pub(crate) fn print_line(text: impl AsRef<str>) -> io::Result<()> {
    print(format!("{}\n", text.as_ref()))
}

/// Writes `value` to standard output as one line of JSON.
pub(crate) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    Ok(print_line(json(value)?)?)
}

/// One line of JSON.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<String> {
    Ok(serde_json::to_string(value)?)
}

/// An object whose members keep their order.
pub(crate) struct Object<'a>(pub(crate) Vec<(&'a str, Option<&'a str>)>);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

/// Rows below a head, in aligned columns.
#[derive(Debug, Default)]
pub(crate) struct Table {
    head: Vec<String>,
    right: Vec<bool>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns; those marked `true` are aligned to the right.
    pub(crate) fn new<S: Into<String>>(columns: impl IntoIterator<Item = (S, bool)>) -> Self {
        let (head, right) =
            columns.into_iter().map(|(name, right)| (printable(&name.into()), right)).unzip();
        Self { head, right, rows: Vec::new() }
    }

    pub(crate) fn row<S: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.rows.push(cells.into_iter().map(|cell| printable(cell.as_ref())).collect());
    }

    /// With a rule below the head.
    pub(crate) fn render(&self) -> String {
        let widths = self.widths();
        let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
        self.lines([&self.head, &rule].into_iter().chain(&self.rows), &widths)
    }

    /// Without the rule.
    pub(crate) fn render_plain(&self) -> String {
        self.lines([&self.head].into_iter().chain(&self.rows), &self.widths())
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.head.iter().map(|name| width(name)).collect();
        for row in &self.rows {
            for (most, cell) in widths.iter_mut().zip(row) {
                *most = (*most).max(width(cell));
            }
        }
        widths
    }

    fn lines<'a>(&self, rows: impl Iterator<Item = &'a Vec<String>>, widths: &[usize]) -> String {
        let mut text = String::new();
        rows.for_each(|row| self.put(&mut text, row, widths));
        text
    }

    fn put(&self, text: &mut String, cells: &[String], widths: &[usize]) {
        let mut line = String::new();
        for ((cell, right), most) in cells.iter().zip(&self.right).zip(widths) {
            let gap = " ".repeat(most - width(cell).min(*most));
            let (before, after) = if *right { (gap.as_str(), "") } else { ("", gap.as_str()) };
            line.push_str(&format!("{before}{cell}{after}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// Text that neither breaks a table nor speaks to the terminal.
pub(crate) fn printable(text: &str) -> String {
    if !text.contains(char::is_control) {
        return text.to_owned();
    }
    let escape =
        |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_control_characters_shown() {
        let mut table = Table::new([("id", true), ("näme", false)]);
        table.row(["1", "a\nb\u{1b}[2J"]);
        table.row(["100", "c"]);
        assert_eq!(
            table.render(),
            " id  näme\n---  ------------\n  1  a\\nb\\u{1b}[2J\n100  c\n"
                .replace("------------", "-------------")
        );
    }

    #[test]
    fn objects_keep_the_order_of_columns() {
        let object = Object(vec![("z", Some("1")), ("a", None)]);
        assert_eq!(json(&object).unwrap(), r#"{"z":"1","a":null}"#);
    }
}
