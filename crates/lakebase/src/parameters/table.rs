//! The rows: one for each parameter of libpq 18, and for two of other versions.

use super::Parameter;
use super::Treatment::{Harmless, Honoured, Refused};
use super::Variable::{self, None as NoVariable, Read, Unread};

/// The setting of the same name.
const fn honoured(name: &'static str, variable: Variable, meaning: &'static str) -> Parameter {
    Parameter { name, variable, treatment: Honoured { setting: name, meaning } }
}

const fn harmless(
    name: &'static str,
    variable: Variable,
    values: &'static [&'static str],
    reason: &'static str,
) -> Parameter {
    Parameter { name, variable, treatment: Harmless { values, reason } }
}

const fn refused(name: &'static str, variable: Variable, reason: &'static str) -> Parameter {
    Parameter { name, variable, treatment: Refused { reason } }
}

const NO_GSSAPI: &str = "GSSAPI is not used";
const NO_CLIENT_CERTIFICATE: &str =
    "client certificates are not supported; roles of Lakebase have tokens or passwords";
const NO_OAUTH_OF_LIBPQ: &str = "libpq's own way to get a token is not used; the workspace's identity gets it, by \
    DATABRICKS_CLIENT_ID and others";
const NO_SCRAM_KEY: &str = "the driver logs in with a password, not with keys made of one";
const NO_REVOCATION: &str = "revocation lists are not checked";
const NO_SERVICE: &str =
    "files of connection services are not read; write the service's parameters out";

