//! Errors that every backend words alike.

use std::error::Error as StdError;

use lakebase_core::{Error, ErrorKind, causes};

/// The largest reply that an HTTP client reads.
pub(crate) const MAX_REPLY: usize = 4 * 1024 * 1024;

/// A failed HTTP exchange with `host`: `Tls` if rustls is among the causes, else `Unavailable`.
pub(crate) fn exchange(host: &str, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
    let source = source.into();
    if causes(&*source).any(|cause| cause.is::<rustls::Error>()) {
        Error::new(ErrorKind::Tls, format!("could not set up TLS with {host}")).with_source(source)
    } else {
        Error::new(ErrorKind::Unavailable, format!("could not reach {host}")).with_source(source)
    }
}

/// A reply of `host` beyond [`MAX_REPLY`].
pub(crate) fn too_large(host: &str) -> Error {
    let message = format!("the reply of {host} is larger than {} MiB", MAX_REPLY >> 20);
    Error::new(ErrorKind::Protocol, message)
}

/// `host` or `host:port` of an absolute `http` or `https` URI, without user information.
pub(crate) fn authority(uri: &http::Uri) -> Result<String, Error> {
    let refuse = |problem: &str| {
        let host = uri.host().unwrap_or_default();
        Error::new(ErrorKind::Config, format!("request to {host:?}: {problem}"))
    };
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(refuse("the URL's scheme is not accepted; accepted: https and http"));
    }
    match (uri.host(), uri.port()) {
        (None | Some(""), _) => Err(refuse("the URL has no host")),
        (Some(host), None) => Ok(host.to_owned()),
        (Some(host), Some(port)) => Ok(format!("{host}:{port}")),
    }
}

/// Whether the caller is outside of any runtime that could do the work.
#[cfg(feature = "tokio")]
pub(crate) fn no_context() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "no tokio runtime is running here; call this inside one (#[tokio::main] or Runtime::block_on), \
         or enable the feature smol or async-std",
    )
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn finds_rustls_below_io() {
        let inner = io::Error::new(io::ErrorKind::InvalidData, rustls::Error::DecryptError);
        let error = exchange("w.example", io::Error::other(inner));
        assert_eq!(error.kind(), ErrorKind::Tls);
        assert_eq!(error.to_string(), "could not set up TLS with w.example");
        let reset = io::Error::from(io::ErrorKind::ConnectionReset);
        assert_eq!(exchange("w.example", reset).kind(), ErrorKind::Unavailable);
    }

    #[test]
    fn authority_has_no_user_and_needs_a_host_and_a_known_scheme() {
        let check = |uri: &str| authority(&uri.parse().unwrap()).map_err(|e| e.to_string());
        assert_eq!(check("https://u:p@w.example:8443/x?y"), Ok("w.example:8443".to_owned()));
        assert_eq!(check("http://w.example"), Ok("w.example".to_owned()));
        let refused = check("ftp://w.example/").unwrap_err();
        assert!(refused.contains("w.example") && refused.contains("accepted: https"), "{refused}");
        assert!(check("/path").is_err());
    }
}
