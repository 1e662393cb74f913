//! A service account's key, as a file or as its text: `google-credentials`.
//!
//! The key signs an assertion (RFC 7523), and Google's token end point exchanges that for an id token for the workspace.
//! Signing needs RSA, which the feature `google-credentials` adds; without it the setting is refused. The file is read for
//! every token. Facts from Databricks' SDK for Python 0.162, `credentials_provider.py` `google_credentials`.

use lakebase_core::{Error, ErrorKind, Result};

use super::kind::{Kind, Prepared, Reading};

pub(super) const KIND: Kind =
    Kind { name: "google-credentials", needs: "google_credentials (GOOGLE_CREDENTIALS)", read };

#[cfg(not(feature = "google-credentials"))]
fn read(reading: &Reading<'_>) -> Result<Option<Prepared>> {
    let Some(setting) = reading.get("google_credentials") else { return Ok(None) };
    let text = format!(
        "{}: keys of Google's service accounts need the feature `google-credentials` of the crate, which is off; \
         google_service_account (DATABRICKS_GOOGLE_SERVICE_ACCOUNT) needs no key",
        setting.origin
    );
    Err(Error::new(ErrorKind::Unsupported, text))
}

#[cfg(feature = "google-credentials")]
use with_keys::read;

#[cfg(feature = "google-credentials")]
mod with_keys {
    use std::path::Path;

    use lakebase_core::refresh::Demand;
    use lakebase_core::{Environment, Secret, Setting};

    use super::super::AccessToken;
    use super::super::google::accompany;
    use super::super::google_key as key;
    use super::super::kind::{Identity, prepared};
    use super::super::service::{REMOTE, Service};
    use super::{Error, ErrorKind, KIND, Prepared, Reading, Result};
    use crate::WorkspaceHost;
    use crate::wire::{self, GoogleFile, GoogleKey};

    pub(super) fn read(reading: &Reading<'_>) -> Result<Option<Prepared>> {
        let Some(setting) = reading.get("google_credentials") else { return Ok(None) };
        let (setting, environment) = (setting.into_secret(), reading.environment.clone());
        Ok(Some(prepared(KIND.name, move |session| GoogleCredentials {
            service: Service::new(session, "Google's token end point", REMOTE),
            host: session.host.clone(),
            environment: environment.clone(),
            setting: setting.clone(),
        })))
    }

    #[derive(Debug)]
    struct GoogleCredentials {
        host: WorkspaceHost,
        service: Service,
        environment: Environment,
        setting: Setting<Secret>,
    }

    impl GoogleCredentials {
        /// The key, from the file of that name if it exists.
        fn key(&self) -> Result<GoogleKey> {
            let refuse = |problem: &str| {
                Error::new(ErrorKind::Config, format!("{}: {problem}", self.setting.origin))
            };
            let text = self.setting.value.expose();
            let file = match text.trim_start().starts_with('{') {
                true => GoogleFile::read(text),
                false => {
                    let read = self.environment.read_file(Path::new(text));
                    let read = read.map_err(|error| {
                        refuse("is neither a key nor a file that can be read").with_source(error)
                    })?;
                    GoogleFile::read(&read)
                }
            };
            match file {
                Ok(GoogleFile::Key(key)) => Ok(key),
                Ok(_) => Err(refuse("is not the key of a service account")),
                Err(error) => Err(refuse("cannot be used").with_source(error)),
            }
        }
    }

    impl Identity for GoogleCredentials {
        async fn mint(&self, _: Demand) -> Result<AccessToken> {
            let key = self.key()?;
            let token = key::id_token(&self.service, &key, self.host.as_str()).await?;
            let access = key::access_token(&self.service, &key, &wire::SCOPES.join(" ")).await;
            accompany(token, access)
        }

        fn explain(&self, error: Error) -> Error {
            error.context(format!("getting an id token with the key from {}", self.setting.origin))
        }

        fn describe(&self) -> String {
            format!("the key of a service account of Google from {}", self.setting.origin)
        }
    }
}
