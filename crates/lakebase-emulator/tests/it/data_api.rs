//! The Data API over HTTP, on a real Postgres.

use std::time::Duration;

use lakebase_emulator::{Body, Effect, Emulator, Fault, Operation};
use serde_json::{Value, json};

use crate::client::{Answer, Login, Session, credential, http, http_with, workspace_token};

const HOSTILE: &[&str] = &[
    "",
    " ",
    "null",
    "'; drop table notes; --",
    "\" or \"\"=\"",
    "\\",
    "$1",
    "a,b)(c",
    "{\"x\"}",
    "*%_",
    "ünï 💩 \u{202e}",
    "line\nbreak\ttab",
    "..eq.not",
];

fn encode(text: &str) -> String {
    text.bytes().map(|b| format!("%{b:02X}")).collect()
}

struct Api {
    emulator: Emulator,
    token: String,
    base: String,
}

impl Api {
    /// With a table that the native role made and the service principal may use.
    async fn start() -> (Self, Session) {
        let emulator =
            Emulator::builder().exposed_schemas(["public", "pg_catalog"]).start().unwrap();
        let d = emulator.description();
        let token = workspace_token(d).await;
        let base = d.data_api.strip_prefix(&d.host).unwrap().to_owned();
        let mut session = Login::native(&emulator).connect().await.unwrap();
        let table = "create table notes (id int primary key, author text not null default current_user, body text, \
                     done boolean, tags jsonb)";
        for statement in [table, "create schema private", "create table private.secrets (a int)"] {
            session.query(statement).await.unwrap();
        }
        (Self { emulator, token, base }, session)
    }

    async fn send(&self, method: &str, path: &str, body: &str) -> Answer {
        self.send_with(method, path, &[], body).await
    }

    async fn send_with(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let path = format!("{}{path}", self.base);
        let d = self.emulator.description();
        http_with(d, method, &path, &self.token, headers, body).await.unwrap()
    }

    /// The rows that a path below `/public/notes` gives.
    async fn rows(&self, query: &str) -> Value {
        let answer = self.send("GET", &format!("/public/notes?{query}"), "").await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.body);
        answer.json()
    }
}

const REPRESENTATION: &[(&str, &str)] = &[("prefer", "return=representation")];

