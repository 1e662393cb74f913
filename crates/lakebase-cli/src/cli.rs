//! What can be written on the command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::log::Format;
use clap_complete::Shell;

const EXAMPLES: &str = "Examples:
  lakebase query \"select 1\" --project shop     runs a statement in the project's main branch
  lakebase doctor                              says what is wrong if that does not work
  lakebase help query                          tells more about one command";

/// Databricks Lakebase Postgres from the command line.
///
/// What no flag says comes from the environment (LAKEBASE_ENDPOINT, LAKEBASE_PROJECT, LAKEBASE_PG_URL,
/// DATABRICKS_HOST, PGDATABASE and so on) and from ~/.databrickscfg.
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
    /// Writes nothing to standard error but errors.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Tells on standard error what is asked and answered; no secret is in it.
    #[arg(long, short, global = true, conflicts_with = "quiet")]
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

    /// A flag that the command would ignore: about the connection, where it makes none of the user's, or about
    /// its output, where a program of its own writes that.
    pub(crate) fn unused_flag(&self) -> Option<&'static str> {
        let Global { profile, project, branch, endpoint, database, url, user, .. } = &self.global;
        let json = self.global.json.then_some("--json");
        match self.command {
            Command::Psql(_) | Command::Exec(_) => json,
            Command::Completions(_) | Command::Man(_) if json.is_some() => json,
            Command::Demo(_) | Command::Emulator(_) | Command::Completions(_) | Command::Man(_) => {
                [
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
                .or(self.global.read_only.then_some("--read-only"))
            }
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
    #[command(after_help = "Examples:
  lakebase token --project shop
  lakebase token --json                        with its expiry, and where to log in as whom")]
    Token,
    /// Prints the connection URL.
    Url(Url),
    /// Listens locally and logs every Postgres client in, with fresh tokens.
    Proxy(Proxy),
    /// Starts psql on the database; it needs no password.
    Psql(Psql),
    /// Runs a program that finds the database by PGHOST, PGPORT, PGUSER and PGDATABASE, without a password.
    Exec(Exec),
    /// Lists the endpoints of the branch and marks the one that is connected to.
    #[command(after_help = "Examples:
  lakebase endpoints --project shop
  lakebase endpoints --project shop --branch dev --json")]
    Endpoints,
    /// Goes the way of a login step by step and names what is wrong.
    ///
    /// Steps: the configuration with the origin of every value, the workspace, its clock, the identity, the
    /// endpoint, a credential, the host's addresses, TCP, TLS, the login, the role, a query. Exit code 1 if
    /// anything is wrong. With --json one object: ok, fault, settings, and steps with name, verdict (ok, failed
    /// or skipped), seconds, detail, fault and advice.
    #[command(after_help = "Examples:
  lakebase doctor
  lakebase doctor --json --endpoint projects/shop/branches/dev/endpoints/primary
  lakebase doctor --verbose                    shows every request, too")]
    Doctor,
    /// Shows a pool under load through rotations, an outage, a wake-up and more; needs only a Postgres.
    Demo(Demo),
    /// Runs a workspace and its Postgres on loopback until standard input ends.
    Emulator(Emulator),
    /// Prints what makes a shell complete this command's words.
    Completions(Completions),
    /// Prints the manual page.
    #[command(hide = true)]
    Man(Man),
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  lakebase url --project shop
  lakebase url --with-token                    for a client that takes nothing but a URL; good for an hour")]
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
    /// How long the load lasts, about.
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

/// psql connects to a private Unix socket of this command (on Windows a port of 127.0.0.1 with a random password),
/// which logs in for it. What stands behind -- is for psql. psql is searched for in LAKEBASE_PSQL, PATH and the usual folders. Its exit code is passed on.
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

/// The address is a private Unix socket of this command, which lives as long as the program and logs in for
/// whoever connects, with fresh tokens. The program gets PGHOST, PGPORT, PGUSER, PGDATABASE and
/// PGSSLMODE=disable; variables that say otherwise, and the secrets of this command, are taken away. Its exit
/// code is passed on: 128 and the signal's number if it was killed, 127 if it was not found. On Windows --tcp is
/// always on.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  lakebase exec --project shop -- pg_dump --format custom --file shop.dump
  lakebase exec --url-variable DATABASE_URL -- diesel migration run
  lakebase exec --tcp -- java -jar report.jar  for clients that know no Unix sockets")]
pub(crate) struct Exec {
    /// Gives an address of 127.0.0.1 instead, with a password in a private file (PGPASSFILE), as other users
    /// could reach it.
    #[arg(long)]
    pub(crate) tcp: bool,
    /// Puts a connection URL into this variable, too; with --tcp it holds the password, which is worth nothing
    /// once the program has ended.
    #[arg(long, value_name = "NAME", value_parser = variable_name)]
    pub(crate) url_variable: Option<String>,
    /// Leaves DATABRICKS_CLIENT_SECRET, DATABRICKS_TOKEN and the like to the program.
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

/// Prints one line of JSON when it is ready: addresses, names and secrets. The secrets are random and worth
/// nothing elsewhere. Ends with standard input, or on SIGINT or SIGTERM.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  lakebase emulator
  lakebase emulator --acceleration 60 --suspend-after 300")]
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

/// Writes to standard output; the shell is to read it at start-up.
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

/// Clients connect to a local address without a password; the proxy logs them in over verified TLS, with a token
/// that is always fresh, and waits for a suspended compute to wake. TARGET is projects/…/branches/… or
/// projects/…/branches/…/endpoints/…, by default what the other flags and the environment say.
///
/// The client's user name does not matter. Other users of this machine can reach TCP addresses: use
/// --unix-socket or --password-file where there are any. SIGTERM and SIGINT let sessions end; a second one
/// ends them.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  lakebase proxy                                     then: psql -h 127.0.0.1 -p 6432
  lakebase proxy --unix-socket ~/.lakebase           then: psql -h ~/.lakebase
  lakebase proxy --listen 127.0.0.1:6432=projects/shop/branches/production \\
                 --listen 127.0.0.1:6433=projects/shop/branches/staging
  lakebase proxy --route user:staging=projects/shop/branches/staging
                                                     then: psql -h 127.0.0.1 -p 6432 -U staging")]
pub(crate) struct Proxy {
    /// Address and port to listen on, or a port of 127.0.0.1; may be given several times
    /// [default: 127.0.0.1:6432 if there is no other listener].
    #[arg(long, value_name = "ADDRESS[=TARGET]")]
    pub(crate) listen: Vec<String>,
    /// The same for a read-only endpoint; sessions there cannot write.
    #[arg(long, value_name = "ADDRESS[=TARGET]")]
    pub(crate) listen_read_only: Vec<String>,
    /// Folder for a Unix socket that nobody else can reach (port 5432); made if it is missing.
    #[arg(long, value_name = "FOLDER[=TARGET]")]
    pub(crate) unix_socket: Vec<String>,
    /// Sends clients that ask for this database, or name this user, to another target; for all listeners.
    #[arg(long, value_name = "[database:|user:]NAME=TARGET")]
    pub(crate) route: Vec<String>,
    /// Most sessions at once.
    #[arg(long, value_name = "SESSIONS", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_connections: u32,
    /// Seconds that a client has to say what it wants.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(crate) startup_timeout: u64,
    /// Seconds that sessions may go on after SIGTERM.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(0..=86400))]
    pub(crate) drain_timeout: u64,
    /// Allows addresses that other machines can reach; needs --password-file or --client-ca.
    #[arg(long)]
    pub(crate) allow_remote: bool,
    /// File with a password that clients must know.
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// File with the certificate chain (PEM) to show to clients that want TLS.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// File with the key (PEM) of that certificate.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// File with authorities (PEM); clients must use TLS and show a certificate of one of them.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) client_ca: Option<PathBuf>,
    /// Address and port, or a port of 127.0.0.1, for /metrics, /readyz and /livez over HTTP.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) admin: Option<String>,
    /// Writes a log to standard error: sessions, refusals, failed logins, renewals. --quiet leaves warnings,
    /// --verbose adds requests.
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<Format>,
    /// Allows an address for --admin that other machines can reach; whoever asks is answered.
    #[arg(long, requires = "admin")]
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
