//! `cargo xtask`: the library of the same name, as a program.

use std::process::ExitCode;

fn main() -> ExitCode {
    xtask::main("xtask", xtask::dispatch)
}
