//! `cargo xtask bench --check`: instruction counts of hot paths, compared with recorded ones, so that a regression shows without a quiet machine.
//!
//! The paths are those of the package `xtask-instructions`, run under callgrind. Counts leave out the kernel and the allocator, whose calls are counted
//! instead; valgrind has no vDSO, so that reading a clock counts as a few instructions and not as its real cost. They repeat to a thousandth, whatever else
//! the machine does.

mod profile;
mod recorded;

use std::fs;
use std::path::Path;
use std::process::Command;

use self::profile::Profile;
use self::recorded::{Counts, Recorded, deviation, table};
use crate::Outcome;
use crate::clients::built;
use crate::process::captured;
use crate::provision;
use crate::system::{Doing, Failure, root, target_dir};

/// As the program calls them. `acquire` is ours, which is made from sqlx's pool and so contains what that one takes.
const PATHS: [&str; 3] = ["read", "acquire", "acquire-sqlx"];
/// The part of `acquire` that is not in `acquire-sqlx`.
const ADDED: &str = "acquire-added";
/// How often a path is taken; a second run takes it twice as often.
const TIMES: u64 = 2000;
/// Makes glibc on x86-64 copy bytes with what every such processor has, so that counts of one are comparable with those of another.
const ANY_PROCESSOR: &str = "glibc.cpu.hwcaps=-AVX2,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM";
const FILE: &str = "xtask/instructions/recorded.json";

/// Compares, or records anew.
pub(crate) fn command(record: bool) -> Outcome {
    let valgrind = provision::valgrind()?;
    eprintln!("bench: building xtask-instructions");
    let program = built("release", &["--package", "xtask-instructions"], "xtask-instructions")?;
    let toolchain = toolchain(&captured(Command::new("rustc").arg("-vV"))?)?;
    let counts = measure(&valgrind, &program)?;
    let file = root().join(FILE);
    let text = fs::read_to_string(&file).doing(format!("read {FILE}"))?;
    let mut recorded: Recorded = serde_json::from_str(&text).doing(format!("read {FILE}"))?;
    println!("{toolchain}\n\n{}", table(&counts, recorded.get(&toolchain)));
    if record {
        recorded.insert(toolchain, counts);
        let text = serde_json::to_string_pretty(&recorded).doing("print counts")? + "\n";
        fs::write(&file, text).doing(format!("write {FILE}"))?;
        println!("recorded in {FILE}");
        return Ok(true);
    }
    let Some(expected) = recorded.get(&toolchain) else {
        let measured: Vec<_> =
            counts.iter().map(|(path, count)| format!("{path} {count}")).collect();
        let toolchains: Vec<_> = recorded.keys().map(String::as_str).collect();
        println!(
            "skipped: {FILE} records nothing for {toolchain}, only for [{}]; measured: {}",
            toolchains.join("; "),
            measured.join(", ")
        );
        return Ok(true);
    };
    let wrong: Vec<_> =
        counts.iter().filter_map(|(path, count)| deviation(path, *count, expected)).collect();
    for line in &wrong {
        println!("{line}; if that is meant: cargo xtask bench --record");
    }
    println!("instructions: {} passed, {} failed", counts.len() - wrong.len(), wrong.len());
    Ok(wrong.is_empty())
}

/// Instructions and allocations of each path, and instructions of the part of `acquire` that is ours.
fn measure(valgrind: &Path, program: &Path) -> Result<Counts, Failure> {
    let mut counts = Counts::new();
    for path in PATHS {
        let once = profile(valgrind, program, path, TIMES)?;
        let twice = profile(valgrind, program, path, 2 * TIMES)?;
        counts.insert(path.to_owned(), each(once.instructions, twice.instructions));
        let allocations = each(once.allocations, twice.allocations);
        counts.insert(format!("{path}-allocations"), allocations);
    }
    let added = counts["acquire"].saturating_sub(counts["acquire-sqlx"]);
    counts.insert(ADDED.to_owned(), added);
    Ok(counts)
}

/// Takes `path` so many times under callgrind.
fn profile(valgrind: &Path, program: &Path, path: &str, times: u64) -> Result<Profile, Failure> {
    let folder = target_dir().join("bench");
    fs::create_dir_all(&folder).doing(format!("create {}", folder.display()))?;
    let output = folder.join("callgrind.out");
    let mut command = Command::new(valgrind);
    command
        .args(["--tool=callgrind", "--quiet"])
        .arg(format!("--callgrind-out-file={}", output.display()))
        .arg(program)
        .args([path, &times.to_string()])
        // What lies on the stack below `main` decides how some bytes are aligned, and so how they are copied.
        .env_clear()
        .env("GLIBC_TUNABLES", ANY_PROCESSOR);
    captured(&mut command)?;
    let text = fs::read_to_string(&output).doing(format!("read {}", output.display()))?;
    Profile::parse(&text)
        .ok_or_else(|| Failure::new(format!("{} is no profile of callgrind", output.display())))
}

/// Of one time, rounded, by those of [`TIMES`] and of twice as many.
fn each(once: u64, twice: u64) -> u64 {
    (twice.saturating_sub(once) + TIMES / 2) / TIMES
}

/// What makes counts comparable, by `rustc -vV`.
fn toolchain(version: &str) -> Result<String, Failure> {
    let mut lines = version.lines();
    let name = lines.next().filter(|line| line.starts_with("rustc "));
    let host = lines.find_map(|line| line.strip_prefix("host: "));
    match (name, host) {
        (Some(name), Some(host)) => Ok(format!("{name}, {host}, release")),
        _ => Err(Failure::new(format!("`rustc -vV` names no version and host: {version}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starting_and_ending_cancel_out() {
        assert_eq!(each(5_000_000 + 519 * TIMES, 5_000_000 + 519 * 2 * TIMES), 519);
        assert_eq!(each(0, TIMES - 1), 1);
    }

    #[test]
    fn a_toolchain_is_a_version_and_a_host() {
        let version = "rustc 1.95.0 (59807616e 2026-04-14)\nbinary: rustc\nhost: x86_64-unknown-linux-gnu\nrelease: 1.95.0\n";
        assert_eq!(
            toolchain(version).unwrap(),
            "rustc 1.95.0 (59807616e 2026-04-14), x86_64-unknown-linux-gnu, release"
        );
        assert!(toolchain("rustc").is_err());
    }

    #[test]
    fn what_is_recorded_covers_every_path() {
        let text = fs::read_to_string(root().join(FILE)).unwrap();
        let recorded: Recorded = serde_json::from_str(&text).unwrap();
        for (toolchain, counts) in &recorded {
            for path in PATHS {
                assert!(counts.contains_key(path), "{path} on {toolchain}");
                assert!(counts.contains_key(&format!("{path}-allocations")), "{path}, {toolchain}");
            }
            assert!(counts.contains_key(ADDED), "{toolchain}");
        }
    }
}
