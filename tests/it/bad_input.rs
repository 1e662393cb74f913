//! Wrong settings, wrong credentials, wrong replies, wrong servers: each with the error that users see.
//!
//! Every message names the setting or resource, where the value came from, and what is accepted.

use std::time::Duration;

use lakebase::ErrorKind::{self, Config, LoginRefused, NotFound, Protocol, TimedOut, Tls};
use lakebase_emulator::{Body, Effect, Emulator, Fault, Operation};
use lakebase_runtime::{Options, auto};
use lakebase_testkit::assert_error;

use crate::support::{Setup, endpoint, shared};

on_each_runtime! {
    settings workspace_settings identities names replies servers unix_socket_path expired_pat
}

/// A setup, and all parts of the message with its causes.
type Row<'a> = (Setup, &'a [&'a str]);

/// Each row ends in an error of this kind.
async fn check(kind: ErrorKind, rows: impl IntoIterator<Item = Row<'_>>) {
    for (setup, parts) in rows {
        // An error that is not of time may take as long as a busy machine needs.
        let limit = if kind == TimedOut { 2 } else { 60 };
        assert_error(&setup.set("PGCONNECT_TIMEOUT", limit).refused().await, kind, parts);
    }
}

async fn settings() {
    let url = |url: &str| Setup::empty().set("LAKEBASE_PG_URL", url);
    let it = || Setup::m2m(shared());
    let accepted = "accepted: postgresql://user:password@host:port/database";
    check(Config, [
        (url("no url"), &["LAKEBASE_PG_URL (environment variable): not a URL", accepted][..]),
        (url("mysql://u@h/d"), &["LAKEBASE_PG_URL", "scheme is not postgresql", accepted]),
        (url("postgresql://u:p@h:0/d"), &[
            "LAKEBASE_PG_URL (environment variable): the port is not one of 1 to 65535", "percent-encode",
        ]),
        (url("postgresql://u:p@h:x/d"), &["LAKEBASE_PG_URL", "the port is not one of 1 to 65535"]),
        (url("postgresql://u:p/x@h/d"), &["LAKEBASE_PG_URL", "after the host, an @", "/ as %2F"]),
        (url("postgresql://u:p@h,i/d"), &["LAKEBASE_PG_URL", "several hosts are not supported"]),
        (url("postgresql://u:p@h/d?sslcert=c"), &[
            "sslcert (in the URL of LAKEBASE_PG_URL): not supported: client certificates are not supported",
        ]),
        (url("postgresql://u:p@h/d?channel_binding=require"), &[
            "channel_binding (in the URL of LAKEBASE_PG_URL): \"require\" is not supported", "accepted: disable, prefer",
        ]),
        (url("postgresql://u:p@h/d?sslrootcert=system&sslmode=require"), &[
            "sslrootcert (in the URL of LAKEBASE_PG_URL): system needs sslmode verify-full, but sslmode is require",
        ]),
        (url("postgresql://u:p@h/d?keepalives_idle=x"), &["keepalives_idle (in the URL", "whole seconds"]),
        (url("postgresql://u:p@h/d?target_session_attrs=standby"), &[
            "target_session_attrs (in the URL of LAKEBASE_PG_URL): a read-only endpoint cannot be chosen",
        ]),
        (it().set("PGTARGETSESSIONATTRS", "any-replica"), &[
            "PGTARGETSESSIONATTRS (environment variable): \"any-replica\"", "accepted: any, read-write",
        ]),
        (it().set("PGCHANNELBINDING", "require"), &[
            "PGCHANNELBINDING (environment variable): \"require\" is not supported: no login binds its channel",
        ]),
        (it().set("PGREQUIREAUTH", "scram"), &["PGREQUIREAUTH (environment variable): \"scram\" holds an unk"]),
        (it().set("PGHOST", "a.example,b.example"), &["PGHOST (environment variable): several hosts"]),
        (it().set("PGHOST", "u:p@h"), &["PGHOST (environment variable): has an @ or ://"]),
        (it().set("PGDATABASE", "postgresql://h/d"), &["PGDATABASE (environment variable): has a ://"]),
        (url("postgresql://u:p@h/d?sslmode=maybe"), &[
            "sslmode (in the URL of LAKEBASE_PG_URL): \"maybe\" is not an sslmode",
            "accepted: disable, allow, prefer, require, verify-ca, verify-full",
        ]),
        (url("postgresql://u:p@h/d?tea=1"), &["parameter \"tea\" is not supported", "accepted: app"]),
        (url("postgresql://u@db.example/d"), &["host (in the URL of LAKEBASE_PG_URL)", "PGPASSWORD"]),
        (url("postgresql://u:p@h/d").set("LAKEBASE_PROJECT", "p"), &[
            "LAKEBASE_PG_URL (environment variable) and LAKEBASE_PROJECT (environment variable) contradict",
        ]),
        (it().set("PGSSLMODE", "TLS"), &["PGSSLMODE (environment variable): \"TLS\"", "verify-full"]),
        (it().set("PGSSLMODE", "disable"), &[
            "PGSSLMODE (environment variable): sslmode disable would send a token", "accepted: verify-full",
        ]),
        (it().set("PGPORT", 0), &["PGPORT (environment variable): \"0\" is not a port", "1 to 65535"]),
        (it().set("PGPORT", "x"), &["PGPORT (environment variable): \"x\" is not a port"]),
        (it().set("PGPORT", 65_536), &["\"65536\" is not a port; accepted: 1 to 65535"]),
        (it().set("PGHOSTADDR", "db"), &["PGHOSTADDR (environment variable): \"db\" is not an IP address"]),
        (it().set("PGOPTIONS", "geqo"), &["PGOPTIONS (environment variable)", "accepted: -c name=value"]),
        (it().set("PGSSLROOTCERT", "/no"), &["PGSSLROOTCERT (environment variable): cannot read \"/no\""]),
        (it().file("/emulated/ca.pem", "no pem"), &["PGSSLROOTCERT (environment variable)", "PEM cert"]),
        (it().set("LAKEBASE_DNS", "dns.example"), &[
            "LAKEBASE_DNS (environment variable): \"dns.example\" is not the address of a DNS server",
        ]),
        (it().set("LAKEBASE_DNS", "127.0.0.1:0"), &["LAKEBASE_DNS", "accepted: ip, ip:port"]),
        (Setup::empty(), &["nothing says what to connect to", "LAKEBASE_ENDPOINT", "LAKEBASE_PG_URL"]),
    ])
    .await;
    // What is read when a time-out is set.
    let error = it().set("PGCONNECT_TIMEOUT", "soon").refused().await;
    let expected = "PGCONNECT_TIMEOUT (environment variable): \"soon\" is not a time-out; accepted: whole seconds";
    assert!(error.to_string().starts_with(expected), "{error}");
}

async fn workspace_settings() {
    let it = || Setup::m2m(shared());
    let by_profile = |text: &str| {
        Setup::place(shared())
            .unset("DATABRICKS_HOST")
            .endpoint(&shared().description().endpoint)
            .set("DATABRICKS_CONFIG_PROFILE", "dev")
            .set("HOME", "/home/me")
            .file("/home/me/.databrickscfg", text)
    };
    let unreadable = it().unset("DATABRICKS_HOST").set("DATABRICKS_CONFIG_PROFILE", "dev");
    let wrong: [Row<'_>; 12] = [
        (it().unset("DATABRICKS_HOST"), &["no workspace is configured", "DATABRICKS_HOST"]),
        (
            it().set("DATABRICKS_HOST", "http://db.example"),
            &["DATABRICKS_HOST (environment variable): is http://", "only loopback"],
        ),
        (
            it().set("DATABRICKS_HOST", "ftp://db.example"),
            &["DATABRICKS_HOST", "scheme other than https"],
        ),
        (
            it().set("DATABRICKS_HOST", "a b"),
            &["DATABRICKS_HOST (environment variable): is not an address"],
        ),
        (unreadable.clone(), &["DATABRICKS_CONFIG_PROFILE", "HOME"]),
        (unreadable.set("HOME", "/home/me"), &["/home/me/.databrickscfg cannot be read"]),
        (
            by_profile("[dev]\ntoken"),
            &["/home/me/.databrickscfg: line 2 has no `=`; accepted: [profile]"],
        ),
        (
            by_profile("[prod]\nhost = x"),
            &["DATABRICKS_CONFIG_PROFILE (environment variable)", "\"dev\""],
        ),
        (
            by_profile("[dev]\nhost = ftp://x\ntoken = t"),
            &["host (profile dev in /home/me/.databrickscfg)"],
        ),
        (
            it().set("DATABRICKS_TOKEN", "dapi-x"),
            &[
                "more than one authorization method configured: oauth and pat",
                "DATABRICKS_TOKEN (environment variable)",
                "DATABRICKS_CLIENT_ID (environment variable)",
            ],
        ),
        (
            it().unset("DATABRICKS_CLIENT_SECRET"),
            &[
                "DATABRICKS_CLIENT_ID (environment variable)",
                "DATABRICKS_CLIENT_SECRET), which is not set",
            ],
        ),
        (
            it().set("DATABRICKS_AUTH_TYPE", "magic"),
            &["\"magic\" is not known; accepted: pat, metadata-service, oauth-m2m"],
        ),
    ];
    check(Config, wrong).await;
}

async fn identities() {
    let wrong = Setup::m2m(shared()).set("DATABRICKS_CLIENT_SECRET", "wrong").refused().await;
    let parts = [
        "the workspace refused client id",
        "from DATABRICKS_CLIENT_ID (environment variable)",
        "with the secret from DATABRICKS_CLIENT_SECRET (environment variable)",
    ];
    assert_error(&wrong, ErrorKind::Unauthenticated, &parts);
    let wrong = Setup::pat(shared()).set("DATABRICKS_TOKEN", "dapi-wrong").refused().await;
    let parts = ["answered 403", "Invalid access token"];
    assert_error(&wrong, ErrorKind::PermissionDenied, &parts);
    let wrong = Setup::password(shared()).set("PGPASSWORD", "wrong").refused().await;
    assert_error(&wrong, LoginRefused, &["password authentication failed"]);
}

async fn expired_pat() {
    let emulator = Emulator::builder().pat_lifetime(Duration::from_secs(60)).start().unwrap();
    emulator.advance(Duration::from_secs(61));
    let error = Setup::pat(&emulator).refused().await;
    assert_error(&error, ErrorKind::PermissionDenied, &["answered 403", "Invalid access"]);
}

async fn names() {
    let to = |name: &str| Setup::m2m(shared()).endpoint(name);
    let branch = |project: &str, branch: &str| Setup::m2m(shared()).branch(project, branch);
    let accepted = "accepted: projects/{project}/branches/{branch}";
    let wrong: [Row<'_>; 6] = [
        (to("primary"), &["LAKEBASE_ENDPOINT (environment variable): \"primary\"", accepted]),
        (
            to("projects/demo/branches//endpoints/e"),
            &["LAKEBASE_ENDPOINT", "the branch id \"\" is empty"],
        ),
        (
            to("projects/d?x/branches/b/endpoints/e"),
            &["LAKEBASE_ENDPOINT", "has a character other than"],
        ),
        (
            branch("a/b", "main"),
            &["LAKEBASE_PROJECT (environment variable)", "the project id \"a/b\""],
        ),
        (
            branch("demo", "a b"),
            &["LAKEBASE_BRANCH (environment variable)", "the branch id \"a b\""],
        ),
        (
            Setup::m2m(shared()).unset("LAKEBASE_ENDPOINT").set("LAKEBASE_BRANCH", "b"),
            &["LAKEBASE_BRANCH (environment variable): a branch needs a project"],
        ),
    ];
    check(Config, wrong).await;
    let unknown: [Row<'_>; 6] = [
        (
            branch("nope", "production"),
            &["projects/nope/branches/production", "project id not found"],
        ),
        (branch("demo", "nope"), &["projects/demo/branches/nope", "branch id not found"]),
        (
            to("projects/demo/branches/dev/endpoints/nope"),
            &["endpoints/nope", "endpoint id not found"],
        ),
        (
            branch("demo", "empty"),
            &["projects/demo/branches/empty has no read-write endpoint; there: none"],
        ),
        (
            Setup::m2m(shared()).set("PGUSER", "nobody"),
            &["role \"nobody\" does not exist", "databricks_create_role"],
        ),
        (Setup::m2m(shared()).set("PGDATABASE", "nope"), &["database \"nope\"", "does not exist"]),
    ];
    check(NotFound, unknown).await;
    let disabled: [Row<'_>; 1] = [(
        branch("demo", "frozen"),
        &["every read-write endpoint of", "disabled (read-write, disabled)"],
    )];
    check(ErrorKind::Disabled, disabled).await;
    let refused: [Row<'_>; 1] = [(
        Setup::m2m(shared()).set("PGUSER", &shared().description().user),
        &["also with a fresh token", "the user name is not this identity's"],
    )];
    check(LoginRefused, refused).await;
}

