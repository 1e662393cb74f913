//! The command `lakebase`: for people on a terminal and for scripts.
//!
//! Invariants: results go to standard output and everything else to standard error; the exit code is 0 for
//! success, 1 for failure and 2 for wrong usage; an error is one line with all its causes; a reader that
//! goes away ends the command without a word. Colours and lines that are drawn over go to terminals only, and
//! colours never where `NO_COLOR` is set.

mod cli;
mod command;
#[cfg(unix)]
mod demo;
mod failure;
mod log;
mod output;
mod process;
mod progress;
mod settings;
mod signals;

use anyhow::Context;

use crate::cli::{Cli, Command};

fn main() {
    let cli = Cli::read();
    if cli.global.quiet {
        output::keep_quiet();
    }
    match (cli.log_format(), cli.global.verbose) {
        (Some(format), verbose) => log::keep(format, level(cli.global.quiet, verbose)),
        (None, true) => log::be_verbose(),
        (None, false) => {}
    }
    // All is dropped by now. Windows' exit codes have 32 bits, and those of programs are passed on whole.
    std::process::exit(run(&cli).unwrap_or_else(|error| failure::report(&error)));
}

/// How much a log holds.
fn level(quiet: bool, verbose: bool) -> tracing::Level {
    match (quiet, verbose) {
        (true, _) => tracing::Level::WARN,
        (_, true) => tracing::Level::DEBUG,
        _ => tracing::Level::INFO,
    }
}

/// Runs the command on two threads: one for the work, one for whatever blocks it.
///
/// A proxy gets one for every two cores: on two cores, with eight clients of pgbench, one thread carries 14 % more than
/// two, which wake each other (row `proxy` of the benchmarks).
fn run(cli: &Cli) -> anyhow::Result<i32> {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let threads = if matches!(cli.command, Command::Proxy(_)) { (cores / 2).max(1) } else { 2 };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let result = runtime.block_on(dispatch(cli));
    // A name look-up that hangs must not keep the process.
    runtime.shutdown_background();
    result
}

async fn dispatch(cli: &Cli) -> anyhow::Result<i32> {
    let global = &cli.global;
    match &cli.command {
        Command::Query(args) => command::query::run(global, args).await?,
        Command::Token => command::token::run(global).await?,
        Command::Url(args) => command::url::run(global, args).await?,
        Command::Proxy(args) => return command::proxy::run(global, args).await,
        Command::Endpoints => command::endpoints::run(global).await?,
        Command::Doctor => return command::doctor::run(global).await,
        Command::Completions(args) => command::completions::run(args)?,
        Command::Man(args) => command::man::run(args)?,
        Command::Emulator(args) => command::emulator::run(args).await?,
        #[cfg(unix)]
        Command::Demo(args) => return demo::run(global, args).await,
        Command::Psql(args) => return command::psql::run_psql(global, args).await,
        Command::Exec(args) => return command::exec::run_command(global, args).await,
        #[cfg(not(unix))]
        Command::Demo(_) => {
            anyhow::bail!("the demo needs Unix: run it on Linux or macOS, or in WSL")
        }
    }
    Ok(0)
}
