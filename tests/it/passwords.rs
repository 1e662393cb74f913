//! Ten thousand passwords that nobody percent-encoded, in URLs: none shows in an error, a `Debug` or a log at TRACE.

use std::fmt::{Debug, Write as _};

use lakebase::core::connect::ConnectPolicy;
use lakebase::core::{Environment, Runtime};
use lakebase::{Error, Lakebase};
use lakebase_runtime::{Options, auto};
use lakebase_testkit::passwords::{self, PLACES};

use crate::log::{Log, listen};
use crate::support::block_on;

/// What a program can print of `url`, and whether it is accepted; a login is tried if `connects`.
async fn shown(url: &str, runtime: &Runtime, connects: bool) -> (String, bool) {
    let environment = Environment::from_pairs([("LAKEBASE_PG_URL", url)]);
    let policy = ConnectPolicy { budget: std::time::Duration::ZERO, ..ConnectPolicy::default() };
    let builder = Lakebase::builder().environment(environment).connect_policy(policy);
    let mut shown = String::new();
    debug(&mut shown, &builder);
    match builder.effective_settings() {
        Ok(settings) => debug(&mut shown, &settings),
        Err(error) => print(&mut shown, &error),
    }
    let built = builder.build_with(runtime.clone());
    match &built {
        Ok(lakebase) => {
            debug(&mut shown, lakebase);
            debug(&mut shown, lakebase.connector().config());
            if connects {
                print(&mut shown, &lakebase.connect().await.map(drop).unwrap_err());
            }
        }
        Err(error) => print(&mut shown, error),
    }
    (shown, built.is_ok())
}

fn debug(shown: &mut String, thing: &impl Debug) {
    writeln!(shown, "{thing:?}").unwrap();
}

fn print(shown: &mut String, error: &Error) {
    debug(shown, error);
    write!(shown, "{error}\n{}\n", error.report()).unwrap();
}

#[test]
fn no_fragment_of_ten_thousand_passwords_is_shown() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .without_time()
        .with_writer(log.clone())
        .finish();
    listen(subscriber, || block_on(examine(&log)));
}

async fn examine(log: &Log) {
    let runtime = auto(&Options::new()).unwrap();
    let (mut refused, mut accepted, mut logins, mut logged) = (0, 0, 0, 0);
    for (number, password) in passwords::generate(10_000).enumerate() {
        for place in PLACES {
            let url = place.replace("PASSWORD", &password);
            // Nothing listens on port 1 of this machine.
            let connects = number % 100 == 0 && url.contains("@127.0.0.1:1/");
            let (shown, is_accepted) = shown(&url, &runtime, connects).await;
            let said = log.take();
            logged += said.len();
            if let Some(part) = passwords::leak(&password, &(shown + &said)) {
                panic!("{part:?} of {password:?} is shown, for {place}");
            }
            logins += u32::from(connects && is_accepted);
            *if is_accepted { &mut accepted } else { &mut refused } += 1;
        }
    }
    // Both happen, or the test would say little.
    assert!(refused > 10_000 && accepted > 1_000, "{refused} refused, {accepted} accepted");
    assert!(logins > 5 && logged > 1_000, "{logins} logins were tried, {logged} bytes logged");
}
