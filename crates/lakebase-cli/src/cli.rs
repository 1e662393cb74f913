//! What can be written on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Databricks Lakebase Postgres from the command line.
///
/// What no flag says comes from the environment (LAKEBASE_ENDPOINT, LAKEBASE_PROJECT, LAKEBASE_PG_URL,
/// DATABRICKS_HOST, PGDATABASE and so on) and from ~/.databrickscfg.
#[derive(Debug, Parser)]
#[command(name = "lakebase", version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags that every command takes.
#[derive(Args, Debug, Default)]
pub(crate) struct Global {
    /// Profile of ~/.databrickscfg.
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// Project, by id; its endpoint is found by type.
    #[arg(long, global = true, value_name = "ID")]
    pub(crate) project: Option<String>,
    /// Branch of the project, by id [default: production].
    #[arg(long, global = true, value_name = "ID")]
    pub(crate) branch: Option<String>,
    /// Endpoint, as projects/…/branches/…/endpoints/…
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) endpoint: Option<String>,
    /// Database [default: databricks_postgres].
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) database: Option<String>,
    /// Connection URL, instead of a project or endpoint; one with a password is better put into
    /// LAKEBASE_PG_URL, since other users of the machine can see flags.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// Postgres role [default: the name of the workspace identity].
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// Prints JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Wants a read-only endpoint.
    #[arg(long, global = true)]
    pub(crate) read_only: bool,
}

impl Cli {
    /// A flag about the connection, where the command makes none of the user's.
    pub(crate) fn unused_flag(&self) -> Option<&'static str> {
        let Global { profile, project, branch, endpoint, database, url, user, .. } = &self.global;
        match self.command {
            Command::Demo(_) | Command::Emulator(_) => [
                ("--profile", profile),
                ("--project", project),
                ("--branch", branch),
                ("--endpoint", endpoint),
                ("--database", database),
                ("--url", url),
                ("--user", user),
            ]
            .into_iter()
            .find_map(|(flag, value)| value.is_some().then_some(flag))
            .or(self.global.read_only.then_some("--read-only")),
            _ => None,
        }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs statements and prints their rows.
    Query(Query),
    /// Prints a living database token, which is the password for `psql` and the like.
    Token,
    /// Prints the connection URL.
    Url(Url),
    /// Lists the endpoints of the branch and marks the one that is connected to.
    Endpoints,
    /// Goes the way of a login step by step and names what is wrong.
    Doctor,
    /// Shows a pool under load through rotations, an outage, a wake-up and more; needs only a Postgres.
    Demo(Demo),
    /// Runs a workspace and its Postgres on loopback until standard input ends.
    Emulator(Emulator),
}

#[derive(Args, Debug)]
pub(crate) struct Url {
    /// Puts the token, or the native password, into the URL.
    #[arg(long)]
    pub(crate) with_token: bool,
}

/// Starts the emulator and runs a pool under load through token rotations, an outage of the credential API,
/// a suspended endpoint, a failing resolver and revoked tokens. Exit code 1 if any query failed.
#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// How long the load lasts, about.
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(5..=600))]
    pub(crate) seconds: u64,
}

#[derive(Args, Debug)]
pub(crate) struct Query {
    /// One statement, or several separated by semicolons.
    pub(crate) sql: String,
}

/// Prints one line of JSON when it is ready: addresses, names and secrets. The secrets are random and worth
/// nothing elsewhere. Ends with standard input, or on SIGINT or SIGTERM.
#[derive(Args, Debug)]
pub(crate) struct Emulator {
    /// Emulated seconds that pass in a real one.
    #[arg(long, value_name = "FACTOR")]
    pub(crate) acceleration: Option<f64>,
    /// Seconds of emulated time that database tokens live [default: 3600].
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) token_lifetime: Option<u64>,
    /// Seconds of emulated time without traffic after which an endpoint is suspended [default: never].
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) suspend_after: Option<u64>,
    /// Most entries on a page of a list [default: 1].
    #[arg(long, value_name = "ENTRIES", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) page_size: Option<u16>,
    /// Serves the workspace by HTTPS.
    #[arg(long)]
    pub(crate) https: bool,
    /// Folder with `postgres` and `initdb`.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) postgres_bin: Option<PathBuf>,
}