async fn replies() {
    let omit = |field: &str| Effect::Omit { field: field.to_owned() };
    let garble = |body| Effect::Garble { body };
    let html = Effect::Reply {
        status: 502,
        body: Body::Html,
        retry_after: None,
        error_code: None,
        message: None,
    };
    let dead = Effect::Lifetime { duration: Duration::ZERO };
    for (effect, kinds, part) in [
        (omit("token"), &[Protocol][..], "token"),
        (omit("expire_time"), &[Protocol], "expire_time"),
        (Effect::Expired, &[Protocol], "had expired when it arrived"),
        (dead, &[Protocol], "had expired when it arrived"),
        (garble(Body::Html), &[Protocol], "JSON"),
        (garble(Body::Truncated), &[Protocol], "the database credential ends too early"),
        (garble(Body::Empty), &[Protocol], "the database credential "),
        (garble(Body::Cut), &[TimedOut], "127.0.0.1"),
        (Effect::Drop, &[TimedOut], "127.0.0.1"),
        (html, &[TimedOut], "answered 502 Bad Gateway (HTML body)"),
    ] {
        let (name, _) = endpoint(shared());
        shared().inject(Fault::new(Operation::Credentials, effect.clone()).only(&name));
        let lakebase = Setup::m2m(shared()).endpoint(&name).build_within(Duration::from_secs(2));
        let error = lakebase.connect().await.map(drop).unwrap_err();
        let report = error.report();
        assert!(kinds.contains(&error.kind()), "{effect:?}: {:?}: {report}", error.kind());
        assert!(report.contains(part), "{effect:?}: {report}");
        assert!(report.contains(&name), "{effect:?}: {report}");
        assert!(!report.contains("<html>") && !report.contains("eyJ"), "{report}");
    }
}

