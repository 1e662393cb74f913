//! The side of the client: what it says first, and what is kept while its login is under way.

use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::AtomicU64;

use futures_util::future::{Either, select};
use futures_util::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use lakebase_core::effect::ByteStream;

use crate::factory::Session;
use crate::message::ServerError;
use crate::relay::Relay;
use crate::scram::{self, Verifier};
use crate::startup::{FirstPacket, Startup, StartupError};

/// How much a client may say before its login is answered.
const EARLY: usize = 16 * 1024;

/// Reads exactly one first packet; `received` grows by its bytes.
///
/// # Errors
///
/// Those of the stream; the inner one if the packet is malformed or the client goes away before its end.
pub async fn first_packet(
    stream: &mut (impl AsyncRead + Unpin),
    received: &mut usize,
) -> io::Result<Result<FirstPacket, StartupError>> {
    let mut header = [0; 4];
    let count = fill(stream, &mut header, received).await?;
    if count < header.len() {
        return Ok(Err(StartupError::Incomplete(count)));
    }
    let length = match FirstPacket::body_length(header) {
        Ok(length) => length,
        Err(error) => return Ok(Err(error)),
    };
    let mut body = vec![0; length];
    let count = fill(stream, &mut body, received).await?;
    if count < length {
        return Ok(Err(StartupError::Incomplete(header.len() + count)));
    }
    Ok(FirstPacket::parse(&body))
}

/// Fills `buffer` unless the client goes away; how much came.
async fn fill(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut [u8],
    received: &mut usize,
) -> io::Result<usize> {
    let mut count = 0;
    while count < buffer.len() {
        match stream.read(&mut buffer[count..]).await? {
            0 => break,
            more => {
                count += more;
                *received += more;
            }
        }
    }
    Ok(count)
}

/// Reads a driver's `StartupMessage`, without encryption, and lets it prove that it knows the password if there is one.
///
/// # Errors
///
/// Those of the stream; `InvalidData` if something else came, or the driver does not know the password.
pub async fn driver_startup(
    driver: &mut (impl ByteStream + ?Sized),
    password: Option<&Verifier>,
) -> io::Result<Startup> {
    let mut driver = driver;
    let startup = loop {
        match first_packet(&mut driver, &mut 0).await? {
            Ok(FirstPacket::Startup(startup)) => break startup,
            Ok(FirstPacket::Tls | FirstPacket::Gss) => {
                driver.write_all(b"N").await?;
                driver.flush().await?;
            }
            Ok(FirstPacket::Cancel(_)) | Err(_) => return Err(io::ErrorKind::InvalidData.into()),
        }
    };
    if let Some(verifier) = password
        && !scram::ask(&mut driver, verifier).await?
    {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(startup)
}

/// The result of `login`, with what the client said meanwhile; `None` if the client went away. Then the login should end, too: drop it.
pub async fn log_in_for<T>(
    client: &mut (impl ByteStream + ?Sized),
    login: Pin<&mut impl Future<Output = T>>,
) -> Option<(T, Vec<u8>)> {
    let mut early = Vec::new();
    let result = match select(login, pin!(gone(client, &mut early))).await {
        Either::Left((result, _)) => result,
        Either::Right(((), _)) => return None,
    };
    Some((result, early))
}

/// Completes when the client is gone. What it says goes to `early`; bytes that do not fit stay in the socket.
async fn gone(client: &mut (impl ByteStream + ?Sized), early: &mut Vec<u8>) {
    // Not in the future itself, which most clients never wait in.
    let mut chunk = vec![0; 1024];
    while early.len() < EARLY {
        match client.read(&mut chunk).await {
            Ok(0) | Err(_) => return,
            Ok(count) => early.extend_from_slice(chunk.get(..count).unwrap_or_default()),
        }
    }
    std::future::pending().await
}

/// Hands `session` to the client and carries bytes until either is gone; whether it was the server that ended the session.
pub async fn carry(mut client: Box<dyn ByteStream>, session: Session, early: Vec<u8>) -> bool {
    let Session { mut stream, greeting, .. } = session;
    let counts = [AtomicU64::new(0), AtomicU64::new(0)];
    let mut relay = Relay::new(early, greeting.into(), [&counts[0], &counts[1]]);
    // Either side's end is the end of both; each sees its own.
    let _ = relay.carry(&mut *client, &mut stream).await;
    !relay.client_has_left()
}

/// Says why there is no session, and closes.
///
/// # Errors
///
/// Those of the stream.
pub async fn reject(client: &mut (impl ByteStream + ?Sized), why: &ServerError) -> io::Result<()> {
    client.write_all(&why.encode()).await?;
    client.flush().await?;
    client.close().await
}
