//! Connection strings as people copy them, and the files and variables of libpq beside them: each logs in.

use lakebase::core::FileStatus;
use lakebase::sqlx::{Connection as _, query_scalar};
use lakebase::{Access, ErrorKind, Lakebase, LoadBalanceHosts, TcpOptions};
use lakebase_emulator::EndpointKind;
use lakebase_testkit::bad_server::BadServer;

use crate::support::{Setup, current_user, endpoint, endpoint_name, shared};

on_each_runtime! { parameters_of_libpq keywords_and_values at_sign_in_a_user password_file kinds_of_sessions ways_to_authenticate }

/// A server that is named by `url`, with nothing but where the emulator is.
fn by_url(url: &str) -> Setup {
    Setup::place(shared()).unset("DATABRICKS_HOST").set("LAKEBASE_PG_URL", url)
}

async fn who(setup: &Setup) -> String {
    current_user(&setup.build()).await.unwrap()
}

/// A URL with the native password, to the emulator's host.
fn native_url() -> String {
    let it = shared().description();
    format!("postgresql://{}:{}@{}/{}", it.password_user, it.password, it.pg_host, it.database)
}

async fn parameters_of_libpq() {
    let it = shared().description();
    for parameters in [
        "sslmode=require",
        "ssl=true",
        "keepalives=1&keepalives_idle=20&keepalives_interval=5&keepalives_count=4&tcp_user_timeout=30000",
        "keepalives=0&load_balance_hosts=random",
        "target_session_attrs=read-write",
        "target_session_attrs=prefer-standby",
        "channel_binding=prefer&gssencmode=prefer&sslnegotiation=postgres&sslcertmode=allow",
        "sslcompression=0&sslsni=1&ssl_min_protocol_version=TLSv1.2&max_protocol_version=latest",
        "client_encoding=utf8&krbsrvname=postgres&replication=false&connect_timeout=10",
        "application_name=a%40b&fallback_application_name=c&options=-c%20geqo%3Doff",
    ] {
        let setup = by_url(&format!("{}?{parameters}", native_url()));
        assert_eq!(who(&setup).await, it.password_user, "{parameters}");
    }
    let setup = by_url(&format!("{}?keepalives=0&load_balance_hosts=random", native_url()));
    let config = setup.build().connector().config().clone();
    assert_eq!((config.tcp.keepalive, config.load_balance_hosts), (None, LoadBalanceHosts::Random));
    let explicit = setup.builder().tcp(TcpOptions::default()).build().unwrap();
    assert_eq!(explicit.connector().config().tcp, TcpOptions::default(), "the program comes first");
    let named = by_url(&format!("{}?fallback_application_name=tool", native_url()));
    let mut connection = named.build().connect().await.unwrap();
    let name: String = query_scalar("select current_setting('application_name')")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(name, "tool");
    connection.close().await.unwrap();
}

async fn keywords_and_values() {
    let it = shared().description();
    let words = format!(
        "host={} dbname={} user='{}' password='{}' sslmode=verify-full",
        it.pg_host, it.database, it.password_user, it.password
    );
    assert_eq!(who(&by_url(&words)).await, it.password_user);
}

/// The vendor's form for tokens: the user is an address, and nothing is encoded.
async fn at_sign_in_a_user() {
    let it = shared().description();
    let (name, host) = endpoint(shared());
    assert!(it.user.contains('@'), "{}", it.user);
    let url = format!("postgresql://{}@{host}/{}?sslmode=require", it.user, it.database);
    let setup = Setup::pat(shared()).unset("LAKEBASE_ENDPOINT").set("LAKEBASE_PG_URL", url);
    assert_eq!(who(&setup).await, it.user);
    assert_eq!(endpoint_name(&setup.build()).await, name);
}

