//! Token caches of other SDKs side by side with ours: `peers-cache read|callers [REASON]`, with the reason why it is built without peers.
//!
//! Everything runs in this process. Where a cache only takes tokens over HTTP, its transport is replaced by [`Service`](service::Service);
//! where that is not possible, it talks to a server in this process. Lines of JSON go to standard output.

#![forbid(unsafe_code)]

mod callers;
mod read;
#[path = "../../../bench/src/report.rs"]
mod report;
mod service;
mod subject;

use std::error::Error;

use report::Report;

/// Names of the peers, also when they are not built in.
const PEERS: &[&str] = &[
    "object_store 0.14.2",
    "google-cloud-auth 1.18.0",
    "huskarl 0.11.10",
    "azure_identity 1.0.0",
    "aws-smithy-runtime 1.16.2",
    "reqsign-core 3.3.2",
];

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let row = arguments.next();
    let absent = arguments.next().unwrap_or("built without its feature `peers`".to_owned());
    let mut report = Report::default();
    match row.as_deref() {
        Some("read") => read::run(&mut report, &absent),
        Some("callers") => callers::run(&mut report, &absent),
        _ => return Err("usage: peers-cache read|callers [REASON]".into()),
    }
    print!("{}", report.lines()?);
    Ok(())
}
