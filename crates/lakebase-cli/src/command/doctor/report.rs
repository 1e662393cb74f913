//! The steps with their verdicts: lines for people as they come, one object for programs at the end.

use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use lakebase::core::Clock;
use serde::Serialize;

use super::fault::Fault;
use crate::cli::Global;
use crate::output::{Output, json, printable};
use crate::{process, progress};

/// The steps, in this order.
pub(super) const STEPS: [&str; 12] = [
    "configuration",
    "workspace",
    "clock",
    "identity",
    "endpoint",
    "credential",
    "host",
    "tcp",
    "tls",
    "login",
    "role",
    "query",
];

/// Why a step failed: what is wrong, and what was seen.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) fault: Fault,
    pub(super) detail: String,
}

impl Finding {
    pub(super) fn new(fault: Fault, detail: impl Into<String>) -> Self {
        Self { fault, detail: detail.into() }
    }
}

/// A step's outcome: a value for later steps and what to say about it, or what is wrong.
pub(super) type Examined<T> = Result<(T, String), Finding>;

/// A setting as it is shown; the value of a secret is left out.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ShownSetting {
    pub(super) name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<String>,
    pub(super) origin: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Ok,
    Failed,
    Skipped,
}

#[derive(Debug, Serialize)]
struct Step {
    name: &'static str,
    verdict: Verdict,
    seconds: f64,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<Fault>,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<&'static str>,
}

/// The form of `--json`.
#[derive(Debug, Serialize)]
struct Document<'a> {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<Fault>,
    settings: &'a [ShownSetting],
    steps: &'a [Step],
}

/// Collects the steps.
pub(super) struct Report<'a> {
    global: &'a Global,
    clock: Arc<dyn Clock>,
    output: Output,
    colour: bool,
    settings: Vec<ShownSetting>,
    steps: Vec<Step>,
}

impl<'a> Report<'a> {
    pub(super) fn new(global: &'a Global, clock: Arc<dyn Clock>) -> Self {
        let stdout = io::stdout();
        let colour = stdout.is_terminal() && process::may_colour(&stdout);
        Self {
            global,
            clock,
            output: Output::stdout(),
            colour,
            settings: Vec::new(),
            steps: Vec::new(),
        }
    }

    /// Shows the settings, below the step that read them.
    pub(super) fn settings(&mut self, settings: Vec<ShownSetting>) -> io::Result<()> {
        if !self.global.json {
            let width = settings.iter().map(|setting| setting.name.len()).max();
            for setting in &settings {
                self.output.line(setting_line(setting, width.unwrap_or_default()))?;
            }
        }
        self.settings = settings;
        Ok(())
    }

    /// Runs the step `name`, and mentions it if that takes long; its value if all is well.
    pub(super) async fn step<T>(
        &mut self,
        name: &'static str,
        work: impl Future<Output = Examined<T>>,
    ) -> io::Result<Option<T>> {
        let work = progress::during(self.global, name, work);
        self.step_with_progress(name, work).await
    }

    /// The same for `work` that says by itself what it waits for.
    pub(super) async fn step_with_progress<T>(
        &mut self,
        name: &'static str,
        work: impl Future<Output = Examined<T>>,
    ) -> io::Result<Option<T>> {
        let start = self.clock.monotonic();
        let outcome = work.await;
        let seconds = seconds(self.clock.monotonic().saturating_sub(start));
        match outcome {
            Ok((value, detail)) => {
                self.add(name, Verdict::Ok, seconds, detail, None)?;
                Ok(Some(value))
            }
            Err(Finding { fault, detail }) => {
                self.add(name, Verdict::Failed, seconds, detail, Some(fault))?;
                Ok(None)
            }
        }
    }

