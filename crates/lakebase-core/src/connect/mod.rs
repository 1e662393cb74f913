//! From a target to a logged-in connection: parameters, policy and the loop that joins them.

mod factory;
mod params;

pub use factory::{ConnectFailure, ConnectionFactory};
pub use params::{ConnectParams, SslMode, Tls};
