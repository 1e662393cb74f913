//! Tests of the Data API without a database.

use std::time::Duration;

use proptest::prelude::*;

use super::query::{Filter, Test, parse};
use super::statement::{Action, build};
use super::{Decision, decide, plan, url};
use crate::fault::Operation;
use crate::request::Request;
use crate::state::State;
use crate::state::tests::state;
use crate::token::TokenUse;
use crate::world::Compute;

const HOUR: Duration = Duration::from_secs(3_600);

/// A workspace token of the service principal.
fn token(state: &mut State, use_: TokenUse) -> String {
    let now = state.clock.now(Duration::ZERO);
    let identity = state.credentials.client_id.clone();
    state.mint(&identity, use_, now, now + HOUR)
}

fn request(method: &str, target: &str, bearer: Option<&str>, body: &str) -> Request {
    let target = format!("/api/2.0/workspace/7/rest/databricks_postgres{target}");
    let request = Request::new(method, &target, body);
    match bearer {
        Some(bearer) => request.with("authorization", &format!("Bearer {bearer}")),
        None => request,
    }
}

/// Status and code of the refusal.
fn refused(state: &mut State, real: Duration, request: &Request) -> (u16, String) {
    match plan(state, real, request) {
        Ok(plan) => panic!("not refused: {}", plan.statement.sql),
        Err(failure) => (failure.status, failure.code),
    }
}

fn sql(method: &str, target: &str, body: &str) -> (String, Vec<String>) {
    let mut state = state();
    let token = token(&mut state, TokenUse::Workspace);
    let plan = plan(&mut state, Duration::ZERO, &request(method, target, Some(&token), body));
    let statement = plan.unwrap_or_else(|failure| panic!("{failure:?}")).statement;
    let source = statement.sql.strip_prefix("with _postgrest_t as (").unwrap();
    let source = source.rsplit_once(") select ").unwrap().0;
    (source.to_owned(), statement.parameters)
}

#[test]
fn reads_become_one_statement_with_bound_values() {
    let (text, values) = sql(
        "GET",
        "/public/notes?select=id,who:author&id=gte.2&body=like.*a*&tag=in.(x,\"y,z\")&done=is.not_null&id=not.eq.5&order=id.desc.nullslast,body&limit=3&offset=1",
        "",
    );
    let t = "\"public\".\"notes\"";
    let said = format!(
        "select {t}.\"id\" as \"id\", {t}.\"author\" as \"who\" from {t} where {t}.\"id\" >= $1 and {t}.\"body\" like $2 \
         and {t}.\"tag\" = any ($3) and {t}.\"done\" is not null and not ({t}.\"id\" = $4) \
         order by {t}.\"id\" desc nulls last, {t}.\"body\" limit 3 offset 1"
    );
    assert_eq!(text, said);
    assert_eq!(values, ["2", "%a%", "{\"x\",\"y,z\"}", "5"]);
    assert_eq!(sql("GET", "/public/notes", "").0, format!("select {t}.* from {t}"));
}

