//! `lakebase man`: manual pages from the same description as the help.

use anyhow::Context as _;

use crate::cli::{Cli, Man};
use crate::output::print;

pub(crate) fn run(arguments: &Man) -> anyhow::Result<()> {
    let mut command = Cli::described();
    // Resolves what subcommands inherit.
    command.build();
    if let Some(folder) = &arguments.directory {
        return clap_mangen::generate_to(command, folder)
            .with_context(|| format!("cannot write manual pages to {}", folder.display()));
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    Ok(print(String::from_utf8(page)?)?)
}
