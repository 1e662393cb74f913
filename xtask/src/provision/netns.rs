//! Network namespaces, between which packets are lost. Nothing can be installed where they are not allowed.

use std::path::PathBuf;
use std::process::Command;

use super::Package;
use crate::process::captured;
use crate::system::{Failure, root};

/// Runs a program in a network of its own.
const ENTER: &str = "crates/lakebase-testkit/netns/enter";

/// The script that enters one.
pub fn provide() -> Result<PathBuf, Failure> {
    let forbidden = |why: &dyn std::fmt::Display| {
        Failure::forbidden(format!("network namespaces are Linux's and root's: {why}"))
    };
    captured(Command::new("unshare").args(["--net", "--mount", "true"]))
        .map_err(|error| forbidden(&error))?;
    Package { program: "ip", apt: "iproute2", brew: "iproute2mac" }.provide()?;
    let enter = root().join(ENTER);
    // Tests make further ones inside.
    captured(Command::new("sh").arg(&enter).args(["unshare", "--net", "true"]))
        .map_err(|error| forbidden(&error))?;
    Ok(enter)
}
