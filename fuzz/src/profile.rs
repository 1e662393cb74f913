//! The text of a profile file, and the configuration that follows from it.
//!
//! The first line of the input is the name of the profile, the rest is the file.

use std::collections::BTreeSet;

use lakebase_core::Environment;
use lakebase_workspace::WorkspaceConfig;
use lakebase_workspace::profile::ProfileFile;

use crate::{CANARY, assert_hidden};

/// Reads the file and builds a configuration from it.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (profile, text) = text.split_once('\n').unwrap_or(("", text));
    let (profile, text) = (profile.to_owned(), text.to_owned());
    // A canary in a name or in an address is not in the place of a secret.
    let in_place = |line: &str| line.starts_with("token =") || !line.contains(['=', ':', '[', ']']);
    let secret_places_only = !profile.contains(CANARY)
        && text.lines().all(|line| !line.contains(CANARY) || in_place(line));
    match ProfileFile::parse(&text) {
        Ok(file) => {
            let names: BTreeSet<_> = file.profiles().into_iter().collect();
            assert_eq!(names.len(), file.profiles().len());
            assert!(names.iter().all(|name| file.has(name)));
        }
        Err(error) if secret_places_only => assert_hidden(&format!("{error:?}")),
        Err(_) => {}
    }
    let environment = Environment::new(
        move |name| match name {
            "HOME" => Some("/home/me".to_owned()),
            "DATABRICKS_CONFIG_PROFILE" => Some(profile.clone()),
            _ => None,
        },
        move |_| Ok(text.clone()),
    );
    let shown = match WorkspaceConfig::from_environment(&environment) {
        Ok(config) => {
            let host = config.host().value.as_str();
            assert!(host.starts_with("https://") || host.starts_with("http://"), "{host}");
            assert!(!host.trim_start_matches("https://").ends_with('/'), "{host}");
            format!("{config:?}")
        }
        Err(error) => format!("{error:?}"),
    };
    if secret_places_only {
        assert_hidden(&shown);
    }
}
