//! Refresh scenarios as data, and a player that runs them on any executor.
//!
//! The cases are in `scenarios/refresh.json`. Time is fake, tasks are real: the same file runs unchanged on
//! every runtime, and in the world of `lakebase-wasm`, whose cache is another [`Subject`]; a case that holds in one
//! [`Platform`] only says so, and why. On every token that a caller gets, the player checks that the service still
//! accepts it, and at the end of every case that the service was never called twice at the same time.

mod data;
mod native;
mod play;
mod subject;

pub use data::{
    Case, Line, Only, Outcome, Platform, ScenarioError, Step, all_refresh_cases, refresh_cases,
};
pub use native::play;
pub use play::play_on;
pub use subject::{Got, Subject};
