//! Classifies the errors with which a server refuses a login.
//!
//! Sources: PostgreSQL's error codes (documentation, appendix A); the messages in Databricks' guides for
//! external applications, in the Databricks CLI's connect policy, and in the open-source proxy of Neon,
//! from which Lakebase's front end descends.

use crate::{ConnectFailure, ErrorKind};

/// Messages of the service's front end, which mostly have the unspecific code XX000. Lower case.
const MESSAGES: &[(&str, ConnectFailure)] = &[
    ("external authorization failed", ConnectFailure::Waking),
    ("invalid authorization for databricks identity login", ConnectFailure::AuthRejected),
    ("failed to decode token", ConnectFailure::AuthRejected),
    ("endpoint is temporarily unavailable", ConnectFailure::Waking),
    ("endpoint is disabled", ConnectFailure::Permanent(ErrorKind::Disabled)),
    ("endpoint cannot be found", ConnectFailure::UnknownEndpoint),
    ("endpoint id is not specified", ConnectFailure::Permanent(ErrorKind::Config)),
    ("inconsistent project name", ConnectFailure::Permanent(ErrorKind::Config)),
    ("connection is insecure", ConnectFailure::Permanent(ErrorKind::Tls)),
    ("invalid protocol version: 196608", ConnectFailure::Permanent(ErrorKind::Tls)),
    ("native password roles only", ConnectFailure::Permanent(ErrorKind::Config)),
    ("source ip address", ConnectFailure::Permanent(ErrorKind::PermissionDenied)),
    ("ip address is not allowed", ConnectFailure::Permanent(ErrorKind::PermissionDenied)),
    ("ip acl", ConnectFailure::Permanent(ErrorKind::PermissionDenied)),
    ("blocked network", ConnectFailure::Permanent(ErrorKind::PermissionDenied)),
    ("no pg_hba.conf entry", ConnectFailure::Permanent(ErrorKind::PermissionDenied)),
    ("too many connections", ConnectFailure::Transient),
    ("failed to acquire permit", ConnectFailure::Transient),
    ("authentication timed out", ConnectFailure::Transient),
    ("control plane request failed", ConnectFailure::Transient),
];

/// Classifies the server's error with this SQLSTATE and message.
///
/// A specific code decides; otherwise the message does.
#[must_use]
pub fn classify_refusal(sqlstate: &str, message: &str) -> ConnectFailure {
    let message = message.to_lowercase();
    match sqlstate {
        // invalid_catalog_name
        "3D000" => ConnectFailure::Permanent(ErrorKind::NotFound),
        // insufficient_privilege
        "42501" => ConnectFailure::Permanent(ErrorKind::PermissionDenied),
        // cannot_connect_now
        "57P03" => ConnectFailure::Waking,
        // admin_shutdown, crash_shutdown: the compute is being suspended or moved
        "57P01" | "57P02" => ConnectFailure::Transient,
        _ if sqlstate.starts_with("08") || sqlstate.starts_with("53") => ConnectFailure::Transient,
        // invalid_authorization_specification, invalid_password
        "28000" | "28P01" if message.contains("does not exist") => {
            ConnectFailure::Permanent(ErrorKind::NotFound)
        }
        "28000" | "28P01" => from_message(&message).unwrap_or(ConnectFailure::AuthRejected),
        _ => from_message(&message).unwrap_or(ConnectFailure::Permanent(ErrorKind::InvalidRequest)),
    }
}

fn from_message(message: &str) -> Option<ConnectFailure> {
    MESSAGES.iter().find(|(text, _)| message.contains(text)).map(|(_, failure)| *failure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ConnectFailure::{AuthRejected, Permanent, Transient, UnknownEndpoint, Waking};

    #[test]
    fn code_first_message_second() {
        for (code, message, expected) in [
            ("28P01", "password authentication failed for user \"app\"", AuthRejected),
            ("28000", "Invalid authorization for databricks identity login", AuthRejected),
            ("XX000", "Invalid authorization for databricks identity login", AuthRejected),
            ("XX000", "Failed to decode token for role app", AuthRejected),
            ("28000", "role \"app\" does not exist", Permanent(ErrorKind::NotFound)),
            (
                "28000",
                "Source IP address: 10.0.0.1 is blocked by Databricks IP ACL",
                Permanent(ErrorKind::PermissionDenied),
            ),
            ("3D000", "database \"x\" does not exist", Permanent(ErrorKind::NotFound)),
            ("42501", "permission denied for database", Permanent(ErrorKind::PermissionDenied)),
            ("57P03", "the database system is starting up", Waking),
            ("57P01", "terminating connection due to administrator command", Transient),
            ("53300", "sorry, too many clients already", Transient),
            ("08006", "connection failure", Transient),
            (
                "XX000",
                "External authorization failed. DETAIL: This could be due to paused instances",
                Waking,
            ),
            (
                "XX000",
                "Control plane request failed: endpoint is disabled",
                Permanent(ErrorKind::Disabled),
            ),
            ("XX000", "Control plane request failed: endpoint cannot be found", UnknownEndpoint),
            ("XX000", "Control plane request failed", Transient),
            (
                "XX000",
                "Endpoint ID is not specified. Either please upgrade",
                Permanent(ErrorKind::Config),
            ),
            ("XX000", "something nobody has seen", Permanent(ErrorKind::InvalidRequest)),
            ("", "", Permanent(ErrorKind::InvalidRequest)),
        ] {
            assert_eq!(classify_refusal(code, message), expected, "{code} {message}");
        }
    }
}
