//! Processor time and memory of a process and its children, from `/proc`.

use std::fs;

use anyhow::{Context as _, Result};

/// Units of processor time in a second, which Linux promises to programs on every architecture that Rust has a server on (`USER_HZ`).
const TICKS: f64 = 100.0;

/// Seconds of processor time that `process`, its children, and their ended children took.
pub(crate) fn processor(process: u32) -> Result<f64> {
    let mut ticks = 0.0;
    for process in family(process) {
        // A child may end meanwhile; its parent then answers for it.
        let Ok(stat) = fs::read_to_string(format!("/proc/{process}/stat")) else { continue };
        let [own, ended] =
            times(&stat).with_context(|| format!("cannot read the times of process {process}"))?;
        ticks += own + ended;
    }
    Ok(ticks / TICKS)
}

/// Seconds of processor time that ended children of this process took, and theirs.
pub(crate) fn ended_children() -> Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat").context("cannot read processor times")?;
    let [_, ended] = times(&stat).with_context(|| format!("no processor times: {stat}"))?;
    Ok(ended / TICKS)
}

/// Kilobytes of memory of `process` and its children; what processes share is divided between them (proportional set size).
pub(crate) fn memory(process: u32) -> Result<f64> {
    let mut kilobytes = 0.0;
    for process in family(process) {
        let Ok(rollup) = fs::read_to_string(format!("/proc/{process}/smaps_rollup")) else {
            continue;
        };
        kilobytes += proportional(&rollup)
            .with_context(|| format!("cannot read the memory of process {process}"))?;
    }
    Ok(kilobytes)
}

/// User and system time together, own and of children that were waited for: fields 14 to 17 of `stat`, counted after the name, which may hold anything.
fn times(stat: &str) -> Option<[f64; 2]> {
    let (_, fields) = stat.rsplit_once(')')?;
    let times: Vec<f64> = fields.split_whitespace().skip(11).take(4).flat_map(str::parse).collect();
    let [user, system, children_user, children_system] = times[..] else { return None };
    Some([user + system, children_user + children_system])
}

fn proportional(rollup: &str) -> Option<f64> {
    let value = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    value.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// A process and those that it started itself.
fn family(process: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
    let children = children.unwrap_or_default();
    let children = children.split_whitespace().filter_map(|child| child.parse().ok());
    std::iter::once(process).chain(children).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_kernel_are_read() {
        let stat = "42 (a ) b) S 1 42 42 0 -1 4194560 1 2 3 4 10 20 30 40 20 0 1 0 5";
        assert_eq!(times(stat), Some([30.0, 70.0]));
        assert_eq!(times("42 (x) S 1"), None);
        assert_eq!(proportional("00-ff ---p [rollup]\nRss:  900 kB\nPss:  512 kB\n"), Some(512.0));
        assert_eq!(proportional("Rss: 900 kB"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_takes_memory() {
        assert!(memory(std::process::id()).unwrap() > 100.0);
        assert!(processor(std::process::id()).unwrap() >= 0.0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_children_took_never_shrinks() {
        let before = ended_children().unwrap();
        assert!(std::process::Command::new("true").status().unwrap().success());
        assert!(ended_children().unwrap() >= before);
    }
}
