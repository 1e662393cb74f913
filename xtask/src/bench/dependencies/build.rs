//! Builds from nothing, and the processor time that they take.

use std::fs;
use std::process::Command;

use crate::process::captured;
use crate::system::{Doing, Failure, target_dir};

/// Units of processor time in a second, which Linux promises to programs on every architecture that Rust has a compiler on (`USER_HZ`).
const TICKS: f64 = 100.0;

/// Settings that make builds alike: cargo's own for development, without what it does only for packages of a workspace, and without the network.
const ALIKE: &[(&str, &str)] = &[
    ("CARGO_INCREMENTAL", "0"),
    ("CARGO_PROFILE_DEV_DEBUG", "2"),
    ("CARGO_NET_OFFLINE", "true"),
    ("RUSTC_WRAPPER", ""),
];

/// Seconds of processor time, user and system, of `build`, a `cargo build`, into an empty target folder.
pub(super) fn cold(mut build: Command) -> Result<f64, Failure> {
    let target = target_dir().join("bench/cold");
    let empty = || match fs::remove_dir_all(&target) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).doing(format!("empty {}", target.display()))
        }
        _ => Ok(()),
    };
    empty()?;
    build.envs(ALIKE.iter().copied()).env("CARGO_TARGET_DIR", &target);
    let before = children()?;
    captured(&mut build)?;
    let time = children()? - before;
    empty()?;
    Ok(time)
}

/// Seconds of processor time that ended children took, and theirs.
fn children() -> Result<f64, Failure> {
    let path = "/proc/self/stat";
    let stat = fs::read_to_string(path).doing(format!("read processor times from {path}"))?;
    let ticks = of_children(&stat)
        .ok_or_else(|| Failure::new(format!("{path} names no processor times: {stat}")))?;
    Ok(ticks / TICKS)
}

/// User and system time of children that were waited for: fields 16 and 17 of `stat`, counted after the name, which may hold anything.
fn of_children(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let times: Vec<f64> = fields.split_whitespace().skip(13).take(2).flat_map(str::parse).collect();
    (times.len() == 2).then(|| times.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_kernel_are_read() {
        let stat = "42 (a ) b) S 1 42 42 0 -1 4194560 1 2 3 4 10 20 30 40 20 0 1 0 5";
        assert_eq!(of_children(stat), Some(70.0));
        assert_eq!(of_children("42 (x) S 1"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_children_took_never_shrinks() {
        let before = children().unwrap();
        assert!(Command::new("true").status().unwrap().success());
        assert!(children().unwrap() >= before);
    }
}
