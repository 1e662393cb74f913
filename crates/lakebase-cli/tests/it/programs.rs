//! `lakebase psql` and `lakebase exec`: programs that log in without knowing how.

#[cfg(target_os = "linux")]
use std::io::{Read as _, Write as _};
use std::process::Command;
#[cfg(target_os = "linux")]
use std::process::{Child, Stdio};

use lakebase_emulator::Emulator;

use crate::support::{Run, bare, configured, emulator};

/// Variables that would lead a client elsewhere, or that hold what it must not see.
const MISLEADING: [(&str, &str); 8] = [
    ("PGPASSFILE", "/canary-1"),
    ("PGSERVICE", "canary-2"),
    ("PGSSLMODE", "verify-full"),
    ("PGSSLNEGOTIATION", "direct"),
    ("PGCLIENTENCODING", "LATIN1"),
    // Two identities need one to be chosen.
    ("DATABRICKS_AUTH_TYPE", "oauth-m2m"),
    ("DATABRICKS_TOKEN", "canary-3"),
    ("ARM_CLIENT_SECRET", "canary-4"),
];

fn misled(emulator: &Emulator) -> Command {
    let mut command = configured(emulator);
    command.envs(MISLEADING);
    command
}

#[test]
fn psql_needs_no_password_and_its_words_and_code_are_passed_on() {
    let emulator = emulator();
    let service = emulator.description();
    let psql = |arguments: &[&str]| {
        let mut command = misled(&emulator);
        Run::of(command.args(["psql", "--", "-X", "-A", "-t"]).args(arguments))
    };
    let who = "select current_user, current_database(), current_setting('transaction_read_only')";
    let run = psql(&["-c", who]);
    assert_eq!(run.stderr, "");
    assert_eq!(run.success(), format!("{}|{}|off\n", service.client_id, service.database));
    let run = psql(&["-c", "selec"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""));
    assert!(run.stderr.contains("syntax error"), "{run:?}");
    assert_eq!(psql(&["-v", "ON_ERROR_STOP=1", "-f", "/nonexistent.sql"]).code, Some(1));
    assert_eq!(psql(&["-c", "select 1", "postgres"]).success(), "1\n", "another database");
    let run = Run::with(&emulator, &["psql", "--read-only", "--", "-XAtc", who]);
    assert_eq!(run.success(), format!("{}|{}|on\n", service.client_id, service.database));
}

#[cfg(target_os = "linux")]
#[test]
fn psql_is_told_nothing_secret() {
    let emulator = emulator();
    let service = emulator.description();
    let shown =
        "\\! tr '\\\\0' '\\\\n' < /proc/$PPID/environ; tr '\\\\0' ' ' < /proc/$PPID/cmdline";
    let mut command = misled(&emulator);
    let run = Run::of(command.args(["psql", "--", "-X", "-c", shown]));
    assert!(run.stdout.contains("PGHOST=/") && run.stdout.contains("psql"), "{run:?}");
    for secret in [&*service.client_secret, &service.token, &service.password, "eyJ", "canary"] {
        assert!(!run.stdout.contains(secret), "{secret}: {run:?}");
    }
}

#[test]
fn demands_on_the_login_that_cannot_be_met_are_refused_before_a_program_starts() {
    let emulator = emulator();
    for (variable, value) in [("PGCHANNELBINDING", "require"), ("PGREQUIREAUTH", "gss")] {
        let line = Run::set(&emulator, &[(variable, value)], &["psql", "--", "-c", ""]).failure();
        assert!(line.contains(&format!("{variable} (environment variable)")), "{line}");
    }
}

#[test]
fn a_program_is_told_which_demand_the_server_does_not_meet() {
    let emulator = emulator();
    let demand = [("PGREQUIREAUTH", "scram-sha-256")];
    let run = Run::set(&emulator, &demand, &["psql", "--", "-c", ""]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:?}");
    assert!(run.stderr.contains("which require_auth does not allow"), "{run:?}");
}

