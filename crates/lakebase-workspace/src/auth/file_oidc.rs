//! An id token in a file: `file-oidc`.
//!
//! The file is read for every exchange, because it is replaced: the kubelet renews a projected service account token before
//! it expires. Facts from Databricks' SDK for Python 0.162,
//! `credentials_provider.py` `file_oidc`, `oidc.py` `FileIdTokenSource`.

use std::io;
use std::path::Path;

use lakebase_core::{Environment, Error, ErrorKind, Result, Secret, Setting};

use super::exchange::{Audience, IdTokens, federated, token_text};
use super::kind::{Kind, Prepared, Reading};

pub(super) const KIND: Kind =
    Kind { name: "file-oidc", needs: "oidc_token_filepath (DATABRICKS_OIDC_TOKEN_FILEPATH)", read };

fn read(reading: &Reading<'_>) -> Result<Option<Prepared>> {
    let Some(path) = reading.get("oidc_token_filepath") else { return Ok(None) };
    let environment = reading.environment.clone();
    federated(KIND.name, reading, move |_| TokenFile {
        environment: environment.clone(),
        path: path.clone(),
    })
}

/// The file. Reading it blocks, which is short: such files are small and in memory.
#[derive(Debug)]
struct TokenFile {
    environment: Environment,
    path: Setting<String>,
}

impl TokenFile {
    fn unusable(&self, problem: &str) -> Error {
        let Setting { value, origin } = &self.path;
        Error::new(ErrorKind::Config, format!("the token file {value} from {origin} {problem}"))
    }
}

impl IdTokens for TokenFile {
    async fn id_token(&self, _: &Audience<'_>) -> Result<Secret> {
        let text = self.environment.read_file(Path::new(&self.path.value));
        let text = text.map_err(|error| {
            let problem = match error.kind() {
                io::ErrorKind::NotFound => "does not exist",
                io::ErrorKind::IsADirectory => "is a folder; name the file in it",
                io::ErrorKind::PermissionDenied => "may not be read by this process",
                io::ErrorKind::InvalidData => "is not text",
                _ => "cannot be read",
            };
            self.unusable(problem).with_source(error)
        })?;
        if text.trim().is_empty() {
            return Err(self.unusable("is empty"));
        }
        let problem = "has a blank, a line break or another character that no token has";
        token_text(&text).ok_or_else(|| self.unusable(problem))
    }

    fn describe(&self) -> String {
        format!("the id token in {} from {}", self.path.value, self.path.origin)
    }
}
