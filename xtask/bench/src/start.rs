//! How subjects are started, each as a process of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::peers::Peers;
use crate::world::Variables;

/// A program that is a subject.
#[derive(Clone, Copy)]
pub(crate) enum Start {
    /// This program as the subject of that name.
    Own(&'static str),
    /// deadpool-postgres, as the row of that name needs it.
    Deadpool(&'static str),
    /// A script in `clients/`, in the virtual environment.
    Python(&'static str),
    /// A script in `clients/`, with the npm packages.
    Node(&'static str),
}

impl Start {
    /// The command, which gets `variables` and no others, or why it is not there.
    pub(crate) fn command(
        self,
        peers: &Peers,
        variables: &Variables,
    ) -> Result<Result<Command, String>> {
        let script = |name| Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(name);
        let found = match self {
            Self::Own(name) => return own(name, variables).map(Ok),
            Self::Deadpool(row) => peers.get("deadpool").map(|it| (it, PathBuf::from(row))),
            Self::Python(name) => peers.get("python").map(|it| (it, script(name))),
            Self::Node(name) => peers.get("node").map(|_| (Path::new("node"), script(name))),
        };
        Ok(found.map(|(program, argument)| {
            let mut command = Command::new(program);
            variables.describe(command.arg(argument));
            if let (Self::Node(_), Ok(packages)) = (self, peers.get("node")) {
                command.env("LAKEBASE_PACKAGES", packages);
            }
            command
        }))
    }
}

/// This program as the subject `name`.
pub(crate) fn own(name: &str, variables: &Variables) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("cannot find this program")?);
    variables.describe(command.args(["subject", name]));
    Ok(command)
}
