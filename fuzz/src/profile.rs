//! The text of a profile file, and the configuration that follows from it.
//!
//! The first line of the input is the name of the profile, the rest is the file.

use std::collections::BTreeSet;

use lakebase_core::Environment;
use lakebase_workspace::WorkspaceConfig;
use lakebase_workspace::profile::ProfileFile;

use crate::{CANARY, assert_secret_hidden};

/// Reads the file and builds a configuration from it.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (profile, text) = text.split_once('\n').unwrap_or(("", text));
    assert_secret_hidden(|secret| shown(profile, &with_secret(text, secret)));
}

/// The file with `secret` for the canary where secrets stand: in a token, and in what is no setting at all.
fn with_secret(text: &str, secret: &str) -> String {
    let in_place = |line: &str| line.starts_with("token =") || !line.contains(['=', ':', '[', ']']);
    let lines = text.split_inclusive('\n').map(|line| match in_place(line) {
        true => line.replace(CANARY, secret),
        false => line.to_owned(),
    });
    lines.collect()
}

/// All that can be printed of the file and of the configuration.
fn shown(profile: &str, text: &str) -> String {
    let mut shown = match ProfileFile::parse(text) {
        Ok(file) => {
            let names: BTreeSet<_> = file.profiles().into_iter().collect();
            assert_eq!(names.len(), file.profiles().len());
            assert!(names.iter().all(|name| file.has(name)));
            String::new()
        }
        Err(error) => format!("{error:?}"),
    };
    let (profile, text) = (profile.to_owned(), text.to_owned());
    let environment = Environment::new(
        move |name| match name {
            "HOME" => Some("/home/me".to_owned()),
            "DATABRICKS_CONFIG_PROFILE" => Some(profile.clone()),
            _ => None,
        },
        move |_| Ok(text.clone()),
    );
    shown += &match WorkspaceConfig::from_environment(&environment) {
        Ok(config) => {
            let host = config.host().value.as_str();
            assert!(host.starts_with("https://") || host.starts_with("http://"), "{host}");
            assert!(!host.trim_start_matches("https://").ends_with('/'), "{host}");
            format!("{config:?}")
        }
        Err(error) => format!("{error:?}"),
    };
    shown
}
