//! A service account of Google that this machine or user may impersonate: `google-id`.
//!
//! Google's application default credentials are those of the file in `GOOGLE_APPLICATION_CREDENTIALS`, of a user who logged
//! in with `gcloud auth application-default login`, or of the machine (GKE, Compute Engine). With their token
//! `iamcredentials.googleapis.com` issues an id token of the service account for the workspace. Facts from Databricks' SDK for
//! Python 0.162 (`credentials_provider.py` `google_id`) and google-auth 2.63 (`_default.py`, `impersonated_credentials.py`).

use std::path::{Path, PathBuf};

use lakebase_core::refresh::Demand;
use lakebase_core::{Environment, Error, ErrorKind, Result, Secret, Setting};

use super::AccessToken;
use super::google::accompany;
use super::kind::{Identity, Kind, Prepared, Reading, prepared};
use super::service::{NEAR, REMOTE, Service};
use crate::WorkspaceHost;
use crate::wire::{self, GoogleFile};

pub(super) const KIND: Kind = Kind {
    name: "google-id",
    needs: "google_service_account (DATABRICKS_GOOGLE_SERVICE_ACCOUNT)",
    read,
};

const FILE: &str = "GOOGLE_APPLICATION_CREDENTIALS";

fn read(reading: &Reading<'_>) -> Result<Option<Prepared>> {
    let Some(account) = reading.get("google_service_account") else { return Ok(None) };
    if !account.value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.@".contains(&b)) {
        return Err(account
            .error("is not a service account; accepted: name@project.iam.gserviceaccount.com"));
    }
    let environment = reading.environment.clone();
    Ok(Some(prepared(KIND.name, move |session| GoogleId {
        machine: Service::new(session, "the metadata service of this machine", NEAR),
        oauth: Service::new(session, "Google's token end point", REMOTE),
        iam: Service::new(session, "Google's service for service accounts", REMOTE),
        host: session.host.clone(),
        environment: environment.clone(),
        account: account.clone(),
    })))
}

#[derive(Debug)]
struct GoogleId {
    host: WorkspaceHost,
    machine: Service,
    oauth: Service,
    iam: Service,
    environment: Environment,
    account: Setting<String>,
}

impl GoogleId {
    /// The file of application default credentials, if any.
    fn file(&self) -> Result<Option<GoogleFile>> {
        let named = self.environment.var(FILE);
        let (path, must_exist) = match &named {
            Some(named) => (PathBuf::from(&named.value), true),
            None => match self.folder() {
                Some(folder) => (folder.join("application_default_credentials.json"), false),
                None => return Ok(None),
            },
        };
        let refuse = |problem: String| match &named {
            Some(named) => named.error(problem),
            None => Error::new(ErrorKind::Config, problem),
        };
        match self.environment.read_file(&path) {
            Ok(text) => GoogleFile::read(&text).map(Some).map_err(|error| {
                refuse(format!("{} cannot be used", path.display())).with_source(error)
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !must_exist => Ok(None),
            Err(error) => {
                Err(refuse(format!("{} cannot be read", path.display())).with_source(error))
            }
        }
    }

    /// The folder of gcloud.
    fn folder(&self) -> Option<PathBuf> {
        let var = |name| self.environment.var(name).map(|setting| setting.value);
        let home = || Some(Path::new(&var("HOME")?).join(".config").join("gcloud"));
        let windows = || Some(Path::new(&var("APPDATA")?).join("gcloud"));
        var("CLOUDSDK_CONFIG").map(PathBuf::from).or_else(windows).or_else(home)
    }

    /// A token of this machine or user.
    async fn own_token(&self) -> Result<Secret> {
        let reply = match self.file()? {
            None => {
                let host = self.environment.var("GCE_METADATA_HOST").map(|host| host.value);
                let host = host.as_deref().unwrap_or("metadata.google.internal");
                let request = wire::google_machine_token(host)?;
                self.machine.ask(request, &[]).await.map_err(|error| {
                    error.context(format!("no application default credentials of Google are there (run `gcloud auth application-default login`, or set {FILE}), and this machine gives none"))
                })?
            }
            Some(GoogleFile::User { client_id, client_secret, refresh_token }) => {
                let uri = http::Uri::from_static("https://oauth2.googleapis.com/token");
                let request =
                    wire::google_refresh(&uri, &client_id, &client_secret, &refresh_token);
                self.oauth.ask(request, &[client_secret, refresh_token]).await?
            }
            #[cfg(feature = "google-credentials")]
            Some(GoogleFile::Key(key)) => {
                let scope = "https://www.googleapis.com/auth/iam";
                let token = super::google_key::access_token(&self.oauth, &key, scope).await?;
                return Ok(token.token);
            }
            Some(GoogleFile::Other(kind)) => {
                let keys = match cfg!(feature = "google-credentials") {
                    true => "service_account",
                    false => "service_account with the crate's feature `google-credentials`",
                };
                let advice =
                    format!("supported: authorized_user, {keys}, and those of the machine");
                return Err(wire::google_unsupported(&kind, &advice));
            }
        };
        wire::taken("Google", reply.body(), "access_token")
    }
}

impl Identity for GoogleId {
    async fn mint(&self, _: Demand) -> Result<AccessToken> {
        let own = self.own_token().await?;
        let account = &self.account.value;
        let secrets = std::slice::from_ref(&own);
        let request = wire::google_id_token(account, self.host.as_str(), &own)?;
        let reply = self.iam.ask(request, secrets).await?;
        let token = wire::google_identity(reply.body(), "token", wire::served_at(reply.headers()))?;
        let access = self.iam.ask(wire::google_access_token(account, &own)?, secrets).await;
        let access = access
            .and_then(|reply| wire::taken("Google", reply.body(), "accessToken"))
            .map(AccessToken::new);
        accompany(token, access)
    }

    fn explain(&self, error: Error) -> Error {
        let Setting { value, origin } = &self.account;
        error.context(format!("getting an id token of the service account {value} from {origin}"))
    }

    fn describe(&self) -> String {
        let Setting { value, origin } = &self.account;
        format!("the service account {value} of Google from {origin}")
    }
}
