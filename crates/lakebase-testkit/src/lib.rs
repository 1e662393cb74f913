//! Fake time, mocks, scenarios and conformance suites for the connector's own tests; never published.

pub mod conformance;
