//! JavaScript values of every kind as options.

use lakebase_core::Target;
use wasm_bindgen_test::wasm_bindgen_test;

use super::*;

const GOOD: &str = "host: 'w.example', clientId: 'id', clientSecret: 'sécret', endpoint: 'projects/p/branches/b/endpoints/e'";

fn object(text: &str) -> JsValue {
    js_sys::eval(&format!("({{ {text} }})")).unwrap()
}

fn failure(options: &JsValue) -> String {
    match settings(options) {
        Ok(settings) => panic!("accepted: {settings:?}"),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(!error.to_string().contains("sécret"), "{error}");
            error.to_string()
        }
    }
}

#[wasm_bindgen_test]
fn all_options_are_read() {
    let more = "ttl: 600.5, timeout: 250, readOnly: true, database: 'd', user: 'ü', pgHost: 'h', workspaceId: '1', \
                claims: [{ permissionSet: 'R', tables: ['a.b.c', 'd'] }]";
    let settings = settings(&object(&format!("{GOOD}, {more}"))).unwrap();
    assert_eq!(settings.host.as_str(), "https://w.example");
    assert!(matches!(&settings.target, Target::Endpoint(name) if name.as_str().ends_with("/e")));
    assert!(
        matches!(&settings.identity, Identity::ServicePrincipal { client_secret, .. } if client_secret.expose() == "sécret")
    );
    assert_eq!(settings.ttl, Some(Duration::from_millis(600_500)));
    assert_eq!(settings.timeout, Duration::from_millis(250));
    assert_eq!(settings.access, Access::ReadOnly);
    assert_eq!((&*settings.database, settings.user.as_deref()), ("d", Some("ü")));
    assert_eq!(
        (settings.pg_host.as_deref(), settings.workspace_id.as_deref()),
        (Some("h"), Some("1"))
    );
    let [claim] = &*settings.claims else { panic!("{:?}", settings.claims) };
    assert_eq!((&*claim.permission_set, claim.tables.len()), ("R", 2));
}

#[wasm_bindgen_test]
fn null_and_undefined_are_as_if_not_there() {
    let settings = settings(&object(&format!(
        "{GOOD}, ttl: null, user: undefined, readOnly: null, claims: undefined"
    )))
    .unwrap();
    assert_eq!((settings.ttl, settings.user, settings.claims.len()), (None, None, 0));
    assert_eq!((settings.access, settings.timeout), (Access::ReadWrite, Duration::from_secs(5)));
}

#[wasm_bindgen_test]
fn what_is_no_object_is_refused() {
    for text in ["undefined", "null", "1", "'x'", "true", "Symbol('s')", "10n"] {
        assert!(failure(&js_sys::eval(text).unwrap()).contains("option `options`"), "{text}");
    }
}

#[wasm_bindgen_test]
fn wrong_types_name_the_option() {
    for (option, values) in [
        (
            "host",
            &["1", "{}", "['w.example']", "new String('w.example')", "' '", "Symbol('s')"][..],
        ),
        ("clientSecret", &["1", "''", "['sécret']", "null", "() => 'sécret'"]),
        ("ttl", &["'600'", "NaN", "Infinity", "-1", "1e300", "299", "3601", "600n", "true"]),
        ("timeout", &["99", "60001", "'5'", "{}"]),
        ("readOnly", &["1", "'true'", "{}"]),
        (
            "claims",
            &[
                "{}",
                "[1]",
                "[null]",
                "[{}]",
                "[{ permissionSet: '', tables: ['a'] }]",
                "[{ permissionSet: 'R', tables: [] }]",
                "[{ permissionSet: 'R', tables: 'a' }]",
                "[{ permissionSet: 'R', tables: [1] }]",
            ],
        ),
        ("database", &["''", "1"]),
        ("pgHost", &["'a b'", "'h:1'", "''"]),
        ("workspaceId", &["12", "'1 2'"]),
    ] {
        for value in values {
            let told = failure(&object(&format!("{GOOD}, {option}: {value}")));
            let part = option == "claims" && told.contains("option `permissionSet`");
            assert!(part || told.contains(&format!("option `{option}`")), "{value}: {told}");
        }
    }
}

