//! Connection URLs, and the handle that is built from one.

use std::sync::OnceLock;

use lakebase::Lakebase;
use lakebase::core::{Environment, Runtime};

use crate::{CANARY, assert_hidden};

/// Takes a URL apart and builds a handle from it. Nothing is connected.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    lakebase::fuzz_url(text);
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(lakebase_runtime::smol).clone();
    let environment = Environment::from_pairs([("LAKEBASE_PG_URL", text)]);
    let result = Lakebase::builder().environment(environment).build_with(runtime);
    let shown = format!("{result:?}");
    // Elsewhere the canary is not in the place of a secret.
    let in_place = text.split_once(CANARY).is_some_and(|(before, after)| {
        let in_query = before.contains('?') && before.ends_with("&password=");
        let whole = !before.contains('#') && !before.contains(char::is_control);
        !after.contains(CANARY)
            && (before == "postgresql://me:" && after.starts_with('@') || in_query && whole)
    });
    if in_place {
        assert_hidden(&shown);
    }
}
