//! Refresh scenarios as data, and a player that runs them on any executor.
//!
//! The cases are in `scenarios/refresh.json`. Time is fake, tasks are real: the same file runs unchanged on
//! every runtime. On every token that a caller gets, the player checks that the service still accepts it,
//! and at the end of every case that the service was never called twice at the same time.

mod data;
mod play;

pub use data::{Case, Line, Outcome, ScenarioError, Step, refresh_cases};
pub use play::play;
