//! Tests of the decisions at login.