async fn servers() {
    let it = || Setup::m2m(shared());
    // A native password goes to any host.
    let native = || Setup::password(shared());
    let nobody = it().set("PGHOSTADDR", "127.0.0.1").set("PGPORT", 1);
    let parts =
        ["no login to database \"databricks_postgres\"", "within 2s (", "onnection refused"];
    let gone = it().set("DATABRICKS_HOST", "http://127.0.0.1:1");
    let silent: [Row<'_>; 2] = [(nobody, &parts), (gone, &["could not reach 127.0.0.1:1"])];
    check(TimedOut, silent).await;
    let error = native().set("PGHOST", "nowhere.emulator.lakebase.test").refused().await;
    let unknown = "cannot look up host \"nowhere.emulator.lakebase.test\"";
    assert_error(&error, NotFound, &[unknown, "so did a direct DNS query"]);
    let authority = ["invalid peer certificate", "PGSSLROOTCERT"];
    let elsewhere = |setup: Setup| setup.set("PGHOST", "db.example").set("PGHOSTADDR", "127.0.0.1");
    let not_trusted: [Row<'_>; 3] = [
        (it().unset("PGSSLROOTCERT"), &authority),
        (it().file("/emulated/ca.pem", &another_authority()), &authority),
        (elsewhere(native()), &["check the host name"]),
    ];
    check(Tls, not_trusted).await;
    let parts = [
        "db.example is not a host of projects/demo/",
        "only to hosts that the workspace reports; there: ep-primary",
    ];
    assert_error(&elsewhere(it()).refused().await, Config, &parts);
}

/// The authority of another emulator, which this one's certificate does not come from.
fn another_authority() -> String {
    Emulator::builder().start().unwrap().ca_pem().to_owned()
}

async fn unix_socket_path() {
    let folder = tempfile::tempdir().unwrap();
    let long = folder.path().join("x".repeat(120));
    std::fs::create_dir(&long).unwrap();
    let servers = lakebase_runtime::parse_servers(&shared().description().dns).unwrap();
    let options = Options::new().dns_servers(servers).socket_parent(&long);
    let runtime = auto(&options).unwrap();
    let lakebase = Setup::m2m(shared()).builder().build_with(runtime).unwrap();
    for error in [
        lakebase.connect().await.map(drop).unwrap_err(),
        lakebase.pool(lakebase::PoolOptions::new()).await.map(drop).unwrap_err(),
    ] {
        let report = error.report();
        assert!(report.contains("a Unix socket would have a path of"), "{report}");
        assert!(report.contains("give `Options::socket_parent` a short path"), "{report}");
        assert_eq!(error.kind(), Config, "{report}");
    }
    // A server's own socket with such a path.
    let url = format!("postgresql://u:p@/d?host=/tmp/{}", "x".repeat(200));
    let error = Setup::empty().set("LAKEBASE_PG_URL", url).refused().await;
    assert_eq!(error.kind(), Config, "{error:?}");
    assert!(error.to_string().starts_with("cannot log in to database"), "{error}");
}
