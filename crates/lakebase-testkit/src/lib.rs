//! Fake time, mocks, scenarios and conformance suites for the connector's own tests; never published.
//!
//! | For | use |
//! |---|---|
//! | clocks and timers moved by hand | [`FakeTime`] |
//! | tasks without a runtime, in a fixed order | [`FakeSpawn`] |
//! | a [`Runtime`](lakebase_core::Runtime) of both | [`fake_runtime`] |
//! | a service that follows a script | [`ScriptedOrigin`] |
//! | expectations about calls | [`mocks`] |
//! | what every implementation of a trait must do | [`conformance`] |

pub mod conformance;
mod executor;
pub mod mocks;
mod origin;
mod runtime;
mod time;

pub use executor::FakeSpawn;
pub use origin::{Answer, Reply, ScriptedOrigin};
pub use runtime::{Unexpected, fake_runtime};
pub use time::{EPOCH, FakeTime};
