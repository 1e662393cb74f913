//! Options of a TCP connection, and the order in which the addresses of a host are tried.
//!
//! The dialer applies them. It always sets `TCP_NODELAY`, which has no option.

use std::str::FromStr;
use std::time::Duration;

use crate::{Error, ErrorKind};

/// How a TCP connection detects that its peer is gone. Has no effect on Unix sockets.
///
/// Source: libpq's documentation, `keepalives`, `keepalives_idle`, `keepalives_interval`, `keepalives_count` and
/// `tcp_user_timeout`. With the defaults a lost peer is detected after a minute; operating systems wait two hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TcpOptions {
    /// Probes of an idle connection; `None` sends none (libpq's `keepalives=0`). Default: [`Keepalive::default`].
    pub keepalive: Option<Keepalive>,
    /// How long sent data may stay unacknowledged before the connection is closed, in whole milliseconds; `None` is the
    /// system's default. Linux only. Default: 60 s.
    pub user_timeout: Option<Duration>,
}

impl Default for TcpOptions {
    fn default() -> Self {
        Self { keepalive: Some(Keepalive::default()), user_timeout: Some(Duration::from_secs(60)) }
    }
}

/// Probes of an idle connection. `None` is the system's default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Keepalive {
    /// Idle time before the first probe, in whole seconds. Default: 30 s.
    pub idle: Option<Duration>,
    /// Pause between unanswered probes, in whole seconds. Default: 10 s.
    pub interval: Option<Duration>,
    /// Unanswered probes before the connection is closed. Default: 3.
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

/// The order in which the addresses of one host are tried; libpq's `load_balance_hosts`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LoadBalanceHosts {
    /// In the order of the resolver's answer. The default.
    #[default]
    Disable,
    /// In a random order, which differs per connection.
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
