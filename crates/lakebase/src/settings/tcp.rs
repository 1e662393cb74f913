//! The TCP parameters of a connection string.

use std::time::Duration;

use lakebase_core::Error;
use lakebase_core::connect::{Keepalive, LoadBalanceHosts, TcpOptions};

use super::Settings;

impl Settings<'_> {
    /// `keepalives` with its relatives, and `tcp_user_timeout`.
    pub(crate) fn tcp(&self) -> Result<TcpOptions, Error> {
        let default = TcpOptions::default();
        let keepalive = match self.number("keepalives", "1 for probes, 0 for none")? {
            Some(0) => None,
            _ => Some(self.keepalive(default.keepalive.unwrap_or_default())?),
        };
        let millis = |millis: u32| Duration::from_millis(millis.into());
        let accepted = "whole milliseconds, 0 for the system's";
        let user_timeout =
            self.or_system("tcp_user_timeout", accepted, millis, default.user_timeout)?;
        Ok(TcpOptions { keepalive, user_timeout })
    }

    fn keepalive(&self, default: Keepalive) -> Result<Keepalive, Error> {
        let seconds = |name, default| {
            let accepted = "whole seconds, 0 for the system's";
            self.or_system(name, accepted, |it| Duration::from_secs(it.into()), default)
        };
        let accepted = "a number of probes, 0 for the system's";
        Ok(Keepalive {
            idle: seconds("keepalives_idle", default.idle)?,
            interval: seconds("keepalives_interval", default.interval)?,
            probes: self.or_system("keepalives_count", accepted, |it| it, default.probes)?,
        })
    }

    /// What `unit` makes of the number `name`; `None` for 0, which leaves it to the system.
    fn or_system<T>(
        &self,
        name: &str,
        accepted: &str,
        unit: impl FnOnce(u32) -> T,
        default: Option<T>,
    ) -> Result<Option<T>, Error> {
        Ok(match self.number(name, accepted)? {
            Some(0) => None,
            Some(number) => Some(unit(number)),
            None => default,
        })
    }

    pub(crate) fn load_balance_hosts(&self) -> Result<LoadBalanceHosts, Error> {
        Ok(self.read("load_balance_hosts", |text| text.parse())?.unwrap_or_default())
    }

    fn number(&self, name: &str, accepted: &str) -> Result<Option<u32>, Error> {
        self.read(name, |text| {
            // The type of the parameter in C.
            let number = text.parse::<i32>().ok().and_then(|it| u32::try_from(it).ok());
            number.ok_or_else(|| {
                format!("{text:?} is not one of 0 to 2147483647; accepted: {accepted}")
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use lakebase_core::Environment;

    use super::*;

    fn of<T>(
        parameters: &str,
        read: impl Fn(&Settings<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let url = format!("postgresql://u@h/d?{parameters}");
        let environment = Environment::from_pairs([("LAKEBASE_PG_URL", url)]);
        let explicit = BTreeMap::new();
        read(&Settings::new(&explicit, &environment)?)
    }

    #[test]
    fn keepalives_have_defaults_can_be_set_and_left_to_the_system() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let expected = |idle, interval, probes, user_timeout| TcpOptions {
            keepalive: Some(Keepalive { idle, interval, probes }),
            user_timeout,
        };
        for (parameters, options) in [
            ("", TcpOptions::default()),
            ("", expected(seconds(30), seconds(10), Some(3), seconds(60))),
            ("keepalives=1", TcpOptions::default()),
            ("keepalives=0", TcpOptions { keepalive: None, ..TcpOptions::default() }),
            (
                "keepalives_idle=5&keepalives_interval=2&keepalives_count=9&tcp_user_timeout=1500",
                expected(seconds(5), seconds(2), Some(9), Some(Duration::from_millis(1500))),
            ),
            (
                "keepalives_idle=0&keepalives_interval=0&keepalives_count=0&tcp_user_timeout=0",
                expected(None, None, None, None),
            ),
        ] {
            assert_eq!(of(parameters, |it| it.tcp()).unwrap(), options, "{parameters}");
        }
    }

    #[test]
    fn what_is_not_a_number_is_refused_by_name() {
        for (name, value, accepted) in [
            ("keepalives", "on", "one of 0 to 2147483647; accepted: 1"),
            ("keepalives_idle", "-1", ""),
            ("keepalives_count", "2147483648", ""),
            ("tcp_user_timeout", "5s", "one of 0 to 2147483647; accepted: whole milliseconds"),
        ] {
            let error = of(&format!("{name}={value}"), |it| it.tcp()).unwrap_err().to_string();
            let message =
                format!("{name} (in the URL of LAKEBASE_PG_URL): {value:?} is not {accepted}");
            assert!(error.starts_with(&message), "{error}");
        }
        let error =
            of("load_balance_hosts=yes", |it| it.load_balance_hosts()).unwrap_err().to_string();
        assert!(
            error.ends_with("\"yes\" is not an order of hosts; accepted: disable, random"),
            "{error}"
        );
        let random = of("load_balance_hosts=random", |it| it.load_balance_hosts()).unwrap();
        assert_eq!(random, LoadBalanceHosts::Random);
    }
}
