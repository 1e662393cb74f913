//! Connection strings, and the handle that is built from one.
//!
//! The whole input is a string that only must not bring anything down. Its first line is also a password that nobody
//! encoded, and the rest is what stands around it: no part of the password may be shown.

use std::sync::OnceLock;

use lakebase::core::{Environment, Runtime};
use lakebase::{Lakebase, SslMode};

use crate::{CANARY, assert_secret_hidden};

/// Takes strings apart and builds handles from them. Nothing is connected.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    shown(text);
    let (password, rest) = text.split_once('\n').unwrap_or((text, "h/d"));
    let password = match password.contains(CANARY) {
        true => password.to_owned(),
        false => format!("{password}{CANARY}"),
    };
    for place in places(&password, rest) {
        assert_secret_hidden(|secret| {
            shown(&place.replace("PASSWORD", &password.replace(CANARY, secret)))
        });
    }
}

/// Where the password can be. What would be read as another parameter all the same is left out.
fn places(password: &str, rest: &str) -> Vec<String> {
    let mut places = vec![
        format!("postgresql://u:PASSWORD@{rest}"),
        format!("postgresql+psycopg://:PASSWORD@{rest}"),
        format!("postgres://me@example.com:PASSWORD@{rest}"),
        format!("postgresql://u:1/PASSWORD@{rest}"),
        format!("postgresql://u:1?PASSWORD@{rest}"),
        format!("postgresql://u:1#PASSWORD@{rest}"),
    ];
    let is_split_at =
        |mark: char| password.split_once(mark).is_some_and(|(_, after)| after.contains('='));
    if !is_split_at('&') {
        places.push("postgresql://h/d?user=u&password=PASSWORD".to_owned());
        places.push(format!("postgresql://u@h?password=PASSWORD&{}", rest.replace('=', "")));
    }
    if !password.contains('=') {
        places.push("host=h user=u password=PASSWORD dbname=d".to_owned());
        places.push("host=h user=u password='PASSWORD' dbname=d".to_owned());
    }
    places
}

/// All that can be printed of a connection string.
fn shown(text: &str) -> String {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(lakebase_runtime::smol).clone();
    lakebase::fuzz_url(text);
    let environment = Environment::from_pairs([("LAKEBASE_PG_URL", text)]);
    // Else each handle reads the platform's certificates, which takes longer than all else.
    let builder = Lakebase::builder().environment(environment).sslmode(SslMode::Prefer);
    let settings = builder.effective_settings();
    let built = builder.build_with(runtime);
    let config = built.as_ref().ok().map(|lakebase| lakebase.connector().config());
    format!("{settings:?} {built:?} {config:?}")
}
