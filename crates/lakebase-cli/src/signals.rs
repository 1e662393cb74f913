//! The signals that ask the command to end.

use tokio::sync::watch;

/// How many signals have asked for the end.
pub(crate) fn signals() -> anyhow::Result<watch::Receiver<u32>> {
    let (sender, receiver) = watch::channel(0);
    #[cfg(unix)]
    {
        use anyhow::Context as _;
        use tokio::signal::unix::{SignalKind, signal};

        for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
            let mut signal = signal(kind).context("cannot listen to signals")?;
            let sender = sender.clone();
            tokio::spawn(async move {
                while signal.recv().await.is_some() {
                    sender.send_modify(|seen| *seen += 1);
                }
            });
        }
    }
    #[cfg(not(unix))]
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            sender.send_modify(|seen| *seen += 1);
        }
    });
    Ok(receiver)
}