#[wasm_bindgen_test]
fn getters_and_proxies_may_throw() {
    let told = failure(&object(&format!("{GOOD}, get ttl() {{ throw new Error('sécret'); }}")));
    assert!(told.contains("`ttl`") && told.contains("threw"), "{told}");
    let proxy = js_sys::eval("new Proxy({}, { get() { throw 'sécret'; } })").unwrap();
    assert!(failure(&proxy).contains("`host`"));
}

#[wasm_bindgen_test]
fn identities_are_exactly_one() {
    const REST: &str = "host: 'w.example', project: 'p'";
    for identity in [
        "",
        "token: 't', clientId: 'i', clientSecret: 's'",
        "clientId: 'i'",
        "clientSecret: 's'",
        "token: 't', tokenProvider: () => 't'",
        "tokenProvider: 't'",
        "oidcToken: 't'",
        "oidcToken: () => 't', clientId: 'i', clientSecret: 's'",
        "oidcToken: () => 't', tokenProvider: () => 't'",
        "oidcToken: () => 't', token: 't'",
        "token: 'é'",
    ] {
        failure(&object(&format!("{REST}, {identity}")));
    }
    let settings = settings(&object(&format!("{REST}, token: 't'"))).unwrap();
    assert!(matches!(settings.identity, Identity::Token(_)));
    assert!(
        matches!(settings.target, Target::Branch(branch) if branch.as_str().ends_with("/production"))
    );
}

#[wasm_bindgen_test]
async fn id_tokens_go_with_a_client_id_or_without() {
    for (client, expected) in [("", None), (", clientId: 'app'", Some("app"))] {
        let text = format!("host: 'w.example', project: 'p', oidcToken: async () => 'id'{client}");
        let Identity::Federated { client_id, id_tokens } =
            settings(&object(&text)).unwrap().identity
        else {
            panic!("not federated")
        };
        assert_eq!(client_id.as_deref(), expected);
        assert_eq!(id_tokens.token().await.unwrap().expose(), "id");
        assert_eq!(format!("{id_tokens:?}"), "oidcToken");
    }
    let text = "host: 'w.example', project: 'p', oidcToken: () => { throw 'sécret'; }";
    let Identity::Federated { id_tokens, .. } = settings(&object(text)).unwrap().identity else {
        panic!("not federated")
    };
    let error = id_tokens.token().await.unwrap_err();
    assert_eq!(error.to_string(), "`oidcToken` threw or was rejected");
}

#[wasm_bindgen_test]
async fn providers_give_a_token_or_a_promise_of_one() {
    for (function, given) in [
        ("() => 't'", Ok("t")),
        ("async () => 't'", Ok("t")),
        ("() => ({ then(resolve) { resolve('t'); } })", Ok("t")),
        ("() => ''", Err(ErrorKind::Config)),
        ("() => {}", Err(ErrorKind::Config)),
        ("async () => 1", Err(ErrorKind::Config)),
        ("() => { throw new Error('sécret'); }", Err(ErrorKind::Unavailable)),
        ("async () => { throw 'sécret'; }", Err(ErrorKind::Unavailable)),
        ("() => ({ get then() { throw 'sécret'; } })", Err(ErrorKind::Unavailable)),
    ] {
        let options =
            object(&format!("host: 'w.example', project: 'p', tokenProvider: {function}"));
        let Identity::Provider(provider) = settings(&options).unwrap().identity else {
            panic!("no provider")
        };
        let got = provider.token().await;
        if let Err(error) = &got {
            assert!(!error.to_string().contains("sécret"), "{error}");
        }
        let got = got.as_ref().map(Secret::expose).map_err(Error::kind);
        assert_eq!(got, given, "{function}");
    }
}
