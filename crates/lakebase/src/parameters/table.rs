//! The rows: one for each parameter of libpq 18, and for two of other versions.

use super::Parameter;
use super::Treatment::{self, Harmless, Honoured, Refused};
use super::Variable::{self, None as NoVariable, Read, Unread};

const fn row(name: &'static str, variable: Variable, treatment: Treatment) -> Parameter {
    Parameter { name, variable, treatment }
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
    row(
        "application_name",
        Read("PGAPPNAME"),
        Honoured {
            setting: "application_name",
            meaning: "how the server's views name the session",
        },
    ),
    row(
        "channel_binding",
        Read("PGCHANNELBINDING"),
        Harmless {
            values: &["disable", "prefer"],
            reason: "no login binds its channel: a token travels as a plain password inside TLS, and for other passwords \
                     the driver cannot; sslmode=verify-full proves the server",
        },
    ),
    row(
        "client_encoding",
        Unread("PGCLIENTENCODING"),
        Harmless { values: &["UTF8", "UTF-8", "unicode", "auto"], reason: "text is always UTF-8" },
    ),
    row(
        "connect_timeout",
        Read("PGCONNECT_TIMEOUT"),
        Honoured {
            setting: "connect_timeout",
            meaning: "whole seconds for one connect with all its retries; 0 for the default",
        },
    ),
    row(
        "dbname",
        Read("PGDATABASE"),
        Honoured {
            setting: "database",
            meaning: "the database; its name only, not a connection string",
        },
    ),
    row(
        "fallback_application_name",
        NoVariable,
        Honoured {
            setting: "fallback_application_name",
            meaning: "the name if neither `application_name` nor `PGAPPNAME` says one",
        },
    ),
    row("gssdelegation", Unread("PGGSSDELEGATION"), Harmless { values: &[], reason: NO_GSSAPI }),
    row(
        "gssencmode",
        Read("PGGSSENCMODE"),
        Harmless {
            values: &["disable", "prefer"],
            reason: "GSSAPI is not used; connections are encrypted by TLS",
        },
    ),
    row("gsslib", Unread("PGGSSLIB"), Harmless { values: &[], reason: NO_GSSAPI }),
    row(
        "host",
        Read("PGHOST"),
        Honoured {
            setting: "host",
            meaning: "one name, address, or folder of a Unix socket; several are refused",
        },
    ),
    row(
        "hostaddr",
        Read("PGHOSTADDR"),
        Honoured { setting: "hostaddr", meaning: "one address to connect to; TLS verifies `host`" },
    ),
    row(
        "keepalives",
        NoVariable,
        Honoured { setting: "keepalives", meaning: "1 sends keepalive probes, 0 none; default 1" },
    ),
    row(
        "keepalives_count",
        NoVariable,
        Honoured {
            setting: "keepalives_count",
            meaning: "unanswered probes until a connection is dead; default 3, 0 for the system's",
        },
    ),
    row(
        "keepalives_idle",
        NoVariable,
        Honoured {
            setting: "keepalives_idle",
            meaning: "idle seconds before the first probe; default 30, 0 for the system's",
        },
    ),
    row(
        "keepalives_interval",
        NoVariable,
        Honoured {
            setting: "keepalives_interval",
            meaning: "seconds between unanswered probes; default 10, 0 for the system's",
        },
    ),
    row("krbsrvname", Unread("PGKRBSRVNAME"), Harmless { values: &[], reason: NO_GSSAPI }),
    row(
        "load_balance_hosts",
        Read("PGLOADBALANCEHOSTS"),
        Honoured {
            setting: "load_balance_hosts",
            meaning: "`disable` tries a host's addresses in their order, `random` in a random one",
        },
    ),
    row(
        "max_protocol_version",
        Unread("PGMAXPROTOCOLVERSION"),
        Harmless { values: &["3.0", "3.2", "latest"], reason: "the driver speaks version 3.0" },
    ),
    row(
        "min_protocol_version",
        Read("PGMINPROTOCOLVERSION"),
        Harmless { values: &["3.0"], reason: "the driver speaks version 3.0" },
    ),
    row("oauth_client_id", NoVariable, Refused { reason: NO_OAUTH_OF_LIBPQ }),
    row("oauth_client_secret", NoVariable, Refused { reason: NO_OAUTH_OF_LIBPQ }),
    row("oauth_issuer", NoVariable, Refused { reason: NO_OAUTH_OF_LIBPQ }),
    row("oauth_scope", NoVariable, Refused { reason: NO_OAUTH_OF_LIBPQ }),
    row(
        "options",
        Read("PGOPTIONS"),
        Honoured {
            setting: "options",
            meaning: "`-c name=value` or `--name=value`, several with spaces",
        },
    ),
    row(
        "passfile",
        Read("PGPASSFILE"),
        Honoured {
            setting: "passfile",
            meaning: "file of passwords for native roles of a server named by URL or host; default `~/.pgpass`",
        },
    ),
    row(
        "password",
        Read("PGPASSWORD"),
        Honoured { setting: "password", meaning: "password of a native role" },
    ),
    row("port", Read("PGPORT"), Honoured { setting: "port", meaning: "one port; default 5432" }),
    row(
        "replication",
        NoVariable,
        Harmless {
            values: &["false", "off", "no", "0"],
            reason: "sessions are for statements, not for replication",
        },
    ),
    row(
        "require_auth",
        Read("PGREQUIREAUTH"),
        Honoured {
            setting: "require_auth",
            meaning: "the ways to authenticate that the server may ask for: `password`, `md5`, `scram-sha-256`, `none`, or all \
                      but those behind `!`. A token travels as a `password`, inside TLS",
        },
    ),
    row(
        "requirepeer",
        Read("PGREQUIREPEER"),
        Refused { reason: "whose process is behind a Unix socket is not checked" },
    ),
    row("requiressl", NoVariable, Refused { reason: "libpq dropped it; write sslmode=require" }),
    row("scram_client_key", NoVariable, Refused { reason: NO_SCRAM_KEY }),
    row("scram_server_key", NoVariable, Refused { reason: NO_SCRAM_KEY }),
    row("service", Unread("PGSERVICE"), Refused { reason: NO_SERVICE }),
    row("servicefile", Unread("PGSERVICEFILE"), Refused { reason: NO_SERVICE }),
    row(
        "ssl_max_protocol_version",
        Unread("PGSSLMAXPROTOCOLVERSION"),
        Harmless {
            values: &["TLSv1.3"],
            reason: "the newest version that both sides know is used",
        },
    ),
    row(
        "ssl_min_protocol_version",
        Read("PGSSLMINPROTOCOLVERSION"),
        Harmless {
            values: &["TLSv1", "TLSv1.1", "TLSv1.2"],
            reason: "versions below 1.2 are never used, but 1.2 cannot be excluded",
        },
    ),
    row("sslcert", Read("PGSSLCERT"), Refused { reason: NO_CLIENT_CERTIFICATE }),
    row(
        "sslcertmode",
        Read("PGSSLCERTMODE"),
        Harmless { values: &["disable", "allow"], reason: NO_CLIENT_CERTIFICATE },
    ),
    row(
        "sslcompression",
        Unread("PGSSLCOMPRESSION"),
        Harmless {
            values: &["0", "1"],
            reason: "nothing is compressed, as in new versions of libpq",
        },
    ),
    row("sslcrl", Read("PGSSLCRL"), Refused { reason: NO_REVOCATION }),
    row("sslcrldir", Read("PGSSLCRLDIR"), Refused { reason: NO_REVOCATION }),
    row("sslkey", Read("PGSSLKEY"), Refused { reason: NO_CLIENT_CERTIFICATE }),
    row("sslkeylogfile", NoVariable, Refused { reason: "keys of TLS are written nowhere" }),
    row(
        "sslmode",
        Read("PGSSLMODE"),
        Honoured { setting: "sslmode", meaning: "how far the server is verified: see `SslMode`" },
    ),
    row(
        "sslnegotiation",
        Unread("PGSSLNEGOTIATION"),
        Harmless {
            values: &["postgres"],
            reason: "the driver asks the server whether it has TLS, and cannot begin with it",
        },
    ),
    row("sslpassword", NoVariable, Refused { reason: NO_CLIENT_CERTIFICATE }),
    row(
        "sslrootcert",
        Read("PGSSLROOTCERT"),
        Honoured {
            setting: "sslrootcert",
            meaning: "file of authorities to trust besides the public and the platform's; `system` adds none and needs `verify-full`",
        },
    ),
    row(
        "sslsni",
        Unread("PGSSLSNI"),
        Harmless {
            values: &["1"],
            reason: "the host's name is always sent, because Lakebase finds the endpoint by it",
        },
    ),
    row(
        "target_session_attrs",
        Read("PGTARGETSESSIONATTRS"),
        Honoured {
            setting: "target_session_attrs",
            meaning: "the kind of endpoint: `read-only` and `standby` for a read-only one, `prefer-standby` for one if \
                      there is one, `any`, `read-write` and `primary` for the default. Where a URL or host names the \
                      server and no token is used, there is nothing to choose from, so the first two are refused",
        },
    ),
    row(
        "tcp_user_timeout",
        NoVariable,
        Honoured {
            setting: "tcp_user_timeout",
            meaning: "milliseconds until unacknowledged data ends a connection; default 60000, 0 for the system's",
        },
    ),
    row("user", Read("PGUSER"), Honoured { setting: "user", meaning: "the role" }),
];
