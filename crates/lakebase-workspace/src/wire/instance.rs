//! Database instances of Lakebase Provisioned: the `database` service.
//!
//! Source: Databricks' SDK for Python 0.133, `service/database.py`.

use lakebase_core::{
    ComputeName, Endpoint, EndpointHosts, EndpointState, EndpointType, Jitter, Result,
};
use serde_json::Value;

use super::json::{parse, required, text};
use super::reply::{enum_text, host_name};

/// Reads the reply to `find_instance`.
///
/// A stopped instance counts as disabled, because a login does not start it.
///
/// # Errors
///
/// `Protocol`: not JSON, no name, or a malformed host.
pub(crate) fn instance(body: &[u8]) -> Result<Endpoint> {
    const WHAT: &str = "the database instance";
    let value = parse(WHAT, body)?;
    let name = required(WHAT, &value, "name")?;
    let flag = |field: &str| value.get(field).and_then(Value::as_bool);
    let state = text(&value, "state").unwrap_or_default();
    let stopped = flag("effective_stopped").or(flag("stopped")).unwrap_or(false);
    Ok(Endpoint {
        name: ComputeName::Instance(name.into()),
        endpoint_type: EndpointType::ReadWrite,
        state: match state {
            "AVAILABLE" => EndpointState::Active,
            "STARTING" => EndpointState::Init,
            other => EndpointState::Unknown(enum_text(other)),
        },
        disabled: stopped || state == "STOPPED",
        hosts: EndpointHosts {
            host: host_name(WHAT, &value, "", "read_write_dns")?,
            read_only_host: host_name(WHAT, &value, "", "read_only_dns")?,
            ..EndpointHosts::default()
        },
        suspend_timeout: None,
    })
}

/// A UUID of version 4 (RFC 9562), by which the service recognises a repeated request.
pub(super) fn random_uuid() -> String {
    let mut jitter = Jitter::new();
    let (high, low) = (jitter.number(), jitter.number());
    let high = (high & !0xf000) | 0x4000;
    let low = (low & !(0b11 << 62)) | (0b10 << 62);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_are_uuids_of_version_4_and_differ() {
        let (one, other) = (random_uuid(), random_uuid());
        assert_ne!(one, other);
        for uuid in [one, other] {
            let lengths: Vec<usize> = uuid.split('-').map(str::len).collect();
            assert_eq!(lengths, [8, 4, 4, 4, 12], "{uuid}");
            assert_eq!(&uuid[14..15], "4", "{uuid}");
            assert!("89ab".contains(&uuid[19..20]), "{uuid}");
        }
    }

    #[test]
    fn replies_are_read() {
        let body = br#"{"name":"shop","uid":"u","state":"AVAILABLE","read_write_dns":"instance-u.example","capacity":"CU_1"}"#;
        let found = instance(body).unwrap();
        assert_eq!(found.name, ComputeName::Instance("shop".into()));
        assert_eq!((found.disabled, found.state), (false, EndpointState::Active));
        assert!(found.hosts.contains("instance-u.example"));
        let stopped = instance(br#"{"name":"shop","state":"STOPPED"}"#).unwrap();
        assert!(stopped.disabled);
        for (body, part) in [
            (r#"{"uid":"u"}"#, "has no `name`"),
            (r#"{"name":"shop","read_write_dns":"a b"}"#, "`read_write_dns` is not a host name"),
        ] {
            let error = instance(body.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}