/// In the order of the names. `requiressl` was dropped from libpq and `servicefile` is newer; old and new strings hold them.
pub(crate) const PARAMETERS: [Parameter; 52] = [
    honoured("application_name", Read("PGAPPNAME"), "how the server's views name the session"),
    harmless(
        "channel_binding",
        Read("PGCHANNELBINDING"),
        &["disable", "prefer"],
        "no login binds its channel: a token travels as a plain password inside TLS, and for other passwords \
         the driver cannot; sslmode=verify-full proves the server",
    ),
    harmless(
        "client_encoding",
        Unread("PGCLIENTENCODING"),
        &["UTF8", "UTF-8", "unicode", "auto"],
        "text is always UTF-8",
    ),
    honoured(
        "connect_timeout",
        Read("PGCONNECT_TIMEOUT"),
        "whole seconds for one connect with all its retries; 0 for the default",
    ),
    Parameter {
        name: "dbname",
        variable: Read("PGDATABASE"),
        treatment: Honoured {
            setting: "database",
            meaning: "the database; its name only, not a connection string",
        },
    },
    honoured(
        "fallback_application_name",
        NoVariable,
        "the name if neither `application_name` nor `PGAPPNAME` says one",
    ),
    harmless("gssdelegation", Unread("PGGSSDELEGATION"), &[], NO_GSSAPI),
    harmless(
        "gssencmode",
        Read("PGGSSENCMODE"),
        &["disable", "prefer"],
        "GSSAPI is not used; connections are encrypted by TLS",
    ),
    harmless("gsslib", Unread("PGGSSLIB"), &[], NO_GSSAPI),
    honoured(
        "host",
        Read("PGHOST"),
        "one name, address, or folder of a Unix socket; several are refused",
    ),
    honoured("hostaddr", Read("PGHOSTADDR"), "one address to connect to; TLS verifies `host`"),
    honoured("keepalives", NoVariable, "1 sends keepalive probes, 0 none; default 1"),
    honoured(
        "keepalives_count",
        NoVariable,
        "unanswered probes until a connection is dead; default 3, 0 for the system's",
    ),
    honoured(
        "keepalives_idle",
        NoVariable,
        "idle seconds before the first probe; default 30, 0 for the system's",
    ),
    honoured(
        "keepalives_interval",
        NoVariable,
        "seconds between unanswered probes; default 10, 0 for the system's",
    ),
    harmless("krbsrvname", Unread("PGKRBSRVNAME"), &[], NO_GSSAPI),
    honoured(
        "load_balance_hosts",
        Read("PGLOADBALANCEHOSTS"),
        "`disable` tries a host's addresses in their order, `random` in a random one",
    ),
    harmless(
        "max_protocol_version",
        Unread("PGMAXPROTOCOLVERSION"),
        &["3.0", "3.2", "latest"],
        "the driver speaks version 3.0",
    ),
    harmless(
        "min_protocol_version",
        Read("PGMINPROTOCOLVERSION"),
        &["3.0"],
        "the driver speaks version 3.0",
    ),
    refused("oauth_client_id", NoVariable, NO_OAUTH_OF_LIBPQ),
    refused("oauth_client_secret", NoVariable, NO_OAUTH_OF_LIBPQ),
    refused("oauth_issuer", NoVariable, NO_OAUTH_OF_LIBPQ),
    refused("oauth_scope", NoVariable, NO_OAUTH_OF_LIBPQ),
    honoured(
        "options",
        Read("PGOPTIONS"),
        "`-c name=value` or `--name=value`, several with spaces",
    ),
    honoured(
        "passfile",
        Read("PGPASSFILE"),
        "file of passwords for native roles of a server named by URL or host; default `~/.pgpass`",
    ),
    honoured("password", Read("PGPASSWORD"), "password of a native role"),
    honoured("port", Read("PGPORT"), "one port; default 5432"),
    harmless(
        "replication",
        NoVariable,
        &["false", "off", "no", "0"],
        "sessions are for statements, not for replication",
    ),
    honoured(
        "require_auth",
        Read("PGREQUIREAUTH"),
        "the ways to authenticate that the server may ask for: `password`, `md5`, `scram-sha-256`, `none`, or all \
         but those behind `!`. A token travels as a `password`, inside TLS",
    ),
    refused(
        "requirepeer",
        Read("PGREQUIREPEER"),
        "whose process is behind a Unix socket is not checked",
    ),
    refused("requiressl", NoVariable, "libpq dropped it; write sslmode=require"),
    refused("scram_client_key", NoVariable, NO_SCRAM_KEY),
    refused("scram_server_key", NoVariable, NO_SCRAM_KEY),
    refused("service", Unread("PGSERVICE"), NO_SERVICE),
    refused("servicefile", Unread("PGSERVICEFILE"), NO_SERVICE),
    harmless(
        "ssl_max_protocol_version",
        Unread("PGSSLMAXPROTOCOLVERSION"),
        &["TLSv1.3"],
        "the newest version that both sides know is used",
    ),
    harmless(
        "ssl_min_protocol_version",
        Read("PGSSLMINPROTOCOLVERSION"),
        &["TLSv1", "TLSv1.1", "TLSv1.2"],
        "versions below 1.2 are never used, but 1.2 cannot be excluded",
    ),
    refused("sslcert", Read("PGSSLCERT"), NO_CLIENT_CERTIFICATE),
    harmless("sslcertmode", Read("PGSSLCERTMODE"), &["disable", "allow"], NO_CLIENT_CERTIFICATE),
    harmless(
        "sslcompression",
        Unread("PGSSLCOMPRESSION"),
        &["0", "1"],
        "nothing is compressed, as in new versions of libpq",
    ),
    refused("sslcrl", Read("PGSSLCRL"), NO_REVOCATION),
    refused("sslcrldir", Read("PGSSLCRLDIR"), NO_REVOCATION),
    refused("sslkey", Read("PGSSLKEY"), NO_CLIENT_CERTIFICATE),
    refused("sslkeylogfile", NoVariable, "keys of TLS are written nowhere"),
    honoured("sslmode", Read("PGSSLMODE"), "how far the server is verified: see `SslMode`"),
    harmless(
        "sslnegotiation",
        Unread("PGSSLNEGOTIATION"),
        &["postgres"],
        "the driver asks the server whether it has TLS, and cannot begin with it",
    ),
    refused("sslpassword", NoVariable, NO_CLIENT_CERTIFICATE),
    honoured(
        "sslrootcert",
        Read("PGSSLROOTCERT"),
        "file of authorities to trust besides the public and the platform's; `system` adds none and needs `verify-full`",
    ),
    harmless(
        "sslsni",
        Unread("PGSSLSNI"),
        &["1"],
        "the host's name is always sent, because Lakebase finds the endpoint by it",
    ),
    honoured(
        "target_session_attrs",
        Read("PGTARGETSESSIONATTRS"),
        "the kind of endpoint: `read-only` and `standby` for a read-only one, `prefer-standby` for one if \
         there is one, `any`, `read-write` and `primary` for the default. Where a URL or host names the \
         server and no token is used, there is nothing to choose from, so the first two are refused",
    ),
    honoured(
        "tcp_user_timeout",
        NoVariable,
        "milliseconds until unacknowledged data ends a connection; default 60000, 0 for the system's",
    ),
    honoured("user", Read("PGUSER"), "the role"),
];
