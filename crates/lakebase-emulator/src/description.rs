//! The description of a running emulator, for clients.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// Addresses, names and secrets of one emulator; serialises to the line that `lakebase emulator` prints.
///
/// The secrets are random and worth nothing outside this emulator. `Debug` leaves them out all the same.
#[derive(Clone, Serialize)]
#[non_exhaustive]
pub struct Description {
    /// URL of the workspace.
    pub host: String,
    /// Service principal; also the name of its Postgres role.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// Personal access token of [`user`](Self::user).
    pub token: String,
    /// E-mail of the user that the personal access token belongs to; also the name of its Postgres role.
    pub user: String,
    /// Id of the project.
    pub project: String,
    /// Id of the branch with the two endpoints.
    pub branch: String,
    /// Full resource name of the read-write endpoint.
    pub endpoint: String,
    /// Full resource name of the read-only endpoint.
    pub read_only_endpoint: String,
    /// Host name of the read-write endpoint; only the emulator's own DNS server knows it.
    pub pg_host: String,
    /// Name of a Provisioned instance.
    pub provisioned_instance: String,
    /// Host name of that instance; only the emulator's own DNS server knows it.
    pub provisioned_host: String,
    /// Port of the gateway on 127.0.0.1.
    pub pg_port: u16,
    /// File with the certificate authority to trust, in PEM.
    pub ca_cert: String,
    /// Address of the DNS server, UDP and TCP.
    pub dns: String,
    /// Name of the database.
    pub database: String,
    /// URL of the database's Data API, to be followed by `/{schema}/{table}`.
    pub data_api: String,
    /// Role that logs in with a password.
    pub password_user: String,
    /// Its password.
    pub password: String,
    /// By identity type (`github-oidc` and so on), the variables that a client sets to use the emulator's token
    /// service of that kind. The services of Entra, Google and the machines of both clouds answer here too, but only
    /// a client whose requests to them are led here finds them.
    pub identities: BTreeMap<String, BTreeMap<String, String>>,
}

impl fmt::Debug for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Description")
            .field("host", &self.host)
            .field("client_id", &self.client_id)
            .field("user", &self.user)
            .field("endpoint", &self.endpoint)
            .field("pg_host", &self.pg_host)
            .field("provisioned_host", &self.provisioned_host)
            .field("pg_port", &self.pg_port)
            .field("dns", &self.dns)
            .finish_non_exhaustive()
    }
}
