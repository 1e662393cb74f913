//! `lakebase completions`: what a shell reads to complete commands and flags.

use crate::cli::{Cli, Completions};
use crate::output::print;

pub(crate) fn run(arguments: &Completions) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::described(), "lakebase", &mut script);
    Ok(print(String::from_utf8(script)?)?)
}
