//! `lakebase emulator`: a workspace and its Postgres on loopback, for clients in any language.

use crate::cli::Emulator as Arguments;

/// Runs until standard input ends or a signal asks for the end.
///
/// Killing the process is fine, too: Postgres notices and ends.
#[cfg(unix)]
pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut signals = crate::signals::signals()?;
    let stdin = unix::end_of_stdin()?;
    let config = unix::config(arguments);
    // Starting blocks for about a second. An end that is asked for meanwhile is noticed after it, so that
    // nothing is left half started.
    let emulator = tokio::task::spawn_blocking(move || config.start()).await??;
    crate::output::print_json(emulator.description())?;
    tokio::select! {
        _ = signals.wait_for(|seen| *seen > 0) => {}
        _ = stdin => {}
    }
    tokio::task::spawn_blocking(move || drop(emulator)).await?;
    Ok(())
}

#[cfg(not(unix))]
pub(crate) async fn run(_: &Arguments) -> anyhow::Result<()> {
    anyhow::bail!("the emulator needs Unix: run it on Linux or macOS, or in WSL")
}

#[cfg(unix)]
mod unix {
    use std::io;
    use std::time::Duration;

    use anyhow::Context;
    use lakebase_emulator::{Config, Emulator};
    use tokio::sync::oneshot;

    use super::Arguments;

    /// Reads standard input to its end on a thread of its own, which never keeps the process.
    pub(super) fn end_of_stdin() -> anyhow::Result<oneshot::Receiver<()>> {
        let (sender, receiver) = oneshot::channel();
        std::thread::Builder::new()
            .name("lakebase-stdin".to_owned())
            .spawn(move || {
                let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
                let _ = sender.send(());
            })
            .context("cannot start a thread")?;
        Ok(receiver)
    }

    pub(super) fn config(arguments: &Arguments) -> Config {
        let mut config = Emulator::builder().https(arguments.https);
        if let Some(factor) = arguments.acceleration {
            config = config.acceleration(factor);
        }
        if let Some(seconds) = arguments.token_lifetime {
            config = config.database_token_lifetime(Duration::from_secs(seconds));
        }
        if let Some(seconds) = arguments.suspend_after {
            config = config.suspend_after(Duration::from_secs(seconds));
        }
        if let Some(entries) = arguments.page_size {
            config = config.page_size(entries.into());
        }
        if let Some(folder) = &arguments.postgres_bin {
            config = config.postgres_bin(folder);
        }
        config
    }
}
