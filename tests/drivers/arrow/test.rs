//! Programs that read tables as Arrow, by `lakebase exec`, unchanged, against a compute that sleeps.
//!
//! The command `lakebase` and the packages have to be there: `cargo xtask test-matrix --cell drivers` builds and installs them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "../migrations/command.rs"]
mod command;

use command::{lakebase, printed, target};
use lakebase_emulator::{Emulator, WakeStyle};

const PROGRAMS: [(&str, &str); 2] = [
    ("read_adbc.py", include_str!("read_adbc.py")),
    ("read_connectorx.py", include_str!("read_connectorx.py")),
];
const GUIDE: &str = include_str!("../../../crates/lakebase/docs/drivers.md");

#[test]
fn each_program_reads_a_table() {
    let emulator = Emulator::builder().wake_style(WakeStyle::StartingUp).start().unwrap();
    let python = target().join("tools/arrow/bin/python");
    assert!(python.is_file(), "no {}: cargo xtask provision arrow", python.display());
    for (program, _) in PROGRAMS {
        let read = |options: &[&str]| {
            let mut command = lakebase(&emulator);
            command.arg("exec").args(options).args(["--url-variable", "DATABASE_URL", "--"]);
            printed(command.arg(&python).arg(program)).trim().parse::<u32>().unwrap()
        };
        emulator.suspend(&emulator.description().endpoint).unwrap();
        assert!(read(&[]) > 100, "{program}");
        // As on platforms without Unix sockets.
        assert!(read(&["--tcp"]) > 100, "{program}");
    }
    let counters = emulator.counters(&emulator.description().endpoint).unwrap();
    assert_eq!(counters.wakes, PROGRAMS.len() as u64, "{counters:?}");
}

#[test]
fn the_guide_shows_these_programs() {
    for (program, text) in PROGRAMS {
        assert!(GUIDE.contains(&format!("```python\n{text}```\n")), "{program}");
        assert!(text.lines().count() <= 20, "{program}");
    }
}
