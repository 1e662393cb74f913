//! No test: says in the output of `cargo test` which tests that leaves out.
//!
//! Without cargo's harness, because the output of a test that passes is hidden.

#![expect(clippy::print_stdout, reason = "it exists to be read")]

/// Cells of the test matrix that `cargo test` has nothing of, and what they add. `xtask` checks the names.
const CELLS: &[(&str, &str)] = &[
    (
        "wasm32",
        "core for WebAssembly; the cells `wasm*`: the npm package in Node, workerd, Deno, Bun and Chromium",
    ),
    ("windows", "the command and unit tests in Wine"),
    ("macos", "lints for macOS"),
    ("linux-targets", "lints for other processors"),
    ("musl", "the static command"),
    (
        "python",
        "the official client for Python; `node`, `identity`, `proxy-clients`: other clients",
    ),
    ("drivers", "drivers and migration tools that have no crate here"),
    ("outside", "programs outside the workspace"),
    ("fuzz-replay", "the seeds of the fuzz targets"),
];

/// Features of this package, whether they are on, the cell that turns them on, and what they add.
const FEATURES: &[(&str, bool, &str, &str)] = &[
    ("tokio", cfg!(feature = "tokio"), "tokio", "every pattern on tokio"),
    ("async-std", cfg!(feature = "async-std"), "async-std", "every pattern on async-std"),
    ("smol", cfg!(feature = "smol"), "smol", "every pattern on smol"),
    ("http-reqwest", cfg!(feature = "http-reqwest"), "tokio-reqwest", "HTTP by reqwest"),
    ("http-surf", cfg!(feature = "http-surf"), "all-surf", "HTTP by surf"),
    ("proxies", cfg!(feature = "proxies"), "proxies", "logins through tinyproxy and microsocks"),
    ("netns", cfg!(feature = "netns"), "netns", "packets that are lost; needs root"),
    ("soak", cfg!(feature = "soak"), "soak", "a thousand rotations; takes minutes"),
];

/// Programs without which a test of the command checks less, and what it does not check then.
const PROGRAMS: &[(&str, &str)] = &[
    ("zsh", "the completions for zsh"),
    ("fish", "the completions for fish"),
    ("groff", "the layout of the manual pages"),
    ("systemd-analyze", "the systemd unit"),
];

fn main() {
    // What lists tests understands nothing else.
    if std::env::args().any(|argument| argument == "--list") {
        return;
    }
    println!("\nleft out, each a cell of `cargo xtask test-matrix --cell NAME`:");
    for (_, _, cell, what) in FEATURES.iter().filter(|(_, is_on, ..)| !is_on) {
        println!("  {cell:<14} {what}");
    }
    for (cell, what) in CELLS {
        println!("  {cell:<14} {what}");
    }
    for (program, what) in PROGRAMS.iter().filter(|(program, _)| !is_installed(program)) {
        println!("not checked, because {program} is not installed: {what}");
    }
    println!();
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
