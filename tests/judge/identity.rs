//! Asks a workspace who the environment's identity is, and prints what was sent on the way: the other side of
//! `xtask/clients/identity.py`.
//!
//! `REDIRECT_TO` is where every request goes. Prints one line of JSON: the identity's type and all requests, or the error.

#![expect(clippy::print_stdout, reason = "the script reads it")]
#![expect(
    clippy::disallowed_methods,
    reason = "a program of its own: the environment is its input"
)]

use std::sync::Arc;

use lakebase::core::{Environment, Runtime};
use lakebase::workspace::{WorkspaceClient, WorkspaceConfig};
use lakebase_runtime::Options;
use lakebase_testkit::RedirectedHttp;
use serde_json::{Value, json};

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let answer = match runtime {
        Ok(runtime) => runtime.block_on(ask()),
        Err(error) => Err(error.to_string()),
    };
    println!("{}", answer.unwrap_or_else(|error| json!({"error": error})));
}

async fn ask() -> Result<Value, String> {
    let environment =
        Environment::new(|name| std::env::var(name).ok(), |path| std::fs::read_to_string(path));
    let config = WorkspaceConfig::from_environment(&environment).map_err(|e| e.report())?;
    let auth_type = config.auth_type().to_owned();
    let runtime = lakebase_runtime::auto(&Options::new()).map_err(|e| e.report())?;
    let to = std::env::var("REDIRECT_TO").map_err(|error| format!("REDIRECT_TO: {error}"))?;
    let http = Arc::new(RedirectedHttp::new(Arc::clone(&runtime.http), to));
    let client = WorkspaceClient::new(config, &Runtime { http: http.clone(), ..runtime });
    let user = client.current_user().await.map_err(|error| error.report())?;
    let requests = http.seen();
    let requests = requests.iter().map(|request| {
        let headers = request.headers().iter().map(|(name, value)| {
            (name.to_string(), Value::from(String::from_utf8_lossy(value.as_bytes())))
        });
        json!({
            "method": request.method().as_str(),
            "url": request.uri().to_string(),
            "headers": headers.collect::<serde_json::Map<_, _>>(),
            "body": String::from_utf8_lossy(request.body()),
        })
    });
    let requests = requests.collect::<Vec<_>>();
    Ok(json!({"auth_type": auth_type, "user": &*user, "requests": requests}))
}
