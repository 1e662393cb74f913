//! What is asked of a connection's socket, and in which order the addresses of a host are tried.
//!
//! Plain data: whatever opens the socket applies it. `TCP_NODELAY` is always set and has no option.

use std::str::FromStr;
use std::time::Duration;

use crate::{Error, ErrorKind};

/// How a TCP connection notices that its other end is gone; without effect on Unix sockets.
///
/// Source: libpq's documentation, `keepalives`, `keepalives_idle`, `keepalives_interval`, `keepalives_count` and
/// `tcp_user_timeout`. The defaults are shorter than those of operating systems, which wait two hours: a peer that
/// vanished is noticed after a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TcpOptions {
    /// Probes of an idle connection; `None` sends none (libpq's `keepalives=0`). Default: [`Keepalive::default`].
    pub keepalive: Option<Keepalive>,
    /// How long sent data may stay without acknowledgement before the connection is given up; `None` leaves it to
    /// the system. To the millisecond. Default: 60 s. Only Linux has it.
    pub user_timeout: Option<Duration>,
}

impl Default for TcpOptions {
    fn default() -> Self {
        Self { keepalive: Some(Keepalive::default()), user_timeout: Some(Duration::from_secs(60)) }
    }
}

/// Probes that are sent while a connection is idle; what is `None` is left to the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Keepalive {
    /// Idle time before the first probe, in whole seconds. Default: 30 s.
    pub idle: Option<Duration>,
    /// Pause between probes that are not answered, in whole seconds. Default: 10 s.
    pub interval: Option<Duration>,
    /// Probes without an answer before the connection is given up. Default: 3.
    pub probes: Option<u32>,
}

impl Default for Keepalive {
    fn default() -> Self {
        Self {
            idle: Some(Duration::from_secs(30)),
            interval: Some(Duration::from_secs(10)),
            probes: Some(3),
        }
    }
}

/// In which order the addresses of one host are tried; libpq's `load_balance_hosts`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LoadBalanceHosts {
    /// In the order of the resolver's answer. The default.
    #[default]
    Disable,
    /// In a random order, for each connection anew.
    Random,
}

impl LoadBalanceHosts {
    /// The name that libpq uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Random => "random",
        }
    }
}

impl FromStr for LoadBalanceHosts {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        [Self::Disable, Self::Random].into_iter().find(|order| order.as_str() == text).ok_or_else(
            || {
                let message =
                    format!("{text:?} is not an order of hosts; accepted: disable, random");
                Error::new(ErrorKind::Config, message)
            },
        )
    }
}
