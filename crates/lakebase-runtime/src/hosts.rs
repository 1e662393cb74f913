//! The answers of the operating system's resolver, whichever runtime asked it.

use std::io;
use std::net::{IpAddr, SocketAddr};

use lakebase_core::{Error, ErrorKind, Result};

/// The address that `host` is, if it is one; brackets around IPv6 are accepted.
pub(crate) fn literal(host: &str) -> Option<IpAddr> {
    let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    inner.parse().ok()
}

/// Asks `look_up` for `host`, unless it is an address already.
pub(crate) async fn resolve<I, F>(
    host: &str,
    look_up: impl FnOnce(String) -> F,
) -> Result<Vec<IpAddr>>
where
    I: IntoIterator<Item = SocketAddr>,
    F: Future<Output = io::Result<I>>,
{
    if let Some(address) = literal(host) {
        return Ok(vec![address]);
    }
    if host.is_empty() || host.contains('\0') {
        return Err(Error::new(ErrorKind::Config, format!("{host:?} is not a host name")));
    }
    let found = look_up(host.to_owned()).await.map_err(|error| {
        let kind = if is_unknown(&error) { ErrorKind::NotFound } else { ErrorKind::Unavailable };
        let message = format!("the system's resolver did not find an address of {host}");
        Error::new(kind, message).with_source(error)
    })?;
    let addresses = distinct(found.into_iter().map(|address| address.ip()));
    if addresses.is_empty() {
        let message = format!("the system's resolver has no address of {host}");
        return Err(Error::new(ErrorKind::NotFound, message));
    }
    Ok(addresses)
}

/// Each of `items` once, where it comes first.
pub(crate) fn distinct<T: PartialEq>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    items.into_iter().fold(Vec::new(), |mut kept, item| {
        if !kept.contains(&item) {
            kept.push(item);
        }
        kept
    })
}

/// Whether the error says that the name does not exist, as opposed to "not now".
///
/// The standard library drops the code of `getaddrinfo` and keeps its English text (glibc, musl, macOS);
/// on Windows the code survives. A text in another language counts as "not now".
fn is_unknown(error: &io::Error) -> bool {
    const TEXTS: [&str; 4] = [
        "Name or service not known",
        "No address associated with",
        "Name does not resolve",
        "nodename nor servname provided",
    ];
    const HOST_NOT_FOUND: i32 = 11_001;
    const NO_DATA: i32 = 11_004;
    if cfg!(windows) && matches!(error.raw_os_error(), Some(HOST_NOT_FOUND | NO_DATA)) {
        return true;
    }
    let text = error.to_string();
    TEXTS.iter().any(|known| text.contains(known))
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn check(host: &str, answer: io::Result<Vec<SocketAddr>>) -> Result<Vec<IpAddr>> {
        resolve(host, |_| async move { answer }).now_or_never().unwrap()
    }

    #[test]
    fn addresses_answer_themselves_without_a_look_up() {
        let never = || Err(io::Error::other("asked"));
        assert_eq!(check("127.0.0.1", never()).unwrap(), ["127.0.0.1".parse::<IpAddr>().unwrap()]);
        assert_eq!(check("[::1]", never()).unwrap(), ["::1".parse::<IpAddr>().unwrap()]);
        assert_eq!(check("", never()).unwrap_err().kind(), ErrorKind::Config);
    }

    #[test]
    fn tells_unknown_from_not_now() {
        let kind = |text: &str| {
            check("h.example", Err(io::Error::other(text.to_owned()))).unwrap_err().kind()
        };
        assert_eq!(
            kind("failed to lookup address information: Name or service not known"),
            ErrorKind::NotFound
        );
        assert_eq!(
            kind("failed to lookup address information: Temporary failure in name resolution"),
            ErrorKind::Unavailable
        );
        let empty = check("h.example", Ok(Vec::new())).unwrap_err();
        assert_eq!(empty.kind(), ErrorKind::NotFound);
        assert!(empty.to_string().contains("h.example"));
    }

    #[test]
    fn keeps_order_and_drops_repetitions() {
        let [a, b] = ["10.0.0.2:0", "10.0.0.1:0"].map(|text| text.parse::<SocketAddr>().unwrap());
        assert_eq!(check("h.example", Ok(vec![a, b, a])).unwrap(), [a.ip(), b.ip()]);
    }
}
