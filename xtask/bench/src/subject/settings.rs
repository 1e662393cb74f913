//! The settings of a subject: variables of its process.

use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use lakebase::sqlx::postgres::{PgConnectOptions, PgSslMode};

use crate::relay::Relay;

/// The variable `name`, if it is set.
pub(super) fn maybe(name: &str) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a subject is a program of its own and reads its own environment"
    )]
    std::env::var(name).ok()
}

/// The variable `name`.
pub(super) fn get<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(
    name: &str,
) -> Result<T> {
    let value = maybe(name).with_context(|| format!("{name} is not set"))?;
    value.parse().with_context(|| format!("{name} is not what it should be"))
}

/// How many connections a pool holds.
pub(super) fn connections() -> Result<u32> {
    get("BENCH_CONNECTIONS")
}

/// After what time connections are replaced; sqlx's own default is half an hour.
pub(super) fn lifetime() -> Result<Duration> {
    maybe("BENCH_LIFETIME_MS").map_or(Ok(Duration::from_secs(1_800)), |_| {
        get("BENCH_LIFETIME_MS").map(Duration::from_millis)
    })
}

/// The connect options of plain sqlx for the server that the variables name, without a password.
///
/// sqlx has no setting for an address. Where one is given it gets a socket that stands in front of it.
pub(crate) fn sqlx(
    variable: impl Fn(&str) -> Option<String>,
) -> Result<(PgConnectOptions, Option<Relay>)> {
    let get = |name| variable(name).with_context(|| format!("{name} is not set"));
    let port = get("PGPORT")?.parse().context("PGPORT is not what it should be")?;
    let options = PgConnectOptions::new_without_pgpass()
        .host(&get("PGHOST")?)
        .port(port)
        .username(&get("PGUSER")?)
        .database(&get("PGDATABASE")?)
        .ssl_mode(PgSslMode::VerifyFull)
        .ssl_root_cert(get("PGSSLROOTCERT")?);
    let Some(address) = variable("PGHOSTADDR") else { return Ok((options, None)) };
    let target = (address.parse::<std::net::IpAddr>()?, port).into();
    let relay = Relay::open(port, target)?;
    Ok((options.socket(relay.directory()), Some(relay)))
}
