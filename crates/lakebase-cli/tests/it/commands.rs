//! What the commands print for people and for programs.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{Run, configured, emulator, json};

#[test]
fn query_prints_tables_for_people() {
    let emulator = emulator();
    let sql = "select 10 as number, 'NULL' as text, null as nothing, array[1,2] as list, e'a\\nb' as lines";
    let run = Run::with(&emulator, &["query", sql]);
    assert_eq!(run.stderr, "(1 row)\n");
    assert_eq!(
        run.success(),
        "number  text    nothing  list   lines\n\
         ------  ------  -------  -----  -----\n\
         \u{20}   10  \"NULL\"  NULL     {1,2}  a\\nb\n"
    );
}

#[test]
fn query_prints_every_type_as_postgres_writes_it() {
    let emulator = emulator();
    let sql = "select 1.50::numeric a, '2026-01-31 12:00+00'::timestamptz at time zone 'UTC' a, \
               '{\"x\": 1}'::jsonb j, interval '90 s' i, null::int n, true b";
    let run = Run::with(&emulator, &["query", "--json", sql]);
    let said = "[{\"a\":\"1.50\",\"a_2\":\"2026-01-31 12:00:00\",\"j\":\"{\\\"x\\\": 1}\",\"i\":\"00:01:30\",\"n\":null,\"b\":\"t\"}]\n";
    assert_eq!(run.success(), said);
}

#[test]
fn query_runs_several_statements_and_counts_their_rows() {
    let emulator = emulator();
    let sql = "create temp table t (i int); insert into t select generate_series(1, 3); \
               select i from t order by i; select i from t where false";
    let run = Run::with(&emulator, &["query", "--json", sql]);
    assert_eq!(run.stderr, "(0 rows)\n(3 rows affected)\n(3 rows)\n(0 rows)\n");
    let printed = run.success();
    let arrays: Vec<Value> =
        serde_json::Deserializer::from_str(&printed).into_iter().map(Result::unwrap).collect();
    let rows = json!([{"i": "1"}, {"i": "2"}, {"i": "3"}]);
    assert_eq!(arrays, [json!([]), json!([]), rows, json!([])]);
}

#[test]
fn query_uses_the_database_and_the_user_of_the_flags() {
    let emulator = emulator();
    let service = emulator.description();
    let sql = "select current_database() as d, current_user as u";
    let run = Run::with(&emulator, &["query", "--json", "--database", "postgres", sql]);
    assert_eq!(json(&run.success()), json!([{"d": "postgres", "u": service.client_id}]));
}

#[test]
fn query_needs_no_folder_for_temporary_files() {
    let emulator = emulator();
    for folder in ["/nonexistent", env!("CARGO_BIN_EXE_lakebase"), &format!("/{}", "x".repeat(200))]
    {
        let arguments = ["query", "--json", "select 1 as n"];
        let run = Run::set(&emulator, &[("TMPDIR", folder)], &arguments);
        assert_eq!(json(&run.success()), json!([{"n": "1"}]), "{folder}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let emulator = emulator();
    let mut command = configured(&emulator);
    command.args(["query", "--json", "select * from generate_series(1, 200000)"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}

#[test]
fn token_prints_the_token_alone_or_what_a_client_needs() {
    let emulator = emulator();
    let service = emulator.description();
    let run = Run::with(&emulator, &["token"]);
    assert_eq!(run.stderr, "");
    let token = run.success();
    assert_eq!(token.lines().count(), 1, "{token}");
    assert!(token.starts_with("eyJ"), "{token}");

    let all = json(&Run::with(&emulator, &["token", "--json"]).success());
    assert!(all["token"].as_str().unwrap().starts_with("eyJ"));
    assert!(all["expires_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(all["user"], service.client_id);
    assert_eq!(all["host"], service.pg_host);
    assert_eq!(all["port"], service.pg_port);
    assert_eq!(all["database"], service.database);
}

#[test]
fn url_holds_a_token_only_when_asked_and_then_it_connects() {
    let emulator = emulator();
    let service = emulator.description();
    let (user, host, port) = (&service.client_id, &service.pg_host, service.pg_port);
    let place = format!("{host}:{port}/{}?sslmode=verify-full", service.database);
    let plain = Run::with(&emulator, &["url"]);
    assert_eq!(plain.stderr, "");
    assert_eq!(plain.success(), format!("postgresql://{user}@{place}\n"));

    let run = Run::with(&emulator, &["url", "--with-token"]);
    assert!(run.stderr.contains("warning: the URL holds a secret"), "{run:?}");
    let url = run.success();
    assert!(url.starts_with(&format!("postgresql://{user}:eyJ")), "{url}");
    assert!(url.ends_with(&format!("@{place}\n")), "{url}");

    // A flag about what to connect to replaces LAKEBASE_PROJECT.
    let run = Run::with(&emulator, &["query", "--json", "--url", url.trim(), "select 1 as one"]);
    assert_eq!(json(&run.success()), json!([{"one": "1"}]));

    let run = Run::with(&emulator, &["url", "--json", "--user", "ada@example.com"]);
    let url = json(&run.success());
    assert_eq!(url["url"], format!("postgresql://ada%40example.com@{place}"));
}

#[test]
fn endpoints_shows_all_and_marks_the_chosen_one() {
    let emulator = emulator();
    let service = emulator.description();
    let table = Run::with(&emulator, &["endpoints"]).success();
    let lines: Vec<Vec<&str>> =
        table.lines().skip(2).map(|line| line.split_whitespace().collect()).collect();
    let replica = emulator.endpoint_host(&service.read_only_endpoint, false).unwrap();
    let expected = [
        vec![&service.read_only_endpoint, "read-only", "active", &replica],
        vec!["*", &service.endpoint, "read-write", "active", &service.pg_host],
    ];
    assert_eq!(lines, expected, "{table}");

    let run = Run::with(&emulator, &["endpoints", "--json", "--read-only"]);
    let list = json(&run.success());
    assert_eq!(list[0]["name"], service.read_only_endpoint);
    assert_eq!(list[0]["type"], "read-only");
    assert_eq!([&list[0]["chosen"], &list[1]["chosen"]], [true, false]);
    assert_eq!(list[1]["host"], service.pg_host);

    let run =
        Run::with(&emulator, &["endpoints", "--json", "--branch", "frozen", "--project", "demo"]);
    assert!(run.stderr.contains("every read-write endpoint"), "{run:?}");
    let list = json(&run.success());
    assert_eq!([&list[0]["disabled"], &list[0]["chosen"]], [true, false]);
}
