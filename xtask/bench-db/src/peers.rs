//! Which peers are on the machine, and where.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// Programs and folders by name, and why those that are not there are not.
#[derive(Default)]
pub(crate) struct Peers {
    there: BTreeMap<String, PathBuf>,
    absent: BTreeMap<String, String>,
}

impl Peers {
    /// `NAME=PATH`.
    pub(crate) fn set(&mut self, text: &str) -> Result<()> {
        let (name, path) = text.split_once('=').context("--peer takes NAME=PATH")?;
        self.there.insert(name.to_owned(), path.into());
        Ok(())
    }

    /// `NAME=REASON`.
    pub(crate) fn set_absent(&mut self, text: &str) -> Result<()> {
        let (name, reason) = text.split_once('=').context("--absent takes NAME=REASON")?;
        self.absent.insert(name.to_owned(), reason.to_owned());
        Ok(())
    }

    /// Where `name` is, or why it is not there.
    pub(crate) fn get(&self, name: &str) -> Result<&Path, String> {
        let reason = || self.absent.get(name).map_or("not provisioned", String::as_str).to_owned();
        self.there.get(name).map(PathBuf::as_path).ok_or_else(reason)
    }
}
