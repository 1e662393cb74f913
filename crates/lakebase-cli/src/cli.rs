//! The arguments of the command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::log::Format;
use clap_complete::Shell;

const EXAMPLES: &str = "Examples:
  lakebase query \"select 1\" --project shop     runs a statement in the project's main branch
  lakebase doctor                              says what is wrong if that does not work
  lakebase help query                          shows the help of one command";

/// Headings of the help. The command's own flags stand first, below "Options".
const CONNECTION: &str = "Connection";
const OUTPUT: &str = "Output";
const ACCESS: &str = "Access";
const LIMITS: &str = "Limits";
const POOL: &str = "Pool";

/// Databricks Lakebase Postgres from the command line.
///
/// A setting without a flag is read from the environment (LAKEBASE_ENDPOINT, LAKEBASE_PROJECT,
/// LAKEBASE_PG_URL, DATABRICKS_HOST, PGDATABASE and others) and from ~/.databrickscfg.
#[derive(Debug, Parser)]
#[command(name = "lakebase", version, propagate_version = true, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags that every command takes.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = CONNECTION)]
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
    /// Connection URL, instead of a project or endpoint. Other users of the machine can see flags: put
    /// a URL with a password into LAKEBASE_PG_URL.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// Postgres role [default: the name of the workspace identity].
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// Connects to a read-only endpoint.
    #[arg(long, global = true)]
    pub(crate) read_only: bool,
    /// Prints JSON.
    #[arg(long, global = true, help_heading = OUTPUT)]
    pub(crate) json: bool,
    /// Writes only errors to standard error.
    #[arg(long, short, global = true, help_heading = OUTPUT)]
    pub(crate) quiet: bool,
    /// Writes each request and its answer to standard error, without secrets.
    #[arg(long, short, global = true, help_heading = OUTPUT, conflicts_with = "quiet")]
    pub(crate) verbose: bool,
}

impl Cli {
    /// The form of the log, where one is wanted.
    pub(crate) fn log_format(&self) -> Option<Format> {
        match &self.command {
            Command::Proxy(arguments) => arguments.log_format,
            _ => None,
        }
    }

    /// The command line, as clap knows it; the help of a command lists only flags that it takes.
    pub(crate) fn described() -> clap::Command {
        let all = Self::command();
        let names: Vec<String> = all.get_subcommands().map(|it| it.get_name().to_owned()).collect();
        names.into_iter().fold(all, |all, name| {
            let flags = all.get_arguments().filter(|flag| !takes(&name, flag));
            let hidden: Vec<Arg> = flags.map(|flag| flag.clone().hide(true)).collect();
            all.mut_subcommand(name, |command| command.args(hidden))
        })
    }

    /// What was written on the command line. Ends the process with 2 for wrong usage, and with 0 after printing help or the
    /// version.
    pub(crate) fn read() -> Self {
        let mut all = Self::described();
        let matches = all.get_matches_mut();
        let unused = matches.subcommand().and_then(|(name, given)| {
            all.get_arguments().find(|flag| {
                let source = given.value_source(flag.get_id().as_str());
                !takes(name, flag) && source == Some(ValueSource::CommandLine)
            })
        });
        if let Some(flag) = unused.and_then(Arg::get_long) {
            let problem = format!("--{flag} has no meaning for this command");
            all.error(ErrorKind::ArgumentConflict, problem).exit();
        }
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }
}