#[test]
fn psql_that_is_missing_or_cannot_work_is_explained() {
    let emulator = emulator();
    let psql = |variable, value| Run::set(&emulator, &[(variable, value)], &["psql"]).failure();
    let line = psql("LAKEBASE_PSQL", "/nonexistent/psql");
    assert!(line.contains("LAKEBASE_PSQL") && line.contains("/nonexistent/psql"), "{line}");
    let line = psql("DATABRICKS_CLIENT_SECRET", "dose-canary");
    assert!(line.contains("DATABRICKS_CLIENT_SECRET") && !line.contains("canary"), "{line}");
}

/// Ends with the test, whatever happens.
#[cfg(target_os = "linux")]
struct Terminal(Child);

#[cfg(target_os = "linux")]
impl Terminal {
    fn type_in(&mut self, text: &str) {
        self.0.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// Reads on until `text` was written.
    fn wait_for(&mut self, text: &str) -> String {
        let mut seen = Vec::new();
        let stdout = self.0.stdout.as_mut().unwrap();
        let mut byte = [0];
        while !String::from_utf8_lossy(&seen).contains(text) {
            let count = stdout.read(&mut byte).unwrap();
            assert_eq!(count, 1, "no {text}: {}", String::from_utf8_lossy(&seen));
            seen.push(byte[0]);
        }
        String::from_utf8(seen).unwrap()
    }
}

#[cfg(target_os = "linux")]
impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_cancels_the_query_and_psql_goes_on() {
    let emulator = emulator();
    let lakebase = configured(&emulator);
    // What hangs ends in a failure.
    let mut script = Command::new("timeout");
    script.args(["120", "script", "--quiet", "--return", "--command"]);
    let program = lakebase.get_program().to_str().unwrap();
    script.arg(format!("exec {program} psql -- -X -A -t -P pager=off"));
    script.arg("/dev/null").env_clear().env("SHELL", "/bin/sh").env("TERM", "dumb");
    script.envs(lakebase.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let script = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut terminal = Terminal(script);
    terminal.wait_for("=> ");
    // In two parts, so that what is typed differs from what runs.
    terminal.type_in("select 'ru' || 'nning'; select pg_sleep(600) as ctrl_c;\n");
    terminal.wait_for("running");
    let count = "select count(*) as n from pg_stat_activity where state = 'active' \
                 and query like '%as ctrl_c%' and pid <> pg_backend_pid()";
    while Run::with(&emulator, &["query", "-q", "--json", count]).success() != "[{\"n\":\"1\"}]\n" {
    }
    terminal.type_in("\u{3}");
    terminal.wait_for("canceling statement due to user request");
    terminal.type_in("select 'still ' || 'here';\n");
    terminal.wait_for("still here");
    terminal.type_in("\\q\n");
    assert_eq!(terminal.0.wait().unwrap().code(), Some(0));
}

#[test]
fn a_program_is_told_where_to_connect_and_nothing_secret() {
    let emulator = emulator();
    let service = emulator.description();
    let mut command = misled(&emulator);
    command
        .env("DATABRICKS_AUTH_TYPE", "oauth-m2m")
        .env("DATABRICKS_OIDC_TOKEN_ENV", "CI_TOKEN")
        .env("CI_TOKEN", "canary-of-the-ci")
        .env("SYSTEM_ACCESSTOKEN", "canary-of-the-job")
        .env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "canary-of-the-action");
    let run = Run::of(command.args(["exec", "--", "env"]));
    let variables: Vec<(&str, &str)> =
        run.stdout.lines().filter_map(|line| line.split_once('=')).collect();
    let value = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, v)| *v);
    assert!(value("PGHOST").unwrap().starts_with('/'), "{run:?}");
    assert!(value("PGPORT").unwrap().parse::<u16>().is_ok(), "{run:?}");
    assert_eq!(value("PGUSER"), Some(&*service.client_id));
    assert_eq!(value("PGDATABASE"), Some(&*service.database));
    assert_eq!(value("PGSSLMODE"), Some("disable"));
    for name in ["PGPASSWORD", "PGPASSFILE", "PGSERVICE", "PGSSLNEGOTIATION"] {
        assert_eq!(value(name), None, "{name}");
    }
    for secret in [&*service.client_secret, &service.token, &service.password, "eyJ", "canary"] {
        assert!(!run.stdout.contains(secret), "{secret}: {run:?}");
    }
    let folder = value("PGHOST").unwrap();
    assert!(!std::path::Path::new(folder).exists(), "{folder} outlives the program");

    let run = Run::with(&emulator, &["exec", "--pass-credentials", "--", "env"]);
    assert!(run.stdout.contains(&service.client_secret), "asked for by name");
}

