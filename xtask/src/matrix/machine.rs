//! The machine at hand: runs steps as processes, keeps their output in `target/test-matrix/<cell>.log`, shows progress.

use std::fs;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::cells::{Cell, Step};
use super::count::unfinished;
use super::report::Row;
use super::{Machine, Ran};
use crate::process::{Limits, describe, logged};
use crate::provision::{self, Tool};
use crate::system::{self, Doing, Failure};

/// Building everything from nothing on two cores takes about a quarter of the total. `dist` says nothing for four minutes there, and machines
/// may be three times slower.
const LIMITS: Limits =
    Limits { total: Duration::from_secs(20 * 60), silent: Duration::from_secs(15 * 60) };
/// `RES_OPTIONS`, see resolv.conf(5): a lost query costs a second instead of five.
const RESOLVER: &str = "timeout:1 attempts:2";
/// Without a terminal, a sign of life this often.
const HEARTBEAT: u64 = 60;
/// Lines of a failed cell's log that are printed; the file holds all.
const TAIL: usize = 300;

/// Runs steps for real.
#[derive(Debug)]
pub(super) struct Real {
    logs: PathBuf,
    /// This program; asked for at the start, since a cell may build a new one in its place.
    program: PathBuf,
    /// Progress goes to stderr when stdout is for JSON.
    json: bool,
    terminal: bool,
    /// Variables that provisioned tools add to every later step.
    env: Vec<(String, String)>,
    provided: Vec<(Tool, Result<(), Failure>)>,
}

impl Real {
    /// Creates the folder of logs; each cell empties its own.
    pub(super) fn new(json: bool) -> Result<Self, Failure> {
        let logs = system::target_dir().join("test-matrix");
        fs::create_dir_all(&logs).doing(format!("create {}", logs.display()))?;
        let program = std::env::current_exe().doing("find the running xtask")?;
        let terminal = std::io::stderr().is_terminal();
        Ok(Self { logs, program, json, terminal, env: Vec::new(), provided: Vec::new() })
    }

    fn log(&self, cell: &str) -> PathBuf {
        self.logs.join(format!("{cell}.log"))
    }

    fn say(&self, line: &str) {
        if self.json {
            eprintln!("{line}");
        } else {
            println!("{line}");
        }
    }

    /// Overwrites the line the cursor is on; nothing when not on a terminal.
    fn status(&self, line: &str) {
        if self.terminal {
            eprint!("\r\x1b[2K{line}");
            let _ = std::io::stderr().flush();
        }
    }
}

impl Machine for Real {
    fn provide(&mut self, tool: Tool) -> Result<(), Failure> {
        if let Some((_, known)) = self.provided.iter().find(|(known, _)| *known == tool) {
            return known.clone();
        }
        let result = provision::provide(tool).map(|env| self.env.extend(env));
        self.provided.push((tool, result.clone()));
        result
    }

    fn begin(&mut self, cell: &Cell) {
        let _ = fs::remove_file(self.log(&cell.name));
        self.say(&format!("==> {}: {}", cell.name, cell.purpose));
    }

    fn run(&mut self, cell: &Cell, step: &Step) -> Result<Ran, Failure> {
        let mut words = step.run.split_whitespace();
        let mut command = match words.next() {
            Some("cargo") => system::cargo(),
            _ => Command::new(&self.program),
        };
        command.args(words).current_dir(system::root()).env("RES_OPTIONS", RESOLVER);
        command.envs(self.env.iter().cloned()).envs(&step.env);
        if let Some(threads) = cell.threads {
            command.env("RUST_TEST_THREADS", threads.to_string());
        }
        let log = self.log(&cell.name);
        let before = fs::read(&log).map_or(0, |bytes| bytes.len());
        append(&log, &format!("$ {}\n", describe(&command)))?;
        let mut next_sign = HEARTBEAT;
        let mut seconds = 0;
        let ended = logged(&mut command, &log, LIMITS, |elapsed, line| {
            seconds = elapsed.as_secs();
            self.status(&format!("    {} {seconds} s  {line}", cell.name));
            if !self.terminal && seconds >= next_sign {
                next_sign = seconds + HEARTBEAT;
                self.say(&format!("    {} {seconds} s  {line}", cell.name));
            }
        });
        self.status("");
        let bytes = fs::read(&log).doing(format!("read {}", log.display()))?;
        let output = String::from_utf8_lossy(bytes.get(before..).unwrap_or_default()).into_owned();
        let what = describe(&command);
        let failure = match ended? {
            Some(status) if status.success() => None,
            Some(status) => Some(format!("`{what}` ended with {status}")),
            None => {
                let tests = unfinished(&output).join(", ");
                let tests = if tests.is_empty() { String::new() } else { format!(" in {tests}") };
                Some(format!("`{what}` was killed after {} min{tests}", seconds / 60))
            }
        };
        Ok(Ran { success: failure.is_none(), output, failure })
    }

    fn end(&mut self, row: &Row) {
        let seconds = row.elapsed.as_secs_f64();
        if let Some(reason) = &row.skipped {
            self.say(&format!("    SKIPPED {}: {reason}", row.name));
        } else if row.ok() {
            self.say(&format!("    {} ok, {} in {seconds:.1} s", row.name, row.tally.passed));
            if let Some(remark) = &row.remark {
                self.say(&format!("    {remark}"));
            }
        } else {
            let log = self.log(&row.name);
            let text = fs::read(&log)
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                .unwrap_or_default();
            let lines: Vec<_> = text.lines().collect();
            self.say(&format!("---- {} (last lines of {})", row.name, log.display()));
            for line in lines.iter().skip(lines.len().saturating_sub(TAIL)) {
                self.say(line);
            }
            if let Some(note) = &row.note {
                self.say(&format!("    {note}"));
            }
            self.say(&format!(
                "    {} FAILED: {} passed, {} failed in {seconds:.1} s",
                row.name, row.tally.passed, row.tally.failed
            ));
        }
    }
}

fn append(log: &std::path::Path, line: &str) -> Result<(), Failure> {
    let mut file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .doing(format!("open {}", log.display()))?;
    file.write_all(line.as_bytes()).doing(format!("write {}", log.display()))
}
