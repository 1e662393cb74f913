//! Every identity against the emulator: what it is configured by, and the effects that lead it there.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lakebase::core::effect::ProcessOutput;
use lakebase::core::{Process, Result, Runtime};
use lakebase::{Builder, Lakebase};
use lakebase_emulator::{Emulator, TokenFor};
use lakebase_runtime::Options;
use lakebase_testkit::RedirectedHttp;

use crate::support::Setup;

pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

/// One identity.
pub(crate) struct Row {
    pub(crate) auth_type: &'static str,
    /// Tells several rows of a type apart.
    pub(crate) name: &'static str,
    pub(crate) setup: Setup,
    /// What `az` prints for Databricks' resource and for the management's.
    az: Option<[String; 2]>,
    /// Whether it is the user, and not the service principal.
    pub(crate) is_user: bool,
    /// What is sent to the service that vouches, or to the workspace if it exchanges, and must be seen nowhere else.
    pub(crate) sent: Vec<String>,
    /// What is sent to nobody.
    pub(crate) kept: Vec<String>,
}

impl Row {
    /// The identity of `auth_type` with the variables of the emulator's description.
    fn new(emulator: &Emulator, auth_type: &'static str) -> Self {
        let it = emulator.description();
        let mut setup = Setup::place(emulator).set("LAKEBASE_ENDPOINT", &it.endpoint);
        for (name, value) in it.identities.get(auth_type).into_iter().flatten() {
            setup = setup.set(name, value);
        }
        Self {
            auth_type,
            name: "",
            setup,
            az: None,
            is_user: false,
            sent: Vec::new(),
            kept: Vec::new(),
        }
    }

    fn with(self, change: impl FnOnce(Setup) -> Setup) -> Self {
        Self { setup: change(self.setup), ..self }
    }

    fn sends(mut self, secret: impl Into<String>) -> Self {
        self.sent.push(secret.into());
        self
    }

    fn keeps(mut self, secret: impl Into<String>) -> Self {
        self.kept.push(secret.into());
        self
    }

    /// A handle whose requests to services with names of their own are led to the emulator.
    pub(crate) fn build(&self, emulator: &Emulator) -> Lakebase {
        self.build_as(emulator, self.setup.builder())
    }

    pub(crate) fn build_as(&self, emulator: &Emulator, builder: Builder) -> Lakebase {
        builder.build_with(led(emulator, self.az.clone())).unwrap()
    }
}

