//! Nothing: only what its package depends on matters.