#[tokio::test]
async fn rows_are_written_read_changed_and_deleted_in_the_identitys_role() {
    let (api, _session) = Api::start().await;
    let rows = json!([
        { "id": 1, "body": "one", "done": true, "tags": {"z": 1, "a": [2]} },
        { "id": 2, "body": "two", "done": false, "tags": null },
        { "id": 3, "body": null, "done": null, "tags": "x" },
    ]);
    let written = api.send("POST", "/public/notes", &rows.to_string()).await;
    assert_eq!((written.status, written.body.as_str()), (201, ""));
    let client = api.emulator.description().client_id.clone();
    assert_eq!(api.rows("select=author&id=eq.1").await, json!([{ "author": client }]));

    for (query, ids) in [
        ("order=id", &[1, 2, 3][..]),
        ("id=neq.2&order=id.desc", &[3, 1]),
        ("id=gt.1&id=lt.3", &[2]),
        ("id=gte.2&order=body.nullsfirst", &[3, 2]),
        ("id=lte.2&order=done.desc,id", &[1, 2]),
        ("body=like.t*", &[2]),
        ("body=ilike.ONE", &[1]),
        ("body=not.ilike.o*", &[2]),
        ("id=in.(1,3)&order=id", &[1, 3]),
        ("id=not.in.(1,3)", &[2]),
        ("id=in.()", &[]),
        ("body=in.(one,%22two%22)&order=id", &[1, 2]),
        ("done=is.null", &[3]),
        ("done=is.not_null&order=id", &[1, 2]),
        ("done=not.is.true&order=id", &[2, 3]),
        ("order=id&limit=1&offset=1", &[2]),
        ("limit=0", &[]),
    ] {
        let found = api.rows(&format!("select=id&{query}")).await;
        let ids: Vec<_> = ids.iter().map(|id| json!({ "id": id })).collect();
        assert_eq!(found, Value::Array(ids), "{query}");
    }
    let page =
        api.send("GET", "/public/notes?select=n:id,tags&order=id&limit=2&offset=1", "").await;
    assert!(page.head.contains("content-range: 1-2/*"), "{}", page.head);
    assert!(page.head.contains("content-type: application/json; charset=utf-8"), "{}", page.head);
    assert_eq!(page.json(), json!([{ "n": 2, "tags": null }, { "n": 3, "tags": "x" }]));
    let none = api.send("GET", "/public/notes?id=eq.9", "").await;
    assert!(none.body == "[]" && none.head.contains("content-range: */*"), "{none:?}");

    let (path, new) = ("/public/notes?id=gte.2&select=id,body", r#"{"body":"new"}"#);
    let changed = api.send_with("PATCH", path, REPRESENTATION, new).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    assert_eq!(changed.json(), json!([{ "id": 2, "body": "new" }, { "id": 3, "body": "new" }]));
    let silent = api.send("PATCH", "/public/notes?id=eq.2", r#"{"done":true}"#).await;
    assert_eq!((silent.status, silent.body.as_str()), (204, ""));
    assert_eq!(api.send("DELETE", "/public/notes?id=eq.2", "").await.status, 204);
    let gone = api.send_with("DELETE", "/public/notes?select=id&id=eq.3", REPRESENTATION, "").await;
    assert_eq!((gone.status, gone.json()), (200, json!([{ "id": 3 }])));
    assert_eq!(api.rows("select=id").await, json!([{ "id": 1 }]));
}

#[tokio::test]
async fn hostile_names_and_values_are_names_and_values() {
    let (api, mut session) = Api::start().await;
    for (id, value) in HOSTILE.iter().enumerate() {
        let row = json!({ "id": id, "body": value }).to_string();
        assert_eq!(api.send("POST", "/public/notes", &row).await.status, 201, "{value}");
        let found = api.rows(&format!("select=id&body=eq.{}", encode(value))).await;
        assert_eq!(found, json!([{ "id": id }]), "{value:?}");
        let quoted = format!("(\"{}\")", value.replace('\\', "\\\\").replace('"', "\\\""));
        let found = api.rows(&format!("select=id&body=in.{}", encode(&quoted))).await;
        assert_eq!(found, json!([{ "id": id }]), "{value:?}");
    }
    for column in HOSTILE.iter().filter(|column| !column.is_empty()) {
        let name = format!("\"{}\"", column.replace('\\', "\\\\").replace('"', "\\\""));
        for query in ["select={}", "order={}", "{}=eq.1"] {
            let path = format!("/public/notes?{}", query.replace("{}", &encode(&name)));
            let answer = api.send("GET", &path, "").await;
            assert_eq!(answer.refusal(), (400, "42703".to_owned()), "{path}");
        }
        let body = json!({ *column: 1 }).to_string();
        for method in ["POST", "PATCH"] {
            let answer = api.send(method, "/public/notes", &body).await;
            assert_eq!(answer.refusal(), (400, "PGRST204".to_owned()), "{body}");
        }
        let answer = api.send("GET", &format!("/public/{}", encode(column)), "").await;
        assert_eq!(answer.refusal(), (404, "PGRST205".to_owned()), "{column:?}");
    }
    let nul = api.send("GET", "/public/notes?body=eq.%00", "").await;
    assert_eq!(nul.refusal(), (400, "22021".to_owned()));
    let count = session.query("select count(*) from notes").await.unwrap();
    assert_eq!(count, HOSTILE.len().to_string());

    session.query("create table \"we \"\"ird\" (\"co,l\"\"u.mn\" text)").await.unwrap();
    let path = format!("/public/{}", encode("we \"ird"));
    let row = json!({ "co,l\"u.mn": "v" });
    assert_eq!(api.send("POST", &path, &row.to_string()).await.status, 201);
    let column = encode("\"co,l\\\"u.mn\"");
    let found = api.send("GET", &format!("{path}?select={column}&{column}=eq.v"), "").await;
    assert_eq!(found.json(), json!([row]));
}

#[tokio::test]
async fn errors_have_the_form_of_postgrest() {
    let (api, _session) = Api::start().await;
    api.send("POST", "/public/notes", r#"{"id":1}"#).await;
    for (method, path, body, status, code) in [
        ("GET", "/public/none", "", 404, "PGRST205"),
        ("GET", "/private/secrets", "", 406, "PGRST106"),
        ("GET", "/public/notes?none=eq.1", "", 400, "42703"),
        ("GET", "/public/notes?id=eq.x", "", 400, "22P02"),
        ("GET", "/public/notes?id=like.x", "", 404, "42883"),
        ("POST", "/public/notes", r#"{"id":1}"#, 409, "23505"),
        ("POST", "/public/notes", r#"{"id":null}"#, 400, "23502"),
        ("POST", "/public/notes", r#"{"id":"x"}"#, 400, "22P02"),
        ("DELETE", "/pg_catalog/pg_class", "", 403, "42501"),
        ("PUT", "/public/notes", "{}", 405, "PGRST117"),
    ] {
        let answer = api.send(method, path, body).await;
        let error = answer.json();
        let found = (answer.status, error["code"].as_str().unwrap());
        assert_eq!(found, (status, code), "{method} {path}: {error}");
        let fields: Vec<_> = error.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["code", "details", "hint", "message"]);
    }
    let d = api.emulator.description();
    let path = format!("{}/public/notes", api.base);
    for bearer in ["", "x", &d.token, &credential(&api.emulator, &d.token).await] {
        let refused = http(d, "GET", &path, bearer, "").await.unwrap();
        assert_eq!(refused.status, 401, "{}", refused.body);
        assert!(refused.head.contains("www-authenticate: Bearer"), "{}", refused.head);
    }
    api.emulator.advance(Duration::from_secs(3_601));
    let expired = api.send("GET", "/public/notes", "").await;
    assert_eq!((expired.status, &expired.json()["message"]), (401, &json!("JWT expired")));
}

#[tokio::test]
async fn faults_and_the_log_cover_it() {
    let (api, _session) = Api::start().await;
    let d = api.emulator.description();
    api.emulator.clear_requests();
    api.send("POST", "/public/notes", r#"{"id":1}"#).await;
    api.send("GET", "/public/none", "").await;
    let log: Vec<_> =
        api.emulator.requests().iter().map(|r| (r.method.clone(), r.status)).collect();
    assert_eq!(log, [("POST".to_owned(), 201), ("GET".to_owned(), 404)]);
    let reply = Effect::reply(503);
    api.emulator.inject(Fault::new(Operation::DataApi, reply).times(1));
    assert_eq!(api.send("DELETE", "/public/notes", "").await.status, 503);
    assert_eq!(api.rows("select=id").await, json!([{ "id": 1 }]), "nothing was carried out");
    let cut = Fault::new(Operation::DataApi, Effect::Garble { body: Body::Cut });
    api.emulator.inject(cut.times(1));
    let path = format!("{}/public/notes", api.base);
    assert!(http(d, "GET", &path, &api.token, "").await.is_err());

    // The host may name the endpoint: a read-only one refuses writes.
    let replica = api.emulator.endpoint_host(&d.read_only_endpoint, false).unwrap();
    let host = [("host", replica.as_str())];
    assert_eq!(api.send_with("GET", "/public/notes", &host, "").await.status, 200);
    let refused = api.send_with("POST", "/public/notes", &host, r#"{"id":2}"#).await;
    assert_eq!(refused.refusal(), (405, "25006".to_owned()));
    api.emulator.suspend(&d.endpoint).unwrap();
    assert_eq!(api.rows("select=id").await, json!([{ "id": 1 }]), "woken by the request");
    assert_eq!(api.emulator.counters(&d.endpoint).unwrap().wakes, 1);
}
