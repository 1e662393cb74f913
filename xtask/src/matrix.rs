//! `cargo xtask test-matrix`: runs cells one after the other, shows progress, ends with a table and a count.
//!
//! The loop knows nothing of processes: a `Machine` provides what cells need and runs their steps, so the loop is tested with a fake one.

mod cells;
pub(crate) mod changed;
mod count;
mod machine;
mod report;

use self::cells::{Cell, Step, all};
use self::count::{remark, skipped, tally};
use self::machine::Real;
use self::report::{Report, Row};
use crate::Outcome;
use crate::provision::Tool;
use crate::system::{Failure, Watch, in_ci};

/// What a step printed and how it ended.
#[derive(Clone, Debug)]
struct Ran {
    success: bool,
    output: String,
    /// Why it did not end by itself.
    failure: Option<String>,
}

/// Where cells run.
trait Machine {
    /// Makes `tool` available, or says why it cannot be had.
    fn provide(&mut self, tool: Tool) -> Result<(), Failure>;
    /// Announces a cell.
    fn begin(&mut self, cell: &Cell);
    /// Runs one step to its end.
    fn run(&mut self, cell: &Cell, step: &Step) -> Result<Ran, Failure>;
    /// Announces the result of a cell.
    fn end(&mut self, row: &Row);
}

/// Runs `cells`; `strict` turns what cannot be provided from a skip into a failure, unless the machine forbids it.
fn run(cells: &[Cell], strict: bool, machine: &mut dyn Machine) -> Report {
    let mut report = Report::default();
    for cell in cells {
        let watch = Watch::start();
        machine.begin(cell);
        let mut row = run_cell(cell, strict, machine);
        row.elapsed = watch.elapsed();
        machine.end(&row);
        report.rows.push(row);
    }
    report
}

fn run_cell(cell: &Cell, strict: bool, machine: &mut dyn Machine) -> Row {
    let mut row = Row { name: cell.name.clone(), ..Row::default() };
    for need in &cell.needs {
        if let Err(failure) = machine.provide(*need) {
            if strict && !failure.is_forbidden() {
                row.tally.failed = 1;
                row.note = Some(failure.to_string());
            } else {
                row.skipped = Some(failure.to_string());
            }
            return row;
        }
    }
    let mut nothing = None;
    for step in &cell.steps {
        match machine.run(cell, step) {
            Ok(ran) => {
                nothing = nothing.or_else(|| skipped(step.counts, &ran.output));
                row.remark = row.remark.or_else(|| remark(step.counts, &ran.output));
                row.tally.add(tally(step.counts, ran.success, &ran.output));
                row.note = row.note.or(ran.failure);
            }
            Err(failure) => {
                row.tally.failed += 1;
                row.note = Some(failure.to_string());
            }
        }
    }
    if row.tally.total() == 0 {
        row.skipped = nothing;
        if row.skipped.is_none() {
            row.tally.failed = 1;
            row.note = Some("ran no test".to_owned());
        }
    }
    if row.tally.ignored > 0 {
        row.note = Some(format!("{} ignored tests count as failed", row.tally.ignored));
    }
    row
}

/// What was asked for on the command line.
#[derive(Debug, Default)]
struct Options<'a> {
    list: bool,
    json: bool,
    cells: Vec<&'a str>,
}

fn parse<'a>(args: &[&'a str]) -> Result<Options<'a>, Failure> {
    let mut options = Options::default();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match *arg {
            "--list" => options.list = true,
            "--json" => options.json = true,
            "--cell" => match args.next() {
                Some(name) => options.cells.push(name),
                None => {
                    return Err(Failure::usage(
                        "--cell takes the name of a cell; --list shows them",
                    ));
                }
            },
            other => match other.strip_prefix("--cell=") {
                Some(name) => options.cells.push(name),
                None => {
                    return Err(Failure::usage(format!(
                        "test-matrix knows --list, --json and --cell NAME, not `{other}`"
                    )));
                }
            },
        }
    }
    Ok(options)
}

fn select(names: &[&str]) -> Result<Vec<Cell>, Failure> {
    let mut cells = all()?;
    let known: Vec<_> = cells.iter().map(|cell| cell.name.as_str()).collect();
    if let Some(name) = names.iter().find(|name| !known.contains(name)) {
        let known = known.join(", ");
        return Err(Failure::usage(format!("no cell `{name}`; there are {known}")));
    }
    cells.retain(|cell| names.is_empty() || names.contains(&cell.name.as_str()));
    Ok(cells)
}

/// `test-matrix [--list] [--json] [--cell NAME]...`
pub(crate) fn command(args: &[&str]) -> Outcome {
    let options = parse(args)?;
    let cells = select(&options.cells)?;
    if options.list {
        list(&cells, options.json);
        return Ok(true);
    }
    let mut machine = Real::new(options.json)?;
    let report = run(&cells, in_ci(), &mut machine);
    if options.json {
        println!("{}", report.json());
    } else {
        print!("\n{}", report.table());
    }
    Ok(report.ok())
}