/// Whether a command takes a flag of [`Global`]. It would ignore a setting of the connection if it opens none, and the form of
/// the output if it runs another program.
fn takes(command: &str, flag: &Arg) -> bool {
    let is_connection = flag.get_help_heading() == Some(CONNECTION);
    let is_json = flag.get_id() == "json";
    match command {
        "psql" | "exec" => !is_json,
        "demo" | "emulator" => !is_connection,
        "completions" | "man" => !is_connection && !is_json,
        _ => true,
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs statements and prints their rows.
    Query(Query),
    /// Prints a fresh database token, which is the password for `psql` and other clients.
    #[command(after_help = "Examples:
  lakebase token --project shop
  lakebase token --json                        with its expiry, the host and the role")]
    Token,
    /// Prints the connection URL.
    Url(Url),
    /// Listens locally and logs any Postgres client in, with fresh tokens.
    Proxy(Proxy),
    /// Starts psql on the database, without a password.
    Psql(Psql),
    /// Runs a program with PGHOST, PGPORT, PGUSER and PGDATABASE set to a private address.
    Exec(Exec),
    /// Lists the endpoints of the branch and marks the one in use.
    #[command(after_help = "Examples:
  lakebase endpoints --project shop
  lakebase endpoints --project shop --branch dev --json")]
    Endpoints,
    /// Checks each step of a login, and says what is wrong and what to do.
    ///
    /// Steps: the configuration with the origin of each value, the workspace, its clock, the identity, the
    /// endpoint, a credential, the host's addresses, TCP, TLS, the login, the role, a query. Exit code 1 if
    /// a step failed. With --json one object: ok, fault, settings, and steps with name, verdict (ok, failed
    /// or skipped), seconds, detail, fault and advice.
    #[command(after_help = "Examples:
  lakebase doctor
  lakebase doctor --json --endpoint projects/shop/branches/dev/endpoints/primary
  lakebase doctor --verbose                    shows each request as well")]
    Doctor,
    /// Shows a pool under load through rotations, an outage and a wake-up; needs only a Postgres.
    Demo(Demo),
    /// Runs a workspace and its Postgres on loopback until standard input ends.
    Emulator(Emulator),
    /// Prints the completion script of a shell.
    Completions(Completions),
    /// Prints the manual page.
    #[command(hide = true)]
    Man(Man),
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  lakebase url --project shop
  lakebase url --with-token                    for a client that takes only a URL; valid for an hour")]
pub(crate) struct Url {
    /// Puts the token, or the native password, into the URL.
    #[arg(long)]
    pub(crate) with_token: bool,
}

/// Starts the emulator and runs a pool under load through token rotations, an outage of the credential API,
/// a suspended endpoint, a failing resolver and revoked tokens. Exit code 1 if any query failed.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  lakebase demo
  lakebase demo --seconds 60 --json")]
pub(crate) struct Demo {
    /// Approximate length of the load.
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(5..=600))]
    pub(crate) seconds: u64,
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  lakebase query \"select now()\" --project shop
  lakebase query --json \"select * from orders; select count(*) from orders\"
  lakebase query \"select 1\" --url postgresql://me@localhost/db")]
pub(crate) struct Query {
    /// One statement, or several separated by semicolons.
    pub(crate) sql: String,
}

/// psql connects to a private address of this command, which logs in for it: a Unix socket, on Windows a port of
/// 127.0.0.1 with a random password. Arguments after -- are passed to psql. psql is searched for in
/// LAKEBASE_PSQL, PATH and the usual folders. Its exit code is returned.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  lakebase psql --project shop
  lakebase psql -- -c \"select now()\"
  lakebase psql --branch dev -- --csv -f report.sql")]
pub(crate) struct Psql {
    /// Arguments for psql.
    #[arg(last = true, value_name = "ARGUMENTS")]
    pub(crate) arguments: Vec<OsString>,
}

/// The address is a private Unix socket that lives as long as the program. Each connection to it is logged in
/// with a fresh token. The program gets PGHOST, PGPORT, PGUSER, PGDATABASE and PGSSLMODE=disable. Variables
/// that contradict them, and the secrets of this command, are removed. The exit code of the program is
/// returned: 128 plus the signal's number if it was killed, 127 if it was not found. On Windows
/// --tcp is always on.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  lakebase exec --project shop -- pg_dump --format custom --file shop.dump
  lakebase exec --url-variable DATABASE_URL -- diesel migration run
  lakebase exec --tcp -- java -jar report.jar  for clients without Unix sockets")]
pub(crate) struct Exec {
    /// Uses a port of 127.0.0.1 instead, with a random password in a private file (PGPASSFILE), because other
    /// users can reach the port.
    #[arg(long)]
    pub(crate) tcp: bool,
    /// Sets this variable to a connection URL as well. With --tcp it holds the password, which is invalid once
    /// the program has ended.
    #[arg(long, value_name = "NAME", value_parser = variable_name)]
    pub(crate) url_variable: Option<String>,
    /// Passes DATABRICKS_CLIENT_SECRET, DATABRICKS_TOKEN and other secrets to the program.
    #[arg(long)]
    pub(crate) pass_credentials: bool,
    /// The program and its arguments.
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "COMMAND"
    )]
    pub(crate) command: Vec<OsString>,
}

