//! What was measured on.

use std::process::Command;

use xtask::process::captured;

/// A few lines: processor, kernel, compiler, and how busy the machine was when it was asked.
pub(crate) fn describe() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let processor = read("/proc/cpuinfo")
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or(std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned());
    let load = read("/proc/loadavg");
    let load = load.split_whitespace().next().unwrap_or("unknown");
    format!(
        "- processor: {processor}, {cores} cores; load average {load}\n- system: {}\n- compiler: {}",
        output("uname", "-sr"),
        output("rustc", "--version"),
    )
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn output(program: &str, argument: &str) -> String {
    let output = captured(Command::new(program).arg(argument));
    output.map_or("unknown".to_owned(), |it| it.trim().to_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_compiler_is_named() {
        assert!(super::describe().contains("compiler: rustc "), "{}", super::describe());
    }
}
