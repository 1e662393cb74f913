//! Tests of the API without sockets.
