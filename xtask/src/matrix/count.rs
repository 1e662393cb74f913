//! How many checks a step ran, read from what it printed.

use super::cells::Counts;

/// Checks of one step or cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
}

impl Tally {
    pub(crate) fn total(self) -> u64 {
        self.passed + self.failed
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }
}

/// The tally of a step that printed `output` and ended well or not.
///
/// A step that ended badly without naming a failed test (it did not compile, or a test binary crashed) counts as one failure more, and so does
/// a test that was ignored: nothing is skipped silently.
pub(crate) fn tally(counts: Counts, success: bool, output: &str) -> Tally {
    let mut tally = match counts {
        Counts::One => Tally { passed: u64::from(success), ..Tally::default() },
        Counts::Tests => sum(output.lines().filter_map(cargo_test)),
        Counts::Closing => sum(output.lines().filter_map(closing).next_back().into_iter()),
    };
    tally.failed += tally.ignored;
    if !success && tally.failed == 0 {
        tally.failed = 1;
    }
    tally
}

/// Why a step of our own had nothing to check, by its line `skipped: …`.
pub(crate) fn skipped(counts: Counts, output: &str) -> Option<String> {
    said(counts, output, "skipped: ")
}

/// How a step of our own checked, by its line `remark: …`.
pub(crate) fn remark(counts: Counts, output: &str) -> Option<String> {
    said(counts, output, "remark: ")
}

/// The tests that took over a minute and did not end.
pub(crate) fn unfinished(output: &str) -> Vec<&str> {
    let long = output.lines().filter_map(|line| {
        line.strip_prefix("test ")?.strip_suffix(" has been running for over 60 seconds")
    });
    long.filter(|name| !output.contains(&format!("test {name} ... "))).collect()
}

fn said(counts: Counts, output: &str, what: &str) -> Option<String> {
    let mut lines = output.lines().filter(|_| counts == Counts::Closing).rev();
    lines.find_map(|line| line.strip_prefix(what)).map(str::to_owned)
}

fn sum(tallies: impl Iterator<Item = Tally>) -> Tally {
    tallies.fold(Tally::default(), |mut sum, tally| {
        sum.add(tally);
        sum
    })
}

/// `test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s`
fn cargo_test(line: &str) -> Option<Tally> {
    let rest = line.trim().strip_prefix("test result: ")?;
    let (_, counts) = rest.split_once(". ")?;
    let mut tally = Tally::default();
    for part in counts.split(';') {
        let Some((number, what)) = part.trim().split_once(' ') else { continue };
        let Ok(number) = number.parse() else { continue };
        match what {
            "passed" => tally.passed = number,
            "failed" => tally.failed = number,
            "ignored" => tally.ignored = number,
            _ => {}
        }
    }
    Some(tally)
}

/// `isolation: 12 passed, 0 failed`, the closing line of our own checks.
fn closing(line: &str) -> Option<Tally> {
    let line = line.trim();
    let counts = line.split_once(": ").map_or(line, |(_, counts)| counts);
    let (passed, failed) = counts.split_once(", ")?;
    Some(Tally {
        passed: passed.strip_suffix(" passed")?.parse().ok()?,
        failed: failed.strip_suffix(" failed")?.parse().ok()?,
        ignored: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(counts: Counts, success: bool, output: &str, expected: (u64, u64)) {
        let tally = tally(counts, success, output);
        assert_eq!((tally.passed, tally.failed), expected, "{output}");
    }

    #[test]
    fn cargo_results_of_several_binaries_add_up() {
        let output = "running 2 tests\ntest a ... ok\ntest result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\n\
            test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 4 filtered out; finished in 1.00s\n";
        check(Counts::Tests, false, output, (5, 1));
    }

    #[test]
    fn compile_errors_count_as_one_failure() {
        check(Counts::Tests, false, "error[E0425]: cannot find value", (0, 1));
        check(Counts::Tests, false, "test result: ok. 7 passed; 0 failed; 0 ignored;", (7, 1));
    }

    #[test]
    fn tests_that_hang_are_named() {
        let output = "test a::tokio has been running for over 60 seconds\n\
            test a::smol has been running for over 60 seconds\ntest a::smol ... ok\ntest b ... ok\n";
        assert_eq!(unfinished(output), ["a::tokio"]);
    }

    #[test]
    fn ignored_tests_are_failures() {
        check(
            Counts::Tests,
            true,
            "test result: ok. 7 passed; 0 failed; 2 ignored; 0 measured",
            (7, 2),
        );
    }

    #[test]
    fn a_command_is_one_check() {
        check(Counts::One, true, "", (1, 0));
        check(Counts::One, false, "", (0, 1));
    }

    #[test]
    fn closing_lines_count_the_last_one() {
        check(
            Counts::Closing,
            true,
            "tidy: 1 passed, 0 failed\ntidy: 8 passed, 0 failed\n",
            (8, 0),
        );
        check(Counts::Closing, false, "8 passed, 2 failed", (8, 2));
        check(Counts::Closing, false, "no closing line", (0, 1));
        check(Counts::Closing, true, "no closing line", (0, 0));
    }

    #[test]
    fn only_our_own_steps_may_have_nothing_to_check() {
        let output = "a table\nskipped: nothing recorded\n";
        assert_eq!(skipped(Counts::Closing, output).as_deref(), Some("nothing recorded"));
        assert_eq!(skipped(Counts::Tests, output), None);
        let output = "remark: by clippy\nmsrv: 2 passed, 0 failed\n";
        assert_eq!(remark(Counts::Closing, output).as_deref(), Some("by clippy"));
        assert_eq!(remark(Counts::Tests, output), None);
        assert_eq!(skipped(Counts::Closing, "instructions: 4 passed, 0 failed"), None);
    }
}
