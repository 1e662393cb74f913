//! The client's side of SOCKS 5 (RFC 1928), with a user and a password (RFC 1929) or without.
//!
//! Only as many bytes are read as the proxy's answers have, so that nothing of the way behind them is lost.

use std::io;
use std::net::IpAddr;

use futures_util::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use lakebase_core::ErrorKind;

use crate::proxies::{Proxy, ProxyError};

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const USER_AND_PASSWORD: u8 = 2;
const NO_ACCEPTABLE_METHOD: u8 = 0xff;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// What to connect to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Destination<'a> {
    /// A host's name, which the proxy looks up.
    Name(&'a str),
    /// An address.
    Address(IpAddr),
}

/// Agrees with the proxy at the other end of `stream` on how to prove who asks, and proves it.
pub(super) async fn greet(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    proxy: &Proxy,
) -> Result<(), ProxyError> {
    let user = proxy.credentials();
    let methods: &[u8] = match user {
        Some(_) => &[NO_AUTHENTICATION, USER_AND_PASSWORD],
        None => &[NO_AUTHENTICATION],
    };
    let mut hello = vec![VERSION];
    push(&mut hello, "methods", methods)?;
    let [version, method] = ask(stream, &hello).await?;
    match (version, method, user) {
        (VERSION, NO_AUTHENTICATION, _) => Ok(()),
        (VERSION, USER_AND_PASSWORD, Some(user)) => {
            let mut proof = vec![1];
            push(&mut proof, "the proxy's user", &user.name)?;
            push(&mut proof, "the proxy's password", &user.password)?;
            // Some proxies put the version of SOCKS here, and not that of this exchange.
            match ask(stream, &proof).await? {
                [_, 0] => Ok(()),
                [_, status] => Err(ProxyError::authentication_required(status, proxy)),
            }
        }
        (VERSION, NO_ACCEPTABLE_METHOD, None) => {
            Err(ProxyError::authentication_required(NO_ACCEPTABLE_METHOD, proxy))
        }
        (VERSION, NO_ACCEPTABLE_METHOD, Some(_)) => Err(ProxyError::refused(
            ErrorKind::Unsupported,
            "the proxy wants another proof than a user and a password",
        )),
        _ => Err(not_socks()),
    }
}

/// Has the proxy connect `stream` to `to`.
pub(super) async fn connect(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    to: Destination<'_>,
    port: u16,
) -> Result<(), ProxyError> {
    let mut request = vec![VERSION, CONNECT, 0];
    match to {
        Destination::Name(name) => {
            request.push(NAME);
            push(&mut request, "the host's name", name.as_bytes())?;
        }
        Destination::Address(IpAddr::V4(address)) => {
            request.push(IPV4);
            request.extend_from_slice(&address.octets());
        }
        Destination::Address(IpAddr::V6(address)) => {
            request.push(IPV6);
            request.extend_from_slice(&address.octets());
        }
    }
    request.extend_from_slice(&port.to_be_bytes());
    let [version, reply, _, kind] = ask(stream, &request).await?;
    if version != VERSION {
        return Err(not_socks());
    }
    if reply != 0 {
        let (error, meaning) = meaning(reply);
        let message = format!("the proxy answered {reply}: {meaning}");
        return Err(ProxyError::refused(error, message));
    }
    // The proxy's own address and port, which say nothing here.
    let length = match kind {
        IPV4 => 4,
        IPV6 => 16,
        NAME => usize::from(read::<1>(stream).await?[0]),
        _ => return Err(not_socks()),
    };
    let mut bound = [0; u8::MAX as usize + 2];
    stream.read_exact(&mut bound[..length + 2]).await.map_err(broken)
}

/// The meaning of the replies of RFC 1928, section 6: the kind of the error tells whether another attempt may help.
fn meaning(reply: u8) -> (ErrorKind, &'static str) {
    match reply {
        1 => (ErrorKind::Unavailable, "general failure of the proxy"),
        2 => (ErrorKind::PermissionDenied, "its rules do not allow the connection"),
        3 => (ErrorKind::Unavailable, "network unreachable"),
        4 => (ErrorKind::Unavailable, "host unreachable"),
        5 => (ErrorKind::Unavailable, "connection refused"),
        6 => (ErrorKind::Unavailable, "time to live expired"),
        7 => (ErrorKind::Unsupported, "it does not know the command CONNECT"),
        8 => (ErrorKind::Unsupported, "it does not know this type of address"),
        _ => (ErrorKind::Unavailable, "which has no meaning in SOCKS 5"),
    }
}

/// Appends `bytes` with their number in front.
fn push(message: &mut Vec<u8>, what: &str, bytes: &[u8]) -> Result<(), ProxyError> {
    let length = u8::try_from(bytes.len()).map_err(|_| {
        let message = format!("{what} is longer than the 255 bytes that SOCKS 5 can say");
        ProxyError::refused(ErrorKind::Config, message)
    })?;
    message.push(length);
    message.extend_from_slice(bytes);
    Ok(())
}

async fn ask<const N: usize>(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    message: &[u8],
) -> Result<[u8; N], ProxyError> {
    stream.write_all(message).await.map_err(broken)?;
    stream.flush().await.map_err(broken)?;
    read(stream).await
}

async fn read<const N: usize>(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<[u8; N], ProxyError> {
    let mut answer = [0; N];
    stream.read_exact(&mut answer).await.map_err(broken)?;
    Ok(answer)
}

fn not_socks() -> ProxyError {
    ProxyError::unreachable("the proxy does not answer as a SOCKS 5 proxy does")
}

fn broken(error: io::Error) -> ProxyError {
    not_socks().with_source(error)
}

#[cfg(test)]
mod tests;
