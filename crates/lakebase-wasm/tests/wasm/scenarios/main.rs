//! Plays the refresh scenarios of the test kit on [`lakebase_wasm::Credentials`], inside a JavaScript engine.
//!
//! Time and the workspace are fake; the cache, its wire code and its futures are those of the npm package, and the engine
//! runs them. A driver calls `cases` and then `play` for each case that holds here.
#![cfg(all(target_family = "wasm", target_os = "unknown"))]

mod edge;
mod service;

use std::sync::Arc;

use lakebase_core::{BoxFuture, Spawn};
use lakebase_testkit::scenario::{Platform, all_refresh_cases, play_on};
use lakebase_testkit::{FakeTime, TrackedSpawn};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

use crate::edge::Edge;

/// The tasks of the engine.
#[derive(Debug)]
struct Engine;

impl Spawn for Engine {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        spawn_local(task);
    }
}

/// The cases as JSON, `[{ "name": …, "leftOut": … }]`: with a reason, if a case does not hold here.
///
/// # Errors
///
/// If the file of cases is malformed.
#[wasm_bindgen]
pub fn cases() -> Result<String, String> {
    let list = all_refresh_cases()?.into_iter().map(|case| {
        let here = case.holds_on(Platform::Edge);
        let left_out = case.only.filter(|_| !here).map(|only| only.because);
        serde_json::json!({ "name": case.name, "leftOut": left_out })
    });
    Ok(serde_json::Value::from_iter(list).to_string())
}

/// Plays the case at `index` of [`cases`]; one at a time.
///
/// # Errors
///
/// Says which step of the case did not go as the file says, or that the case does not hold here.
#[wasm_bindgen]
pub async fn play(index: usize) -> Result<(), String> {
    let cases = all_refresh_cases()?;
    let case = cases.get(index).ok_or("there is no such case")?;
    if !case.holds_on(Platform::Edge) {
        return Err(format!("case {:?} does not hold here", case.name));
    }
    let (time, spawn) = (FakeTime::new(), TrackedSpawn::new(Arc::new(Engine)));
    let subject = Edge::new(case, &time, &spawn)?;
    play_on(&subject, case, &time, &spawn).await
}