fn variable_name(text: &str) -> Result<String, String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match text.chars().all(is_word) && text.starts_with(|c: char| !c.is_ascii_digit()) {
        true => Ok(text.to_owned()),
        false => Err("accepted: letters, digits and _, not beginning with a digit".to_owned()),
    }
}

/// Prints one line of JSON when it is ready: addresses, names and secrets. The secrets are random and valid
/// only here. Ends when standard input closes, or on SIGINT or SIGTERM.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  lakebase emulator
  lakebase emulator --acceleration 60 --suspend-after 300")]
pub(crate) struct Emulator {
    /// Emulated seconds per real second.
    #[arg(long, value_name = "FACTOR")]
    pub(crate) acceleration: Option<f64>,
    /// Life of database tokens in emulated seconds [default: 3600].
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) token_lifetime: Option<u64>,
    /// Emulated seconds without traffic until an endpoint is suspended [default: never].
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) suspend_after: Option<u64>,
    /// Maximum entries on a page of a list [default: 1].
    #[arg(long, value_name = "ENTRIES", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) page_size: Option<u16>,
    /// Serves the workspace by HTTPS.
    #[arg(long)]
    pub(crate) https: bool,
    /// Folder with `postgres` and `initdb`.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) postgres_bin: Option<PathBuf>,
}

/// Writes the script to standard output. The shell reads it at start-up.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  lakebase completions bash > ~/.local/share/bash-completion/completions/lakebase
  lakebase completions zsh > ~/.zfunc/_lakebase
  lakebase completions fish > ~/.config/fish/completions/lakebase.fish")]
pub(crate) struct Completions {
    /// The shell.
    pub(crate) shell: Shell,
}

/// Writes the page of `lakebase`, in roff, to standard output.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  lakebase man > lakebase.1
  lakebase man --directory /usr/local/share/man/man1")]
pub(crate) struct Man {
    /// Writes the pages of all commands into this folder instead.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) directory: Option<PathBuf>,
}

/// Clients connect to a local address without a password. The proxy logs them in over verified TLS, with a
/// fresh token, and waits until a suspended compute is awake. TARGET is projects/…/branches/… or
/// projects/…/branches/…/endpoints/…; the default comes from the other flags and the environment.
///
/// The client's user name does not matter. Other users of this machine can reach TCP addresses: use
/// --unix-socket or --password-file on a shared machine. SIGTERM and SIGINT wait for sessions to end; a
/// second one ends them.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  lakebase proxy                                     then: psql -h 127.0.0.1 -p 6432
  lakebase proxy --unix-socket ~/.lakebase           then: psql -h ~/.lakebase
  lakebase proxy --listen 127.0.0.1:6432=projects/shop/branches/production \\
                 --listen 127.0.0.1:6433=projects/shop/branches/staging
  lakebase proxy --route user:staging=projects/shop/branches/staging
                                                     then: psql -h 127.0.0.1 -p 6432 -U staging")]
