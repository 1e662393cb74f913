//! Exit codes, and errors that say what to change.

use crate::support::{Run, bare, emulator, json};

#[test]
fn wrong_usage_is_two_and_help_is_zero() {
    for arguments in [
        &[][..],
        &["frobnicate"],
        &["query"],
        &["query", "select 1", "select 2"],
        &["token", "--port", "1"],
        &["demo", "--seconds", "0"],
        &["demo", "--project", "demo"],
        &["completions", "bash", "--json"],
        &["psql", "--json"],
        &["exec"],
        &["exec", "--json", "true"],
        &["emulator", "--read-only"],
        &["emulator", "--page-size", "0"],
    ] {
        let run = Run::of(bare().args(arguments));
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{arguments:?}: {run:?}");
        assert!(run.stderr.contains("--help"), "{arguments:?}: {run:?}");
    }
    let run = Run::of(bare().arg("--help"));
    let commands = "query token url endpoints doctor psql exec demo emulator completions";
    for command in commands.split(' ') {
        assert!(run.stdout.contains(&format!("\n  {command} ")), "{command}: {run:?}");
    }
    assert!(!run.stdout.contains('\u{1b}'), "colours only on a terminal: {run:?}");
    assert_eq!(run.code, Some(0));
    assert!(Run::of(bare().arg("--version")).success().starts_with("lakebase "));
}

#[test]
fn help_lists_only_flags_that_the_command_takes() {
    let help = |command: &str| Run::of(bare().args([command, "--help"])).success();
    for (command, flags) in [
        ("demo", ["--project", "--read-only"]),
        ("emulator", ["--url", "--user"]),
        ("completions", ["--profile", "--json"]),
        ("psql", ["--json"; 2]),
        ("exec", ["--json"; 2]),
    ] {
        let help = help(command);
        assert!(flags.iter().all(|flag| !help.contains(flag)), "{command}: {help}");
    }
    assert!(help("demo").contains("--json") && help("psql").contains("--project"));
    // Also before the command, where every flag may stand.
    let run = Run::of(bare().args(["--read-only", "demo"]));
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.stderr.contains("--read-only has no meaning for this command"), "{run:?}");
}

#[test]
fn errors_name_the_flag_and_what_is_accepted() {
    let emulator = emulator();
    for (arguments, parts) in [
        (&["--endpoint", "primary"][..], &["--endpoint", "\"primary\"", "accepted: projects/"][..]),
        (&["--project", "a/b"], &["--project", "\"a/b\"", "letters, digits"]),
        (&["--project", "demo", "--branch", "b/c"], &["--branch", "\"b/c\"", "letters, digits"]),
        (&["--url", "mysql://u:canary@h/d"], &["--url", "accepted: postgresql://"]),
        (
            &["--url", "postgresql://u@h/d", "--project", "demo"],
            &["--url", "--project", "contradict"],
        ),
        (&["--project", "nowhere"], &["projects/nowhere/branches/production"]),
        (&["--branch", "empty"], &["projects/demo/branches/empty", "no read-write endpoint"]),
        (&["--branch", "frozen"], &["projects/demo/branches/frozen", "disabled"]),
        (&["--database", "nowhere"], &["\"nowhere\" does not exist", "(SQLSTATE 3D000)"]),
        (&["--user", "nobody"], &["nobody"]),
    ] {
        let mut all = vec!["query", "select 1"];
        all.extend(arguments);
        let line = Run::with(&emulator, &all).failure();
        for part in parts {
            assert!(line.contains(part), "{arguments:?} should say {part}: {line}");
        }
        assert!(!line.contains("canary"), "{line}");
    }
}

#[test]
fn profiles_are_read_and_unknown_ones_named() {
    let emulator = emulator();
    let service = emulator.description();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("profiles.cfg");
    let text = format!("[there]\nhost = {}\ntoken = {}\n", service.host, service.token);
    std::fs::write(&file, text).unwrap();
    let run = |profile: &str| {
        let mut command = bare();
        command.env("DATABRICKS_CONFIG_FILE", &file).args(["--profile", profile]);
        Run::of(command.args(["token", "--json", "--project", "demo"]))
    };
    assert_eq!(json(&run("there").success())["user"], service.user);
    let line = run("nowhere").failure();
    for part in ["--profile", "\"nowhere\"", "profiles.cfg"] {
        assert!(line.contains(part), "{part}: {line}");
    }
    assert!(!line.contains(&service.token), "{line}");
}

#[test]
fn without_any_setting_the_error_lists_the_ways() {
    for command in ["token", "url", "endpoints"] {
        let line = Run::of(bare().arg(command)).failure();
        for way in ["LAKEBASE_ENDPOINT", "LAKEBASE_PROJECT", "LAKEBASE_PG_URL", "PGHOST"] {
            assert!(line.contains(way), "{command}: {line}");
        }
    }
}

#[test]
fn a_statement_that_fails_says_why_on_one_line() {
    let emulator = emulator();
    let line = Run::with(&emulator, &["query", "selec 1"]).failure();
    let said = "lakebase: the query failed: syntax error at or near \"selec\" (SQLSTATE 42601)";
    assert_eq!(line, said);
    let line = Run::with(&emulator, &["query", "select now(1)"]).failure();
    assert!(line.contains("(SQLSTATE 42883); "), "the hint of Postgres: {line}");
}

#[test]
fn a_wrong_secret_is_a_failure_that_does_not_quote_it() {
    let emulator = emulator();
    let secret = [("DATABRICKS_CLIENT_SECRET", "dose-canary")];
    let line = Run::set(&emulator, &secret, &["token"]).failure();
    assert!(line.contains("DATABRICKS_CLIENT") || line.contains("client"), "{line}");
    assert!(!line.contains("canary"), "{line}");
}

#[test]
fn commands_about_tokens_explain_that_there_is_none() {
    let url = "postgresql://me:secret-canary@localhost/db";
    let line = Run::of(bare().args(["token", "--url", url])).failure();
    assert!(line.contains("native password"), "{line}");
    let line = Run::of(bare().args(["endpoints", "--url", url])).failure();
    assert!(line.contains("--project"), "{line}");
    let plain = Run::of(bare().args(["url", "--url", url])).success();
    assert_eq!(plain, "postgresql://me@localhost:5432/db?sslmode=prefer\n");
}
