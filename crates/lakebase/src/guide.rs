//! The guide: settings, drivers, identities, the network, tokens.
//!
//! These pages exist in the documentation only. Their links lead to files of the repository; the
//! definitions here come first, and so the links of the documentation lead to its pages.

#[doc = "[connection_string]: crate::connection_string\n"]
#[doc = "[databricks_apps]: crate::guide::databricks_apps\n"]
#[doc = "[identities]: crate::guide::identities\n"]
#[doc = "[network]: crate::guide::network\n"]
#[doc = include_str!("../docs/configuration.md")]
pub mod configuration {}

#[doc = "[network]: crate::guide::network\n"]
#[doc = include_str!("../docs/databricks_apps.md")]
pub mod databricks_apps {}

// Its code is compiled and run in `tests/drivers`: the crates that it needs are not there for tests of the documentation.
#[cfg_attr(not(doctest), doc = include_str!("../docs/drivers.md"))]
pub mod drivers {}

#[doc = include_str!("../docs/identities.md")]
pub mod identities {}

#[doc = include_str!("../docs/network.md")]
pub mod network {}

#[doc = include_str!("../docs/tokens.md")]
pub mod tokens {}
