//! Token caches of other SDKs side by side with ours: `peers-cache read|callers [--absent all=REASON]`.
//!
//! Everything runs in this process. Where a cache only takes tokens over HTTP, its transport is replaced by [`Service`](service::Service);
//! where that is not possible, it talks to a server in this process. Lines of JSON go to standard output.

#![forbid(unsafe_code)]

mod allocation;
mod callers;
#[path = "../../../bench/src/line.rs"]
mod line;
mod read;
mod service;
mod subject;

use std::process::ExitCode;

/// Names of the peers, also when they are not built in.
const PEERS: &[&str] = &[
    "object_store 0.14.2",
    "google-cloud-auth 1.18.0",
    "huskarl 0.11.10",
    "azure_identity 1.0.0",
    "aws-smithy-runtime 1.16.2",
    "reqsign-core 3.3.2",
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (row, absent) = match arguments.as_slice() {
        [row] => (*row, "built without its feature `peers`"),
        [row, "--absent", reason] => (*row, reason.strip_prefix("all=").unwrap_or(reason)),
        _ => ("", ""),
    };
    match row {
        "read" => read::run(absent),
        "callers" => callers::run(absent),
        _ => {
            eprintln!("usage: peers-cache read|callers [--absent all=REASON]");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
