//! Programs that run beside a tunnel: the settings that they get, and how they end.

pub(crate) mod address;
#[cfg(unix)]
#[path = "unix.rs"]
mod platform;
#[cfg(windows)]
#[path = "windows.rs"]
mod platform;
mod run;

pub(crate) use self::run::run;
