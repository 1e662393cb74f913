//! Subjects as child processes: one answer each, or one for each line that they are given.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result};
use serde_json::Value;
use xtask::process::{captured, describe};

/// Leaves a command nothing of this process's environment but the `PATH`, so that nobody's settings reach a subject.
pub(crate) fn bare(command: &mut Command) -> &mut Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.env_clear().env("PATH", path)
}

/// Runs `command` to its end; its standard output is one line of JSON.
pub(crate) fn ask(command: &mut Command) -> Result<Value> {
    let printed = captured(command)?;
    serde_json::from_str(&printed)
        .with_context(|| format!("{} did not print JSON", describe(command)))
}

/// A process that answers each line of JSON with one. Ends with its standard input.
pub(crate) struct Dialogue {
    name: String,
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Dialogue {
    /// Starts `command` and waits for its first line, which says that it is ready.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let name = describe(command);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.with_context(|| format!("cannot start {name}"))?;
        let orders = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().context("a child without output")?);
        let mut dialogue = Self { name, child, orders, answers };
        dialogue.answer()?;
        Ok(dialogue)
    }

    pub(crate) fn ask(&mut self, order: &Value) -> Result<Value> {
        let orders = self.orders.as_mut().context("a child without input")?;
        writeln!(orders, "{order}").with_context(|| format!("{} is gone", self.name))?;
        self.answer()
    }

    fn answer(&mut self) -> Result<Value> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        serde_json::from_str(&line)
            .with_context(|| format!("{} did not answer with JSON", self.name))
    }
}

impl Drop for Dialogue {
    fn drop(&mut self) {
        drop(self.orders.take());
        let _ = self.child.wait();
    }
}

/// The number `field` of an answer.
pub(crate) fn number(answer: &Value, field: &str) -> Result<f64> {
    answer
        .get(field)
        .and_then(Value::as_f64)
        .with_context(|| format!("no number `{field}` in {answer}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn one_answer() {
        assert_eq!(
            number(&ask(&mut sh(r#"echo '{"micros":12}'"#)).unwrap(), "micros").unwrap(),
            12.0
        );
        let error = ask(&mut sh("echo one >&2; echo broken >&2; exit 3")).unwrap_err().to_string();
        assert!(error.ends_with("one\nbroken"), "{error}");
        assert!(ask(&mut sh("echo tea")).is_err());
    }

    #[test]
    fn a_dialogue() {
        let mut dialogue =
            Dialogue::start(&mut sh("echo 1; while read -r line; do echo \"[$line]\"; done"))
                .unwrap();
        assert_eq!(dialogue.ask(&json!({ "a": 2 })).unwrap(), json!([{ "a": 2 }]));
        assert_eq!(dialogue.ask(&json!(3)).unwrap(), json!([3]));
        assert!(Dialogue::start(&mut sh("exit 1")).is_err());
    }
}
