//! Each tool for migrations by `lakebase exec`, unchanged, against a compute that sleeps: it wakes with the tool's first login.
//!
//! The command `lakebase` and the tools have to be there: `cargo xtask test-matrix --cell drivers` builds and installs them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod command;

use std::path::Path;

use command::{lakebase, printed, target};
use lakebase_emulator::{Emulator, WakeStyle};

/// How to call each tool: what `lakebase exec` is told, and the tool's own command line. It makes a table of its name.
const TOOLS: [(&str, &[&str], &[&str]); 4] = [
    ("sqlx", &URL, &["sqlx", "migrate", "run", "--source", "sqlx"]),
    ("diesel", &URL, &["diesel", "migration", "run", "--migration-dir", "diesel"]),
    ("sea_orm", &URL, &["sea-orm-cli", "migrate", "up", "-d", "."]),
    // It knows no Unix sockets.
    ("refinery", &TCP, &["refinery", "migrate", "-e", "DATABASE_URL", "-p", "refinery"]),
];
const URL: [&str; 2] = ["--url-variable", "DATABASE_URL"];
const TCP: [&str; 3] = ["--tcp", "--url-variable", "DATABASE_URL"];

fn path_with(folder: &Path) -> std::ffi::OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder.to_owned()).chain(std::env::split_paths(&path));
    std::env::join_paths(folders).unwrap()
}

#[test]
fn each_tool_migrates() {
    let config = Emulator::builder().wake_style(WakeStyle::StartingUp).start();
    let emulator = config.unwrap();
    let tools = target().join("tools/migrations/bin");
    assert!(tools.is_dir(), "no {}: cargo xtask provision migrations", tools.display());
    for (name, options, tool) in TOOLS {
        let run = || {
            let mut command = lakebase(&emulator);
            command.env("PATH", path_with(&tools)).env("CARGO_TARGET_DIR", target());
            printed(command.arg("exec").args(options).arg("--").args(tool))
        };
        emulator.suspend(&emulator.description().endpoint).unwrap();
        run();
        // The second time there is nothing left to do.
        run();
        let table = format!("select 'made_by_{name}'::regclass::text");
        let found = printed(lakebase(&emulator).args(["query", &table]));
        assert!(found.contains(&format!("made_by_{name}")), "{found}");
    }
    let counters = emulator.counters(&emulator.description().endpoint).unwrap();
    assert_eq!(counters.wakes, TOOLS.len() as u64, "{counters:?}");
}