    /// Says why these steps are not taken.
    pub(super) fn skip(&mut self, names: &[&'static str], why: &str) -> io::Result<()> {
        for name in names {
            self.add(name, Verdict::Skipped, 0.0, why.to_owned(), None)?;
        }
        Ok(())
    }

    /// Says why all the steps that were neither taken nor skipped yet are not taken.
    pub(super) fn skip_rest(&mut self, why: &str) -> io::Result<()> {
        let is_open = |name: &&str| !self.steps.iter().any(|step| step.name == *name);
        let open: Vec<_> = STEPS.into_iter().filter(is_open).collect();
        self.skip(&open, why)
    }

    fn add(
        &mut self,
        name: &'static str,
        verdict: Verdict,
        seconds: f64,
        detail: String,
        fault: Option<Fault>,
    ) -> io::Result<()> {
        let step = Step { name, verdict, seconds, detail, fault, advice: fault.map(Fault::advice) };
        if !self.global.json {
            self.output.line(line(&step, self.colour))?;
            if let Some(advice) = step.advice {
                self.output.line(format!("{INDENT}→ {advice}"))?;
            }
            self.output.flush()?;
        }
        self.steps.push(step);
        Ok(())
    }

    /// The first fault that kept another step from being taken, else the first at all: a clock that is
    /// wrong stops nothing, but may be the cause of what comes after it.
    fn fault(&self) -> Option<Fault> {
        let blocking = |fault: &Fault| *fault != Fault::ClockSkew;
        let mut faults = self.steps.iter().filter_map(|step| step.fault);
        faults.clone().find(blocking).or_else(|| faults.next())
    }

    /// Prints what is left to print, and says how the process shall end.
    pub(super) fn finish(mut self) -> anyhow::Result<i32> {
        let fault = self.fault();
        if self.global.json {
            let document = Document {
                ok: fault.is_none(),
                fault,
                settings: &self.settings,
                steps: &self.steps,
            };
            self.output.line(json(&document)?)?;
        } else {
            self.output.line(match fault {
                None => "all is well".to_owned(),
                Some(fault) => format!("fault: {fault}"),
            })?;
        }
        self.output.flush()?;
        Ok(if fault.is_none() { 0 } else { 1 })
    }
}

const INDENT: &str = "                   ";

fn line(step: &Step, colour: bool) -> String {
    let Step { name, verdict, seconds, detail, .. } = step;
    let (word, style) = match verdict {
        Verdict::Ok => ("ok", AnsiColor::Green.on_default()),
        Verdict::Failed => ("FAILED", AnsiColor::Red.on_default().bold()),
        Verdict::Skipped => ("skipped", Style::new().dimmed()),
    };
    let style = if colour { style } else { Style::new() };
    let detail = printable(detail);
    let gap = if detail.is_empty() { "" } else { ": " };
    let time = match verdict {
        Verdict::Skipped => "        ".to_owned(),
        _ => format!("{seconds:>6.2} s"),
    };
    format!("{style}{word:<7}{style:#}  {time}  {name}{gap}{detail}")
}

fn setting_line(setting: &ShownSetting, width: usize) -> String {
    let ShownSetting { name, value, origin } = setting;
    let value = value.as_deref().map_or("set".to_owned(), printable);
    format!("{INDENT}{name:<width$}  {value}  from {}", printable(origin))
}

/// To the millisecond.
fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use lakebase_runtime::SystemClock;

    use super::*;

    const JSON: Global = Global {
        profile: None,
        project: None,
        branch: None,
        endpoint: None,
        database: None,
        url: None,
        user: None,
        json: true,
        read_only: false,
        quiet: true,
        verbose: false,
    };

    async fn report(outcomes: &[(&'static str, Option<Fault>)]) -> Report<'static> {
        let mut report = Report::new(&JSON, Arc::new(SystemClock));
        for (name, fault) in outcomes {
            let outcome = match fault {
                None => Ok(((), "fine".to_owned())),
                Some(fault) => Err(Finding::new(*fault, "bad")),
            };
            report.step(name, std::future::ready(outcome)).await.unwrap();
        }
        report
    }

    #[tokio::test]
    async fn the_fault_is_the_first_one_but_a_clock_gives_way() {
        let none = report(&[("configuration", None)]).await;
        assert_eq!(none.fault(), None);
        let clock = report(&[("clock", Some(Fault::ClockSkew)), ("login", None)]).await;
        assert_eq!(clock.fault().unwrap().to_string(), "clock_skew");
        let both = report(&[
            ("clock", Some(Fault::ClockSkew)),
            ("tls", Some(Fault::CertificateExpired)),
            ("login", Some(Fault::LoginFailed)),
        ]);
        assert_eq!(both.await.fault().unwrap().to_string(), "certificate_expired");
    }

    #[tokio::test]
    async fn every_step_has_a_verdict_and_all_in_order() {
        let mut report = report(&[("configuration", Some(Fault::Configuration))]).await;
        report.skip_rest("nothing to examine").unwrap();
        let names: Vec<&str> = report.steps.iter().map(|step| step.name).collect();
        assert_eq!(names, STEPS);
        assert!(report.steps[1..].iter().all(|step| step.verdict == Verdict::Skipped));
    }

    #[test]
    fn lines_have_colours_only_where_they_may() {
        let step = Step {
            name: "tcp",
            verdict: Verdict::Ok,
            seconds: 0.02,
            detail: "127.0.0.1:5432\u{1b}[2J".to_owned(),
            fault: None,
            advice: None,
        };
        assert_eq!(line(&step, false), "ok         0.02 s  tcp: 127.0.0.1:5432\\u{1b}[2J");
        assert!(line(&step, true).starts_with("\u{1b}[32mok     \u{1b}[0m"));
    }
}
