//! What is said beside the result: to a terminal, to a file, quietly, and in every detail.

use lakebase_emulator::{Emulator, Fault, Operation};

use crate::support::{Run, emulator};

#[test]
fn verbose_tells_what_is_asked_and_answered_without_secrets() {
    let emulator = Emulator::builder().start().unwrap();
    let reply = lakebase_emulator::Effect::reply(503);
    emulator.inject(Fault::new(Operation::Credentials, reply).times(1));
    let run = Run::with(&emulator, &["query", "--verbose", "--json", "select 1 as canary"]);
    assert_eq!(run.stdout, "[{\"canary\":\"1\"}]\n");
    for part in [
        "answered request=\"POST /oidc/v1/token\" status=200",
        "answered request=\"GET /api/2.0/postgres/projects/demo/branches/production/endpoints\"",
        "answered request=\"POST /api/2.0/postgres/credentials\" status=503",
        "answered request=\"POST /api/2.0/postgres/credentials\" status=200",
        "refreshed kind=\"credential\"",
        "logged in failed=",
        "(1 row)",
    ] {
        assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
    }
    let service = emulator.description();
    for secret in ["canary", "\u{1b}", &service.client_secret, "eyJ", "Bearer"] {
        assert!(!run.stderr.contains(secret), "{secret}: {}", run.stderr);
    }
}

#[test]
fn quiet_leaves_errors_only() {
    let emulator = emulator();
    let run = Run::with(&emulator, &["--quiet", "url", "--with-token"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let run = Run::with(&emulator, &["query", "-q", "select 1"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert!(Run::with(&emulator, &["query", "-q", "selec"]).failure().contains("42601"));
    assert_eq!(Run::with(&emulator, &["query", "-q", "-v", "select 1"]).code, Some(2));
}

/// On a pseudo-terminal, as the program `script` makes one.
#[cfg(target_os = "linux")]
mod pseudo_terminal {
    use std::time::Duration;

    use super::*;
    use crate::support::configured;

    /// What `lakebase` writes when standard output and standard error are a terminal, and all goes well.
    fn shown(emulator: &Emulator, arguments: &str, variables: &[(&str, &str)]) -> String {
        let run = on_terminal(emulator, arguments, variables);
        assert_eq!(run.code, Some(0), "{run:?}");
        run.stdout
    }

    fn on_terminal(emulator: &Emulator, arguments: &str, variables: &[(&str, &str)]) -> Run {
        let lakebase = configured(emulator);
        // What hangs ends in a failure.
        let mut script = std::process::Command::new("timeout");
        script.args(["120", "script", "--quiet", "--return", "--command"]);
        script.arg(format!("{} {arguments}", lakebase.get_program().to_str().unwrap()));
        script.arg("/dev/null").env_clear().stdin(std::process::Stdio::null());
        script.env("SHELL", "/bin/sh").env("TERM", "xterm");
        script.envs(lakebase.get_envs().filter_map(|(name, value)| Some((name, value?))));
        script.envs(variables.iter().copied());
        Run::of(&mut script)
    }

    #[test]
    fn a_wake_up_that_takes_longer_than_a_second_is_shown_and_taken_away() {
        let waking = Duration::from_millis(1_800);
        let emulator = Emulator::builder().wake_delay(waking).start().unwrap();
        let sleep = || emulator.suspend(&emulator.description().endpoint).unwrap();
        let query = "query --json 'select 1 as one'";
        sleep();
        let seen = shown(&emulator, query, &[]);
        assert!(seen.contains("\r\u{1b}[Kwaking the compute … 1 s"), "{seen:?}");
        let end = "\r\u{1b}[K[{\"one\":\"1\"}]\r\n(1 row)\r\n";
        assert!(seen.ends_with(end), "taken away before the result: {seen:?}");
        for (flags, variables) in
            [("--quiet", &[][..]), ("", &[("TERM", "dumb")][..]), ("--verbose", &[])]
        {
            sleep();
            let seen = shown(&emulator, &format!("{query} {flags}"), variables);
            assert!(!seen.contains("waking the compute"), "{flags} {variables:?}: {seen:?}");
            assert!(seen.contains("[{\"one\":\"1\"}]"), "{flags} {variables:?}: {seen:?}");
        }
        sleep();
        let run = Run::of(configured(&emulator).args(["query", "select 1"]));
        assert_eq!(run.stderr, "(1 row)\n", "nothing is drawn into a file");
        sleep();
        let seen = shown(&emulator, "psql -- -XAt -P pager=off -c 'select 1'", &[]);
        assert_eq!(seen, "lakebase: waking the compute\r\n1\r\n");
    }

    #[test]
    fn a_compute_that_is_not_there_yet_is_waited_for_visibly() {
        let emulator = emulator();
        let budget = [("PGCONNECT_TIMEOUT", "2")];
        let run = on_terminal(&emulator, "query 'select 1' --branch fresh", &budget);
        assert_eq!(run.code, Some(1));
        assert!(run.stdout.contains("\r\u{1b}[Kwaiting for the new compute … 1 s"), "{run:?}");
        assert!(
            run.stdout.contains("\r\u{1b}[Klakebase: "),
            "taken away before the error: {run:?}"
        );
    }

    #[test]
    fn colours_are_for_terminals_without_no_color() {
        let emulator = emulator();
        let green = "\u{1b}[32mok";
        assert!(shown(&emulator, "doctor", &[]).contains(green));
        for variables in [[("NO_COLOR", "1")], [("TERM", "dumb")]] {
            let seen = shown(&emulator, "doctor", &variables);
            assert!(seen.contains("ok ") && !seen.contains("\u{1b}["), "{variables:?}: {seen:?}");
            let seen = shown(&emulator, "token --help", &variables);
            assert!(seen.contains("Usage:"), "{variables:?}: {seen:?}");
            assert!(!seen.contains("\u{1b}["), "{variables:?}: {seen:?}");
            let seen = shown(&emulator, "token --verbose", &variables);
            assert!(seen.contains("answered") && !seen.contains("\u{1b}["), "{variables:?}");
        }
        assert!(shown(&emulator, "token --help", &[]).contains("\u{1b}["));
        assert!(shown(&emulator, "token --verbose", &[]).contains("\u{1b}["));
    }
}
