//! The refresh scenarios of the test kit's data file, with the tasks of each runtime.

use lakebase_testkit::scenario::{Platform, play, refresh_cases};

use crate::support::Setup;

on_each_runtime! { every_refresh_case_holds }

async fn every_refresh_case_holds() {
    let nowhere = Setup::empty().set("LAKEBASE_PG_URL", "postgresql://user:word@localhost/db");
    let runtime = nowhere.build().connector().runtime().clone();
    let cases = refresh_cases(Platform::Native).unwrap();
    assert!(cases.len() >= 10, "only {} cases", cases.len());
    for case in cases {
        if let Err(error) = play(&case, runtime.spawn.clone().unwrap()).await {
            panic!("{error}");
        }
    }
}