/// All identities but those that others test.
pub(crate) fn rows(emulator: &Emulator) -> Vec<Row> {
    let it = emulator.description();
    let id_token = emulator.issue_token(TokenFor::Exchange, "any", HOUR);
    let az = |what| {
        let token = |what| emulator.issue_token(what, "any", HOUR);
        let (token, management) = (token(what), token(TokenFor::EntraManagement));
        let print = |token: &str| {
            format!(
                r#"{{"accessToken":"{token}","expiresOn":"2026-01-01 02:00:00.000000","tokenType":"Bearer"}}"#
            )
        };
        ([print(&token), print(&management)], token, management)
    };
    let value = |auth_type: &str, name: &str| it.identities[auth_type][name].clone();
    let request_token = value("github-oidc", "ACTIONS_ID_TOKEN_REQUEST_TOKEN");
    let (person, person_token, _) = az(TokenFor::EntraUser);
    let (service, service_token, management) = az(TokenFor::EntraService);
    let user = format!(
        r#"{{"type":"authorized_user","client_id":"gcloud","client_secret":"gcloud-secret-of-nobody","refresh_token":"{request_token}"}}"#
    );
    let key = value("google-credentials", "GOOGLE_CREDENTIALS");
    let inner_key = key.split("\\n").nth(1).unwrap().to_owned();
    vec![
        Row { is_user: true, ..Row::new(emulator, "env-oidc") }
            .with(|setup| setup.set("DATABRICKS_OIDC_TOKEN", &id_token))
            .sends(&id_token),
        Row { name: "with a client id", ..Row::new(emulator, "env-oidc") }
            .with(|setup| {
                setup
                    .set("DATABRICKS_OIDC_TOKEN", &id_token)
                    .set("DATABRICKS_CLIENT_ID", &it.client_id)
            })
            .sends(&id_token),
        Row::new(emulator, "file-oidc")
            .with(|setup| {
                setup
                    .set("DATABRICKS_AUTH_TYPE", "file-oidc")
                    .set("DATABRICKS_OIDC_TOKEN_FILEPATH", "/run/id-token")
                    .set("DATABRICKS_CLIENT_ID", &it.client_id)
                    .file("/run/id-token", &format!("{id_token}\n"))
            })
            .sends(&id_token),
        Row::new(emulator, "github-oidc").sends(&request_token),
        Row::new(emulator, "azure-devops-oidc").sends(&request_token),
        Row::new(emulator, "azure-client-secret")
            .sends(value("azure-client-secret", "ARM_CLIENT_SECRET")),
        Row { name: "of a tenant that is found", ..Row::new(emulator, "azure-client-secret") }
            .with(|setup| setup.unset("ARM_TENANT_ID")),
        Row { auth_type: "github-oidc-azure", ..Row::new(emulator, "github-oidc") }
            .with(|setup| setup.unset("DATABRICKS_CLIENT_ID").set("ARM_CLIENT_ID", &it.client_id))
            .sends(&request_token),
        Row::new(emulator, "azure-msi"),
        Row { is_user: true, az: Some(person), ..Row::new(emulator, "azure-cli") }
            .with(|setup| setup.set("DATABRICKS_AUTH_TYPE", "azure-cli"))
            .keeps(person_token),
        Row {
            az: Some(service),
            name: "of a service principal",
            ..Row::new(emulator, "azure-cli")
        }
        .with(|setup| setup.set("ARM_TENANT_ID", "tenant-1"))
        .keeps(service_token)
        .keeps(management),
        Row { is_user: true, ..Row::new(emulator, "metadata-service") }.sends(&request_token),
        Row { name: "of a machine", ..Row::new(emulator, "google-id") },
        Row { name: "of a user", ..Row::new(emulator, "google-id") }
            .with(|setup| {
                setup.set("GOOGLE_APPLICATION_CREDENTIALS", "/adc.json").file("/adc.json", &user)
            })
            .sends(&request_token),
        Row { name: "of a key", ..Row::new(emulator, "google-id") }
            .with(|setup| {
                setup.set("GOOGLE_APPLICATION_CREDENTIALS", "/adc.json").file("/adc.json", &key)
            })
            .keeps(&inner_key),
        Row::new(emulator, "google-credentials").keeps(&inner_key),
        Row { name: "in a file", ..Row::new(emulator, "google-credentials") }
            .with(|setup| setup.set("GOOGLE_CREDENTIALS", "/key.json").file("/key.json", &key))
            .keeps(inner_key),
    ]
}

/// The row of `auth_type`, the first if there are several.
pub(crate) fn row(emulator: &Emulator, auth_type: &str) -> Row {
    rows(emulator).into_iter().find(|row| row.auth_type == auth_type).unwrap()
}

/// The current runtime's effects; foreign hosts are the emulator, and `az` is a small program.
fn led(emulator: &Emulator, az: Option<[String; 2]>) -> Runtime {
    let it = emulator.description();
    let options = Options::new().dns_servers(lakebase_runtime::parse_servers(&it.dns).unwrap());
    #[cfg(feature = "http-reqwest")]
    let options = options.reqwest(true);
    #[cfg(feature = "http-surf")]
    let options = options.surf(true);
    let runtime = lakebase_runtime::auto(&options).unwrap();
    let authority = it.host.trim_start_matches("http://").to_owned();
    Runtime {
        http: Arc::new(RedirectedHttp::new(Arc::clone(&runtime.http), authority)),
        process: Arc::new(Az {
            inner: Arc::clone(&runtime.process),
            program: az.map(small_program),
        }),
        ..runtime
    }
}

/// `az`: a shell script that prints one of two tokens, and that nobody is a managed identity.
fn small_program([databricks, management]: [String; 2]) -> (PathBuf, Arc<tempfile::TempDir>) {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("az");
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in\n'account show'*) echo '{{}}' ;;\n*management*) echo '{management}' ;;\n*) echo '{databricks}' ;;\nesac\n"
    );
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    (path, Arc::new(folder))
}

/// Runs programs, and the small one in place of `az`.
struct Az {
    inner: Arc<dyn Process>,
    program: Option<(PathBuf, Arc<tempfile::TempDir>)>,
}

impl fmt::Debug for Az {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Az")
    }
}

#[async_trait::async_trait]
impl Process for Az {
    async fn output(&self, program: &str, arguments: &[&str]) -> Result<ProcessOutput> {
        match &self.program {
            Some((path, _)) if program == "az" => {
                self.inner.output(path.to_str().unwrap(), arguments).await
            }
            _ => self.inner.output(program, arguments).await,
        }
    }
}
