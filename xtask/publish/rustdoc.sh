#!/bin/sh
# rustdoc with what only Rust's nightly may do otherwise. Cargo itself is not told, so that it reuses what other commands compiled.
RUSTC_BOOTSTRAP=1 exec rustdoc "$@" -Z unstable-options --output-format json