async fn password_file() {
    let it = shared().description();
    let entry = format!("{}:*:{}:{}:{}", it.pg_host, it.database, it.password_user, it.password);
    let url = format!("postgresql://{}@{}/{}", it.password_user, it.pg_host, it.database);
    let by_url = by_url(&url);
    let by_host = Setup::place(shared())
        .set("PGHOST", &it.pg_host)
        .set("PGUSER", &it.password_user)
        .set("PGDATABASE", &it.database);
    let home = |setup: Setup| setup.set("HOME", "/home/me").file("/home/me/.pgpass", &entry);
    let named = |setup: Setup| setup.set("PGPASSFILE", "/secrets").file("/secrets", &entry);
    for setup in
        [home(by_url.clone()), named(by_url), home(by_host.clone()), named(by_host.clone())]
    {
        assert_eq!(who(&setup).await, it.password_user, "{setup:?}");
        let report = setup.builder().effective_settings().unwrap();
        let password = report.iter().find(|setting| setting.key == "password").unwrap();
        assert!(password.origin.to_string().ends_with("(password file)"), "{password:?}");
        assert!(!format!("{report:?}").contains(&it.password), "{report:?}");
    }
    // One that others may read is not used, and said to be there where that matters.
    let environment = home(by_host.unset("DATABRICKS_HOST")).environment();
    let environment =
        environment.with_file_status(|_| Ok(FileStatus { is_regular: true, mode: Some(0o644) }));
    let error = Lakebase::builder().environment(environment).build().unwrap_err().to_string();
    let problem =
        "password file /home/me/.pgpass has mode 0644, so others may read it; set it to 0600";
    assert!(error.starts_with("PGHOST (environment variable): "), "{error}");
    assert!(error.ends_with(problem), "{error}");
    // A token is what an endpoint is logged in to with, whatever the file says.
    let token = home(Setup::m2m(shared()).set("PGUSER", &it.client_id));
    assert_eq!(who(&token).await, it.client_id);
}

async fn kinds_of_sessions() {
    let it = shared().description();
    let (name, _) = endpoint(shared());
    let branch = name.split("/endpoints/").next().unwrap().to_owned();
    let replica = format!("{branch}/endpoints/replica");
    let (project, _) = branch.split_once("/branches/").unwrap();
    let project = project.strip_prefix("projects/").unwrap();
    let setup = Setup::m2m(shared()).branch(project, "production");
    let chosen = |attributes: &'static str| {
        let setup = setup.clone().set("PGTARGETSESSIONATTRS", attributes);
        async move { setup.build().endpoint().await.map(|found| found.unwrap().name.to_string()) }
    };
    // As long as there is no replica.
    assert_eq!(chosen("prefer-standby").await.unwrap(), name);
    assert_eq!(chosen("standby").await.unwrap_err().kind(), ErrorKind::NotFound);
    shared().add_endpoint(&replica, EndpointKind::ReadOnly).unwrap();
    for (attributes, expected) in [
        ("any", &name),
        ("read-write", &name),
        ("primary", &name),
        ("read-only", &replica),
        ("standby", &replica),
        ("prefer-standby", &replica),
    ] {
        assert_eq!(&chosen(attributes).await.unwrap(), expected, "{attributes}");
    }
    // The program comes first.
    let explicit = setup.set("PGTARGETSESSIONATTRS", "standby").builder().access(Access::ReadWrite);
    assert_eq!(endpoint_name(&explicit.build().unwrap()).await, name);
    // A server that is named and logged in to with a password leaves no choice.
    let refused = by_url(&format!("{}?target_session_attrs=standby", native_url())).refused().await;
    assert!(refused.to_string().contains("name the read-only host itself"), "{refused}");
    assert!(!refused.report().contains(&it.password), "{refused}");
}

/// The emulator asks for the password itself, as Lakebase does.
async fn ways_to_authenticate() {
    let it = shared().description();
    for allowed in ["password", "!md5,!none", "gss,password"] {
        let setup = by_url(&format!("{}?require_auth={allowed}", native_url()));
        assert_eq!(who(&setup).await, it.password_user, "{allowed}");
        let token = Setup::m2m(shared()).set("PGREQUIREAUTH", allowed);
        assert_eq!(who(&token).await, it.client_id, "{allowed}");
    }
    for refused in ["scram-sha-256", "!password", "none"] {
        let setup = by_url(&format!("{}?require_auth={refused}", native_url()));
        let token = Setup::m2m(shared()).set("PGREQUIREAUTH", refused);
        for setup in [setup, token] {
            let error = setup.refused().await;
            assert_eq!(error.kind(), ErrorKind::Config, "{}", error.report());
            let said = "authentication by password, which require_auth does not allow";
            assert!(error.report().contains(said), "{}", error.report());
        }
    }
    // Who lets everybody in did not prove that it knows the role.
    let open = BadServer::start("no ready");
    let url = format!("postgresql://u:p@127.0.0.1:{}/d?require_auth=password", open.port());
    let error = Setup::empty().set("LAKEBASE_PG_URL", url).refused().await;
    assert!(error.report().contains("authentication by none, which"), "{}", error.report());
}
