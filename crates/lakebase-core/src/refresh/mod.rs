//! Decides when a value that expires is fetched, and hands it out.
//!
//! [`Machine`] is the algorithm, without I/O; [`Cache`] drives it and is what others call. The numbers are
//! in [`Policy`].
//!
//! | phase | when | callers get |
//! |---|---|---|
//! | empty | there is no value | the outcome of the one fetch, or the last error until the next is due |
//! | fresh | most of its life | the value: no wait, no lock, no allocation |
//! | window | the last sixth; of a value that came at need, from a [random moment](Policy::scatter) on | the value at once, while the next is fetched in the background |
//! | edge | the last minute | the outcome of the fetch; if it fails, the old value |
//! | dead | after its life | never the old value; else as when empty |
//!
//! Age is the larger of what the monotonic and the wall clock say since the fetch *started*; the two are
//! read as one [`Moment`].

mod attempt;
mod bell;
mod cache;
mod credential;
mod flight;
mod inner;
mod keeper;
mod machine;
#[cfg(test)]
mod model;
mod moment;
mod policy;
mod spacing;
mod task;
#[cfg(test)]
mod tests;
mod value;
mod watch;

pub use cache::Cache;
pub use credential::CredentialCache;
pub use keeper::KeepFresh;
pub use machine::{Action, Event, FlightId, Machine, Phase};
pub use moment::Moment;
pub use policy::{Policy, PolicyBuilder};
pub use value::{Demand, Expires, Generation, Held, Origin, Status};
pub use watch::Watch;