#[test]
fn programs_connect_by_socket_by_tcp_and_by_url() {
    let emulator = emulator();
    let service = emulator.description();
    let sql = "select current_user || ' in ' || current_database()";
    let expected = format!("{} in {}\n", service.client_id, service.database);
    for flags in [&[][..], &["--tcp"]] {
        let exec = |program: &[&str]| {
            let mut command = misled(&emulator);
            command.arg("exec").args(flags).args(["--url-variable", "DATABASE_URL", "--"]);
            Run::of(command.args(program))
        };
        assert_eq!(exec(&["psql", "-XAtc", sql]).success(), expected, "{flags:?}");
        let by_url = format!(
            "env -u PGHOST -u PGPORT -u PGUSER -u PGDATABASE -u PGSSLMODE -u PGPASSFILE \
                              psql -w -XAt \"$DATABASE_URL\" -c \"{sql}\""
        );
        assert_eq!(exec(&["sh", "-c", &by_url]).success(), expected, "{flags:?}");
        let run = exec(&["sh", "-c", "psql -XAtc 'select 1' & psql -XAtc 'select 1'; wait"]);
        assert_eq!(run.success(), "1\n1\n", "several at once");
    }
    let show = "echo $PGHOST; ls -l $PGPASSFILE | cut -c1-10; cut -d: -f1-4 $PGPASSFILE; psql -w -c 'select 1'";
    let run = Run::with(&emulator, &["exec", "--tcp", "--", "sh", "-c", show]).success();
    assert!(run.starts_with("127.0.0.1\n-rw-------\n127.0.0.1:"), "{run}");
    let mut command = configured(&emulator);
    command.args(["exec", "--tcp", "--", "env", "-u", "PGPASSFILE", "HOME=/nonexistent"]);
    let run = Run::of(command.args(["psql", "-w", "-c", "select 1"]));
    assert_eq!(run.code, Some(2), "nobody gets in without the password: {run:?}");
}

#[test]
fn the_code_of_a_program_is_passed_on() {
    let emulator = emulator();
    for (program, code) in [
        ("exit 7", 7),
        ("kill -9 $$", 137),
        ("kill -TERM $PPID; sleep 60", 143),
        // Nobody else in the foreground would tell the program.
        ("kill -INT $PPID; sleep 60", 130),
    ] {
        // Without `exec` the shell would wait for its `sleep`, which gets no signal.
        let program = program.replace("; sleep", "; exec sleep");
        let run = Run::with(&emulator, &["exec", "--", "sh", "-c", &program]);
        assert_eq!((run.code, run.stderr.as_str()), (Some(code), ""), "{program}");
    }
    let run = Run::with(&emulator, &["exec", "--", "no-such-program"]);
    assert_eq!(run.code, Some(127));
    assert!(run.stderr.contains("\"no-such-program\""), "{run:?}");
    assert_eq!(Run::with(&emulator, &["exec", "--", "/"]).code, Some(126));
    for wrong in [&["exec"][..], &["exec", "--url-variable", "A B", "true"], &["psql", "select 1"]]
    {
        assert_eq!(Run::of(bare().args(wrong)).code, Some(2), "{wrong:?}");
    }
}
