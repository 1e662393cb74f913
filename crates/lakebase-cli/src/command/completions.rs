//! `lakebase completions`: what a shell reads to complete commands and flags.

use crate::cli::{Cli, Completions};
use crate::output::Output;

pub(crate) fn run(arguments: &Completions) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::described(), "lakebase", &mut script);
    let mut output = Output::stdout();
    output.text(String::from_utf8(script)?)?;
    Ok(output.flush()?)
}