fn list(cells: &[Cell], json: bool) {
    if json {
        let cells: Vec<_> = cells
            .iter()
            .map(|cell| serde_json::json!({ "cell": cell.name, "purpose": cell.purpose }))
            .collect();
        println!("{}", serde_json::Value::from(cells));
        return;
    }
    for cell in cells {
        let needs: String =
            cell.needs.iter().map(|need| format!(" [{need:?}]").to_lowercase()).collect();
        println!("{:<18} {}{needs}", cell.name, cell.purpose);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSES: &str = "cargo check";
    const BREAKS: &str = "cargo breaks";
    const EMPTY: &str = "cargo test nothing";
    const UNSURE: &str = "xtask unsure";

    /// Has no Python; does what the step's command says.
    #[derive(Debug, Default)]
    struct Fake {
        ran: Vec<String>,
    }

    impl Machine for Fake {
        fn provide(&mut self, tool: Tool) -> Result<(), Failure> {
            match tool {
                Tool::Python => Err(Failure::new("no python3")),
                Tool::Netns => Err(Failure::forbidden("no namespaces")),
                _ => Ok(()),
            }
        }
        fn begin(&mut self, _: &Cell) {}
        fn run(&mut self, cell: &Cell, step: &Step) -> Result<Ran, Failure> {
            self.ran.push(format!("{}/{}", cell.name, step.run));
            let output = if step.run == UNSURE { "skipped: nothing recorded" } else { "" };
            Ok(Ran { success: step.run != BREAKS, output: output.to_owned(), failure: None })
        }
        fn end(&mut self, _: &Row) {}
    }

    fn cell(name: &str, needs: &[Tool], steps: &[&str]) -> Cell {
        let steps = steps.iter().map(|run| Step::from(*run)).collect();
        let (name, purpose) = (name.to_owned(), String::new());
        Cell { name, purpose, needs: needs.to_vec(), threads: None, steps }
    }

    #[test]
    fn every_step_runs_even_after_a_failure() {
        let cell = cell("a", &[Tool::Wasm], &[BREAKS, PASSES]);
        let mut fake = Fake::default();
        let report = run(&[cell], false, &mut fake);
        assert_eq!(fake.ran, ["a/cargo breaks", "a/cargo check"]);
        assert_eq!((report.rows[0].tally.passed, report.rows[0].tally.failed), (1, 1));
        assert!(!report.ok());
    }

    #[test]
    fn a_cell_without_any_check_fails() {
        let cell = cell("a", &[], &[EMPTY]);
        let report = run(&[cell], false, &mut Fake::default());
        assert!(!report.ok());
        assert_eq!(report.rows[0].note.as_deref(), Some("ran no test"));
    }

    #[test]
    fn a_cell_that_says_that_it_has_nothing_to_check_is_skipped_also_in_ci() {
        let unsure = cell("a", &[], &[UNSURE]);
        let report = run(&[unsure], true, &mut Fake::default());
        assert!(report.ok());
        assert_eq!(report.rows[0].skipped.as_deref(), Some("nothing recorded"));
        let broken = cell("b", &[], &[UNSURE, BREAKS]);
        assert!(!run(&[broken], false, &mut Fake::default()).ok());
    }

    #[test]
    fn what_cannot_be_had_is_a_skip_or_in_ci_a_failure() {
        let cells = [cell("needy", &[Tool::Python], &[PASSES]), cell("other", &[], &[PASSES])];
        let mut fake = Fake::default();
        let report = run(&cells, false, &mut fake);
        assert!(report.ok());
        assert_eq!(report.rows[0].skipped.as_deref(), Some("no python3"));
        assert_eq!(fake.ran, ["other/cargo check"]);

        let report = run(&cells, true, &mut Fake::default());
        assert!(!report.ok());
        assert_eq!(report.rows[0].note.as_deref(), Some("no python3"));
    }

    #[test]
    fn what_the_machine_forbids_is_a_skip_also_in_ci() {
        let lossy = cell("lossy", &[Tool::Netns], &[PASSES]);
        let report = run(&[lossy], true, &mut Fake::default());
        assert!(report.ok());
        assert_eq!(report.rows[0].skipped.as_deref(), Some("no namespaces"));
    }

    #[test]
    fn options_are_parsed_and_cells_must_exist() {
        let options = parse(&["--cell", "core", "--json", "--cell=smol"]).unwrap();
        assert!(options.json && !options.list);
        assert_eq!(options.cells, ["core", "smol"]);
        assert!(parse(&["--cell"]).is_err());
        let cells = select(&["smol", "core"]).unwrap();
        assert_eq!(cells.iter().map(|cell| &cell.name).collect::<Vec<_>>(), ["core", "smol"]);
        assert!(select(&["nope"]).unwrap_err().to_string().contains("no cell `nope`"));
        assert_eq!(select(&[]).unwrap().len(), all().unwrap().len());
    }
}