#[test]
fn writes_become_one_statement_with_a_bound_body() {
    let t = "\"public\".\"notes\"";
    let row = r#"{"id":1,"body":"x"}"#;
    let rows = format!("[{row}]");
    let expected = format!(
        "insert into {t} (\"body\", \"id\") select _body.\"body\", _body.\"id\" \
         from pg_catalog.json_populate_recordset(null::{t}, $1::json) as _body returning {t}.*"
    );
    assert_eq!(sql("POST", "/public/notes", row), (expected.clone(), vec![rows.clone()]));
    assert_eq!(sql("POST", "/public/notes", &rows), (expected, vec![rows]));
    let defaults = format!("insert into {t} default values returning {t}.*");
    assert_eq!(sql("POST", "/public/notes", "{}"), (defaults, vec![]));
    let nothing = format!("select {t}.* from {t} where false");
    assert_eq!(sql("POST", "/public/notes", "[]"), (nothing, vec![]));
    let (text, values) = sql("PATCH", "/public/notes?id=eq.1", r#"{"body":"y"}"#);
    assert!(text.starts_with(&format!("update {t} set \"body\" = _body.\"body\" from ")), "{text}");
    assert!(text.ends_with(&format!(" where {t}.\"id\" = $2 returning {t}.*")), "{text}");
    assert_eq!(values, [r#"{"body":"y"}"#, "1"]);
    let deleted = format!("delete from {t} where {t}.\"id\" = $1 returning {t}.\"id\" as \"id\"");
    assert_eq!(sql("DELETE", "/public/notes?id=eq.1&select=id", "").0, deleted);
}

#[test]
fn what_is_wrong_or_not_simulated_is_an_error() {
    let mut state = state();
    let token = token(&mut state, TokenUse::Workspace);
    for (method, target, body, status, code) in [
        ("GET", "/public/notes?id=5", "", 400, "PGRST100"),
        ("GET", "/public/notes?id=fts.x", "", 400, "PGRST100"),
        ("GET", "/public/notes?id=is.maybe", "", 400, "PGRST100"),
        ("GET", "/public/notes?id=in.1", "", 400, "PGRST100"),
        ("GET", "/public/notes?id=in.(\"a)", "", 400, "PGRST100"),
        ("GET", "/public/notes?a%FF=eq.1", "", 400, "PGRST100"),
        ("GET", "/public/notes?a->b=eq.1", "", 400, "PGRST100"),
        ("GET", "/public/notes?a.b=eq.1", "", 400, "PGRST108"),
        ("GET", "/public/notes?limit=-1", "", 400, "PGRST100"),
        ("GET", "/public/notes?limit=1;drop", "", 400, "PGRST100"),
        ("GET", "/public/notes?offset=9223372036854775808", "", 400, "PGRST100"),
        ("GET", "/public/notes?order=id.up", "", 400, "PGRST100"),
        ("GET", "/public/notes?order=id.nullsfirst.desc", "", 400, "PGRST100"),
        ("GET", "/public/notes?or=(a.eq.1,b.eq.2)", "", 400, "PGRST100"),
        ("GET", "/public/notes?select=a::text", "", 400, "PGRST100"),
        ("GET", "/public/notes?select=authors(name)", "", 400, "PGRST100"),
        ("GET", "/public/notes?select=id.sum()", "", 400, "PGRST100"),
        ("GET", "/public/notes?select=a,,b", "", 400, "PGRST100"),
        ("GET", "/public/n%00", "", 404, "PGRST125"),
        ("GET", "/public", "", 404, "PGRST125"),
        ("GET", "/public/a/b", "", 404, "PGRST125"),
        ("GET", "/private/notes", "", 406, "PGRST106"),
        ("PUT", "/public/notes", "{}", 405, "PGRST117"),
        ("POST", "/public/notes", "", 400, "PGRST102"),
        ("POST", "/public/notes", "[1]", 400, "PGRST102"),
        ("POST", "/public/notes", "[{\"a\":1},{\"b\":1}]", 400, "PGRST102"),
        ("POST", "/public/notes", "[{},{}]", 400, "PGRST100"),
        ("POST", "/public/notes?columns=a", "{}", 400, "PGRST100"),
        ("PATCH", "/public/notes", "[]", 400, "PGRST102"),
        ("PATCH", "/public/notes?limit=1", "{}", 400, "PGRST100"),
        ("DELETE", "/public/notes?order=id", "", 400, "PGRST100"),
    ] {
        let request = request(method, target, Some(&token), body);
        let refused = refused(&mut state, Duration::ZERO, &request);
        assert_eq!(refused, (status, code.to_owned()), "{method} {target} {body}");
    }
    let mut elsewhere = request("GET", "/public/notes", Some(&token), "");
    elsewhere.path = elsewhere.path.replace("/7/", "/8/");
    assert_eq!(refused(&mut state, Duration::ZERO, &elsewhere).0, 404);
    let csv = request("GET", "/public/notes", Some(&token), "").with("accept", "text/csv");
    assert_eq!(refused(&mut state, Duration::ZERO, &csv), (406, "PGRST107".to_owned()));
    let form = request("POST", "/public/notes", Some(&token), "a=b")
        .with("content-type", "application/x-www-form-urlencoded");
    assert_eq!(refused(&mut state, Duration::ZERO, &form), (415, "PGRST102".to_owned()));
    let upsert = request("POST", "/public/notes", Some(&token), "{}")
        .with("prefer", "resolution=merge-duplicates");
    assert_eq!(refused(&mut state, Duration::ZERO, &upsert), (400, "PGRST100".to_owned()));
}

#[test]
fn only_living_oauth_tokens_of_a_role_are_taken() {
    let mut state = state();
    let (good, database) =
        (token(&mut state, TokenUse::Workspace), token(&mut state, TokenUse::Database));
    let get = |bearer: Option<&str>| request("GET", "/public/notes", bearer, "");
    for (bearer, real, code) in [
        (None, Duration::ZERO, "PGRST302"),
        (Some("dapi1"), Duration::ZERO, "PGRST301"),
        (Some("a.b.c"), Duration::ZERO, "PGRST301"),
        (Some(database.as_str()), Duration::ZERO, "PGRST303"),
        (Some(good.as_str()), HOUR, "PGRST303"),
    ] {
        assert_eq!(refused(&mut state, real, &get(bearer)), (401, code.to_owned()), "{bearer:?}");
    }
    let planned = plan(&mut state, Duration::ZERO, &get(Some(&good)));
    assert_eq!(planned.map(|plan| plan.role).ok(), Some(state.credentials.client_id.clone()));
    state.world.roles.clear();
    let role = refused(&mut state, Duration::ZERO, &get(Some(&good)));
    assert_eq!(role, (401, "22023".to_owned()));
}

#[test]
fn the_host_names_the_endpoint_and_a_request_wakes_it() {
    let mut state = state();
    let token = token(&mut state, TokenUse::Workspace);
    let at = |id: &str, state: &State| {
        let endpoint = state.world.endpoints.iter().find(|endpoint| endpoint.id() == id).unwrap();
        request("GET", "/public/notes", Some(&token), "").with("host", &endpoint.host())
    };
    let (sleepy, disabled) = (at("sleepy", &state), at("disabled", &state));
    let refused = refused(&mut state, Duration::ZERO, &disabled);
    assert_eq!(refused, (503, "PGRST000".to_owned()));
    let plan = plan(&mut state, Duration::ZERO, &sleepy).ok().unwrap();
    assert!(matches!(decide(&mut state, Duration::ZERO, &plan.route), Decision::Wait(_)));
    assert!(matches!(decide(&mut state, HOUR, &plan.route), Decision::Accept));
    let endpoint = state.world.endpoint(&plan.route.endpoint).unwrap();
    assert_eq!(endpoint.compute, Compute::Active);
    assert_eq!(endpoint.last_active, state.clock.now(HOUR));
}

#[test]
fn its_paths_are_told_from_others() {
    assert!(super::is_path(&format!("{}/public/notes", url("", "7"))));
    assert!(!super::is_path("/api/2.0/workspace/list"));
    assert_eq!(serde_json::to_value(Operation::DataApi).unwrap(), "data_api");
}

/// The rest of a statement without its quoted names; the only literals are the two of our own.
fn outside_of_quotes(sql: &str) -> String {
    let own = sql.replace("'[]'", "").replace("''", "");
    let (mut rest, mut quoted) = (String::new(), false);
    for c in own.chars() {
        quoted ^= c == '"';
        if !quoted {
            rest.push(c);
        }
    }
    assert!(!quoted, "a name is not closed: {sql}");
    rest
}

/// The words that a statement consists of, beside its names.
const WORDS: &str = "with _postgrest_t as select from where and not any is null true false unknown like ilike order by asc desc \
                     nulls first last limit offset coalesce pg_catalog json_agg json text count insert into default values \
                     returning _body update set delete json_populate_record json_populate_recordset";

fn anything() -> impl Strategy<Value = String> {
    let nasty = r#"' " \ ; -- /* $1 $$ ( ) , . * = & %00 %22 %27 -> :: : eq. in.( not. is.null like. ü %F0%9F%92%A9 select order"#;
    let nasty = nasty.split(' ').chain(["drop table notes", "or 1=1", "\0"]);
    let nasty = prop::sample::select(nasty.collect::<Vec<_>>());
    prop::collection::vec(prop_oneof![nasty.prop_map(str::to_owned), any::<String>()], 0..6)
        .prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn nothing_in_a_request_gets_into_the_sql_but_quoted_names(
        (schema, table) in (anything(), anything()),
        pairs in prop::collection::vec((anything(), anything()), 0..5),
        method in prop::sample::select(vec!["GET", "POST", "PATCH", "DELETE"]),
        fields in prop::collection::vec((any::<String>(), anything()), 0..4),
    ) {
        let text: Vec<String> = pairs.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let Ok(query) = parse(&text.join("&")) else { return Ok(()) };
        let body = serde_json::to_string(&fields.into_iter().collect::<std::collections::BTreeMap<_, _>>()).unwrap();
        let action = Action::of(method).unwrap();
        let Ok(statement) = build(action, &schema, &table, &query, true, &body) else { return Ok(()) };
        let outside = outside_of_quotes(&statement.sql);
        prop_assert!(!outside.contains(['\'', ';', '-', '/', '\\', '\0']), "{}", outside);
        for word in outside.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').filter(|word| !word.is_empty()) {
            let bound = word.strip_prefix('$').and_then(|n| n.parse::<usize>().ok());
            let good = WORDS.split_whitespace().any(|known| known == word)
                || bound.is_some_and(|n| (1..=statement.parameters.len()).contains(&n))
                || word.parse::<u64>().is_ok();
            prop_assert!(good, "`{}` in {}", word, statement.sql);
        }
    }

    #[test]
    fn any_column_name_and_value_can_be_asked_for(name in "[^\0]{1,20}", value in any::<String>()) {
        let quoted = format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""));
        let encode = |text: &str| text.bytes().map(|b| format!("%{b:02X}")).collect::<String>();
        let query = parse(&format!("{}=eq.{}", encode(&quoted), encode(&value))).unwrap();
        let filter = Filter { column: name, negated: false, test: Test::Operator("=", value) };
        prop_assert_eq!(query.filters, vec![filter]);
    }

    #[test]
    fn no_request_panics(target in anything(), body in anything(), method in "[A-Z]{0,7}") {
        let mut state = state();
        let token = token(&mut state, TokenUse::Workspace);
        let _ = plan(&mut state, Duration::ZERO, &request(&method, &format!("/public/{target}"), Some(&token), &body));
    }
}
