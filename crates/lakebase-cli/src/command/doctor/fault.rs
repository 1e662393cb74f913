//! The faults that doctor finds, by names that scripts may rely on, and the advice for each.
//!
//! Sources of the advice: Databricks' guides for external applications ("connect an external app to Lakebase",
//! its troubleshooting table), its pages about authentication, Postgres roles and private connectivity.

use std::error::Error as StdError;
use std::fmt;

use lakebase::core::causes;
use lakebase_runtime::{ProxyError, ProxyProblem};
use rustls::CertificateError;
use serde::Serialize;

/// The cause of a failed step. Its name in `--json` is stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Fault {
    AddressBlocked,
    CertificateAuthorityUnknown,
    CertificateExpired,
    CertificateNameMismatch,
    ClockSkew,
    Configuration,
    CredentialRefused,
    DatabaseMissing,
    DnsFailed,
    EndpointDisabled,
    EndpointNotFound,
    EndpointNotReady,
    IdTokenRefused,
    IdentityRefused,
    LoginFailed,
    LoginRefused,
    PortUnreachable,
    ProxyAuthenticationRequired,
    ProxyRefused,
    ProxyUnreachable,
    QueryFailed,
    RoleMissing,
    SecretRefused,
    TlsFailed,
    TlsNotOffered,
    TokenServiceUnreachable,
    TooManyConnections,
    WorkspaceAccessDenied,
    WorkspaceUnreachable,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl Fault {
    /// The advice.
    pub(super) fn advice(self) -> &'static str {
        match self {
            Self::AddressBlocked => {
                "the workspace's IP access list or network policy refuses this machine's address: ask its \
                 administrator to allow it, or connect from an allowed network"
            }
            Self::CertificateAuthorityUnknown => {
                "nobody whom this machine trusts issued the certificate: if a firewall inspects TLS or the server \
                 is your own, name its authority's PEM file in PGSSLROOTCERT (for the workspace's HTTPS in \
                 SSL_CERT_FILE); otherwise do not connect, as this may be somebody else's server"
            }
            Self::CertificateExpired => {
                "the certificate is not valid at this time: check this machine's clock first, then renew the \
                 server's certificate"
            }
            Self::CertificateNameMismatch => {
                "the certificate is for another host: connect by the name that the workspace reports (unset PGHOST), \
                 and check what PGHOSTADDR, the hosts file and DNS say"
            }
            Self::ClockSkew => {
                "set this machine's clock, or let it follow a time server (NTP): tokens and certificates are valid at \
                 certain times only"
            }
            Self::Configuration => {
                "change the setting that is named; `lakebase help` lists the flags"
            }
            Self::CredentialRefused => {
                "the identity may not get a credential for this endpoint: grant it CAN USE (or more) on the project"
            }
            Self::DatabaseMissing => {
                "check the spelling of the database (--database, PGDATABASE); every project starts with \
                 databricks_postgres"
            }
            Self::DnsFailed => {
                "check the network and the DNS servers of this machine; LAKEBASE_DNS=ip:port names other servers to \
                 ask, and PGHOSTADDR an address to go to without asking"
            }
            Self::EndpointDisabled => {
                "enable the endpoint in the workspace (the branch's computes): a login does not wake a disabled one"
            }
            Self::EndpointNotFound => {
                "check project, branch and endpoint (`lakebase endpoints` lists those of a branch), and that the \
                 identity may see the project: what it may not see does not exist for it"
            }
            Self::EndpointNotReady => {
                "the compute may be starting: try again in a minute; if it stays, look at its state in the workspace"
            }
            Self::IdTokenRefused => {
                "compare issuer, audience and subject of the id token with the federation policy (of the service \
                 principal that DATABRICKS_CLIENT_ID names, else of the account), and see that the token is renewed \
                 before it expires"
            }
            Self::IdentityRefused => {
                "log in again (`databricks auth login`), or check that the identity exists in this workspace and not \
                 only in another one"
            }
            Self::LoginFailed => "the server's own words are the best hint",
            Self::LoginRefused => {
                "check that the role is this identity's (--user, PGUSER) and was made with databricks_create_role on \
                 this branch, not by plain CREATE ROLE; for a native role check the password, and that the project \
                 allows native logins; tokens of other workspaces are not accepted"
            }
            Self::PortUnreachable => {
                "a firewall or a missing route is likely: Postgres needs TCP to port 5432, which does not go through \
                 an HTTP proxy, but through a SOCKS proxy (ALL_PROXY=socks5h://host:port); with private connectivity, \
                 regional hosts need the endpoint for performance-intensive services"
            }
            Self::ProxyAuthenticationRequired => {
                "put user and password into the proxy's URL, as in http://user:password@host:port, special \
                 characters percent-encoded: @ as %40, : as %3A, / as %2F"
            }
            Self::ProxyRefused => {
                "ask the administrator of the proxy to allow connections (CONNECT) to the host that is named, and whether \
                 the proxy reaches it; name the host in NO_PROXY if it is reached directly"
            }
            Self::ProxyUnreachable => {
                "check the proxy's address in the setting that is named, and that it speaks what the setting says (HTTP, \
                 SOCKS 5); name the host in NO_PROXY if it is reached directly"
            }
            Self::QueryFailed => "the login works; the server's own words are the best hint",
            Self::RoleMissing => {
                "create the role on this branch as an administrator: CREATE EXTENSION IF NOT EXISTS databricks_auth; \
                 SELECT databricks_create_role('<name>', 'USER' or 'SERVICE_PRINCIPAL'); names are case-sensitive"
            }
            Self::SecretRefused => {
                "check that id and secret (or token) belong together, have not expired (secrets live two years at most) \
                 and are of this workspace; make a new one in its settings if in doubt"
            }
            Self::TlsFailed => {
                "something between here and the server does not let TLS through: check proxies and firewalls"
            }
            Self::TlsNotOffered => {
                "this is not a Lakebase server, or something in between strips TLS: check host and port; for a local \
                 server without TLS set PGSSLMODE=prefer"
            }
            Self::TokenServiceUnreachable => {
                "the service that vouches for this program does not answer: check that this is the machine, job or pod \
                 that has it, and firewalls on the way to it"
            }
            Self::TooManyConnections => {
                "all connections of the compute are in use: close some, use smaller pools, or choose a larger compute"
            }
            Self::WorkspaceAccessDenied => {
                "grant the identity the entitlement workspace-access, check the workspace's IP access list, and with \
                 private connectivity connect from its network"
            }
            Self::WorkspaceUnreachable => {
                "check DATABRICKS_HOST, the network and firewalls; where only a proxy leads out, name it in HTTPS_PROXY"
            }
        }
    }

    /// The fault of a proxy, if that is the cause of `error`.
    pub(super) fn at_proxy(error: &(dyn StdError + 'static)) -> Option<Self> {
        let error = causes(error).find_map(|cause| cause.downcast_ref::<ProxyError>())?;
        Some(match error.problem() {
            ProxyProblem::AuthenticationRequired => Self::ProxyAuthenticationRequired,
            ProxyProblem::Refused => Self::ProxyRefused,
            _ => Self::ProxyUnreachable,
        })
    }
}

/// The fault of a certificate, if that is the cause of `error`.
pub(super) fn certificate_fault(error: &(dyn StdError + 'static)) -> Option<Fault> {
    causes(error).find_map(|cause| match cause.downcast_ref()? {
        rustls::Error::InvalidCertificate(problem) => Some(match problem {
            CertificateError::UnknownIssuer => Fault::CertificateAuthorityUnknown,
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => Fault::CertificateExpired,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Fault::CertificateNameMismatch
            }
            _ => Fault::TlsFailed,
        }),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::io;

    use lakebase::{Error, ErrorKind};

    use super::*;

    #[test]
    fn a_bad_certificate_is_found_below_other_errors() {
        let inner = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let io = io::Error::new(io::ErrorKind::InvalidData, inner);
        let error = Error::new(ErrorKind::Tls, "could not set up TLS").with_source(io);
        let error = error.context("asking");
        assert_eq!(certificate_fault(&error), Some(Fault::CertificateAuthorityUnknown));
        assert_eq!(certificate_fault(&Error::new(ErrorKind::Tls, "no")), None);
    }
}
