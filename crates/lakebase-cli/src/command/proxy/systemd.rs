//! Tells systemd how far the proxy is: for units with `Type=notify`.

/// A state that systemd is told of.
#[derive(Clone, Copy)]
pub(super) enum Stage {
    /// Clients are welcome.
    Ready,
    /// The end was asked for.
    Stopping,
}

/// Does nothing where `NOTIFY_SOCKET` is not set.
#[cfg(unix)]
pub(super) fn tell(stage: Stage) {
    use sd_notify::NotifyState;

    let state = match stage {
        Stage::Ready => NotifyState::Ready,
        Stage::Stopping => NotifyState::Stopping,
    };
    if let Err(error) = sd_notify::notify(false, &[state]) {
        crate::output::note(format!(
            "lakebase: NOTIFY_SOCKET: the service manager was not told: {error}"
        ));
    }
}

#[cfg(not(unix))]
pub(super) fn tell(_: Stage) {}
