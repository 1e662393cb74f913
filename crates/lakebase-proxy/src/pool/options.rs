//! The settings of a pool.

use std::time::Duration;

use lakebase_core::{Error, ErrorKind, Result};
use lakebase_session::liveness::{CHECK_AFTER_IDLE, IDLE_TIMEOUT, MAX_LIFETIME};

/// Where load balancers on the way begin to forget connections without telling (Azure's).
const FORGOTTEN: Duration = Duration::from_secs(4 * 60);
/// After this age the service may end any connection.
const OLDEST: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// How a listener keeps sessions at each of its servers; the defaults fit Lakebase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolOptions {
    /// The most sessions at once, in use or not. Default: 20; at least 1. The compute's size sets the limit on the server's
    /// side.
    pub size: usize,
    /// The number of sessions that stay open although they are idle. None is opened before a client needs it. Default: 0.
    pub min: usize,
    /// How long a client waits for its turn before it is rejected with SQLSTATE 53300. Default: 30 s. What a login then takes
    /// is not part of it.
    pub wait: Duration,
    /// How long a session may be idle before it is closed. Default: 3 min; below 4 min.
    pub idle_timeout: Duration,
    /// After which age, less a random tenth, a session is not used again. Default: 1 h; below 3 days. A session in use
    /// goes on.
    pub max_lifetime: Duration,
    /// After which time of being idle a session is asked whether it is alive before a client gets it, for at most 2 s.
    /// Default: 15 s.
    pub check_after_idle: Duration,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            size: 20,
            min: 0,
            wait: Duration::from_secs(30),
            idle_timeout: IDLE_TIMEOUT,
            max_lifetime: MAX_LIFETIME,
            check_after_idle: CHECK_AFTER_IDLE,
        }
    }
}

impl PoolOptions {
    /// Whether all of it makes sense.
    pub(crate) fn check(&self) -> Result<()> {
        let refuse = |message: String| Err(Error::new(ErrorKind::Config, message));
        let Self { size, min, idle_timeout, max_lifetime, .. } = *self;
        if size == 0 {
            return refuse("the size of a pool is 0; accepted: 1 or more".to_owned());
        }
        if min > size {
            return refuse(format!(
                "a pool of {size} cannot keep {min} sessions; accepted: up to its size"
            ));
        }
        if idle_timeout >= FORGOTTEN {
            return refuse(format!(
                "the idle time-out of a pool is {idle_timeout:?}; accepted: below {FORGOTTEN:?}, when load balancers begin \
                 to forget connections"
            ));
        }
        if max_lifetime >= OLDEST {
            return refuse(format!(
                "the lifetime of a pool's sessions is {max_lifetime:?}; accepted: below {OLDEST:?}, when the service may end \
                 them"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_refused() {
        let default = PoolOptions::default();
        assert!(default.check().is_ok());
        for (wrong, said) in [
            (PoolOptions { size: 0, ..default }, "1 or more"),
            (PoolOptions { min: 21, ..default }, "up to its size"),
            (PoolOptions { idle_timeout: FORGOTTEN, ..default }, "below 240s"),
            (PoolOptions { max_lifetime: OLDEST, ..default }, "below 259200s"),
        ] {
            let error = wrong.check().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(said), "{error}");
        }
    }
}