pub(crate) struct Proxy {
    /// Address and port to listen on, or a port of 127.0.0.1. Repeatable
    /// [default: 127.0.0.1:6432 if there is no other listener].
    #[arg(long, value_name = "ADDRESS[=TARGET]")]
    pub(crate) listen: Vec<String>,
    /// The same for a read-only endpoint. Its sessions cannot write.
    #[arg(long, value_name = "ADDRESS[=TARGET]")]
    pub(crate) listen_read_only: Vec<String>,
    /// Folder for a Unix socket that no other user can reach (port 5432). Created if it is missing.
    #[arg(long, value_name = "FOLDER[=TARGET]")]
    pub(crate) unix_socket: Vec<String>,
    /// Sends clients that name this database or user to another target, at all listeners.
    #[arg(long, value_name = "[database:|user:]NAME=TARGET")]
    pub(crate) route: Vec<String>,
    /// Maximum sessions at once.
    #[arg(long, help_heading = LIMITS, value_name = "SESSIONS", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_connections: u32,
    /// Seconds that a client has to send its start-up packet and its password.
    #[arg(long, help_heading = LIMITS, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) startup_timeout: u64,
    /// Seconds that sessions may continue after SIGTERM.
    #[arg(long, help_heading = LIMITS, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(0..=86400))]
    pub(crate) drain_timeout: u64,
    /// Pools sessions: at most this many for each listener and target
    /// [default: each client has a session of its own].
    #[arg(long, help_heading = POOL, value_name = "SESSIONS", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) pool_size: Option<u32>,
    /// Sessions that stay open although they are idle. None is opened in advance.
    #[arg(long, help_heading = POOL, value_name = "SESSIONS", default_value_t = 0, requires = "pool_size")]
    pub(crate) pool_min: u32,
    /// Seconds that a client waits for a session.
    #[arg(long, help_heading = POOL, value_name = "SECONDS", default_value_t = 30, requires = "pool_size", value_parser = clap::value_parser!(u64).range(0..=3600))]
    pub(crate) pool_wait: u64,
    /// Seconds after which an idle session is closed.
    #[arg(long, help_heading = POOL, value_name = "SECONDS", default_value_t = 180, requires = "pool_size", value_parser = clap::value_parser!(u64).range(1..240))]
    pub(crate) pool_idle_timeout: u64,
    /// Age in seconds, less a random tenth, after which a session is not used again.
    #[arg(long, help_heading = POOL, value_name = "SECONDS", default_value_t = 3600, requires = "pool_size", value_parser = clap::value_parser!(u64).range(1..259_200))]
    pub(crate) pool_max_lifetime: u64,
    /// Allows addresses that other machines can reach. Needs --password-file or --client-ca.
    #[arg(long, help_heading = ACCESS)]
    pub(crate) allow_remote: bool,
    /// File with the password that clients must send.
    #[arg(long, help_heading = ACCESS, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// File with the certificate chain (PEM) for clients that ask for TLS.
    #[arg(long, help_heading = ACCESS, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// File with the key (PEM) of that certificate.
    #[arg(long, help_heading = ACCESS, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// File with authorities (PEM). Clients must use TLS and present a certificate of one of them.
    #[arg(long, help_heading = ACCESS, value_name = "FILE", requires = "tls_cert")]
    pub(crate) client_ca: Option<PathBuf>,
    /// Address and port, or a port of 127.0.0.1, for /metrics, /readyz and /livez over HTTP.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) admin: Option<String>,
    /// Writes a log to standard error: sessions, refusals, failed logins, renewals. With --quiet warnings
    /// only, with --verbose requests as well.
    #[arg(long, help_heading = OUTPUT, value_name = "FORMAT")]
    pub(crate) log_format: Option<Format>,
    /// Allows an address for --admin that other machines can reach. It asks for no password.
    #[arg(long, help_heading = ACCESS, requires = "admin")]
    pub(crate) admin_allow_remote: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    /// The words of an example, by a shell's rules as far as examples need them; the remark after it is cut off.
    fn words(example: &str) -> Vec<String> {
        let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
        for character in example.split("   ").next().unwrap().chars() {
            match character {
                '"' => quoted = !quoted,
                ' ' if !quoted => words.push(std::mem::take(&mut word)),
                '>' if !quoted => return words,
                other => word.push(other),
            }
        }
        words.push(word);
        words
    }

    #[test]
    fn every_command_has_examples_and_they_are_right() {
        Cli::command().debug_assert();
        let mut all = Cli::command();
        all.build();
        let commands = all.get_subcommands().filter(|command| command.get_name() != "help");
        for command in commands.chain([&all]) {
            let name = command.get_name();
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            // A line that goes on is one line.
            let help = help.split("\\\n").map(str::trim_start).collect::<String>();
            let mut count = 0;
            for line in help.lines().filter(|line| line.starts_with("  lakebase ")) {
                let parsed = Cli::try_parse_from(words(line.trim_start()));
                let is_help = line.starts_with("  lakebase help");
                assert!(is_help || parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
                count += 1;
            }
            assert!(count > 0 && help.starts_with("Examples:"), "{name} has no examples: {help}");
        }
    }
}
