//! Rows that are programs of their own, which print the lines of a report.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use xtask::process::{captured, describe, shown};
use xtask::system::cargo;

use crate::Settings;
use crate::peers::{built_outside, outside};
use crate::report::Report;

impl Report {
    /// Adds the lines of another report.
    pub(crate) fn collect(&mut self, lines: &str) -> Result<()> {
        for line in lines.lines().filter(|line| !line.trim().is_empty()) {
            let entry = serde_json::from_str(line);
            self.entries.push(entry.with_context(|| format!("not a measurement: {line}"))?);
        }
        Ok(())
    }

    /// Adds the lines that `command` prints.
    pub(crate) fn run(&mut self, command: &mut Command) -> Result<()> {
        let output = command
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("could not run `{}`", describe(command)))?;
        // What was measured before something broke is still worth showing.
        self.collect(&String::from_utf8_lossy(&output.stdout))?;
        ensure!(output.status.success(), "the program ended with {}", output.status);
        Ok(())
    }
}

/// Row `endpoints`.
pub(crate) fn endpoints(report: &mut Report) -> Result<()> {
    eprintln!("bench: building endpoints");
    let program = xtask::built("release", &["--package", "xtask-bench"], "endpoints")?;
    report.run(&mut Command::new(program))
}

/// Rows `read` and `callers`: a package whose feature `peers` is left out if they cannot be built.
pub(crate) fn caches(row: &str, report: &mut Report) -> Result<()> {
    eprintln!("bench: building the caches of peers");
    let build = || {
        let mut cargo = outside("xtask/peers");
        // Not `--locked`: our own crates may have new dependencies, which join what is pinned.
        cargo.args(["build", "--quiet", "--release", "--package", "peers-cache"]);
        cargo
    };
    let mut command = Command::new(built_outside("peers-cache"));
    command.arg(row);
    if let Err(reason) = captured(&mut build()) {
        eprintln!("bench: the peers are absent: {reason}");
        shown(build().arg("--no-default-features"))?;
        command.arg(format!("not built: {reason}"));
    }
    report.run(&mut command)
}

/// Row `wasm`.
pub(crate) fn wasm(settings: &Settings, report: &mut Report) -> Result<()> {
    let mut command = cargo();
    command.args(["run", "--quiet", "--package", "xtask-wasm", "--", "--bench", "--json"]);
    report.run(command.args(["--runs", &settings.rounds.to_string()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_the_order_and_join_the_rounds() {
        let mut report = Report::default();
        for round in [2.0, 4.0] {
            report.add("query", "ours", "us", round);
            report.add("query", "deadpool", "us", round * 2.0);
        }
        report.note("query", "npm", "us", "no node");
        let lines = "\
{\"case\":\"query\",\"subject\":\"ours\",\"unit\":\"us\",\"values\":[2.0,4.0],\"note\":\"\"}
{\"case\":\"query\",\"subject\":\"deadpool\",\"unit\":\"us\",\"values\":[4.0,8.0],\"note\":\"\"}
{\"case\":\"query\",\"subject\":\"npm\",\"unit\":\"us\",\"values\":[],\"note\":\"no node\"}
";
        assert_eq!(report.lines().unwrap(), lines);
        let mut again = Report::default();
        again.collect(lines).unwrap();
        assert_eq!(again.lines().unwrap(), lines);
    }

    #[test]
    fn what_is_no_measurement_is_refused() {
        for wrong in
            ["tea", "{}", r#"{"bench":"a","case":"b","subject":"c","unit":"d","values":["x"]}"#]
        {
            let error = Report::default().collect(wrong).unwrap_err().to_string();
            assert!(error.contains(wrong), "{error}");
        }
    }
}
