//! What cases are played on.

use std::time::Duration;

use lakebase_core::refresh::{Demand, Status};
use lakebase_core::{BoxFuture, Error, Timestamp};

use super::data::ScenarioError;
use crate::Reply;

/// A cache, and the scripted service behind it.
pub trait Subject {
    /// One caller, who gives up after `patience`. It is run as a task.
    ///
    /// # Errors
    ///
    /// If there are no such callers here.
    fn call(
        &self,
        demand: Demand,
        patience: Option<Duration>,
    ) -> Result<BoxFuture<'static, Got>, ScenarioError>;

    /// A login with this token was refused.
    ///
    /// # Errors
    ///
    /// If nobody can know this token.
    fn refuse(&self, token: &str) -> Result<(), ScenarioError>;

    /// How the cache is doing.
    fn status(&self) -> Status;

    /// From now on the service answers like this.
    fn follow(&self, replies: Vec<Reply>);

    /// How often the service was called.
    fn calls(&self) -> usize;

    /// How many of the calls were forced.
    fn forced(&self) -> usize;

    /// What was wrong with the calls of the whole case.
    ///
    /// # Errors
    ///
    /// If there were two at the same time, except where the subject allows it.
    fn overlap(&self) -> Result<(), ScenarioError>;
}

/// What a caller got.
#[derive(Debug)]
pub enum Got {
    /// A token.
    Token {
        /// It.
        text: String,
        /// When the service stops accepting it, by the service's clock.
        accepted_until: Timestamp,
    },
    /// An error.
    Error(Error),
    /// Nothing within its patience.
    GaveUp,
}
