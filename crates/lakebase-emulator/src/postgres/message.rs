//! Messages of the Postgres protocol, as far as all that speaks it here shares them.

use std::io;

use bytes::{BufMut, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Largest message read here; the start-up phase stays far below.
const MAX_MESSAGE: usize = 1 << 20;

/// A start-up packet of protocol 3.0.
pub(crate) fn startup(parameters: &[(&str, &str)]) -> BytesMut {
    let mut packet = BytesMut::new();
    packet.put_u32(0);
    packet.put_u32(196_608);
    for (name, value) in parameters {
        packet.put_slice(name.as_bytes());
        packet.put_u8(0);
        packet.put_slice(value.as_bytes());
        packet.put_u8(0);
    }
    packet.put_u8(0);
    let length = u32::try_from(packet.len()).unwrap_or(u32::MAX);
    packet[..4].copy_from_slice(&length.to_be_bytes());
    packet
}

/// One message with its type and length: `(type, whole message)`.
pub(crate) async fn read_message(
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<(u8, Vec<u8>)> {
    read_message_up_to(stream, MAX_MESSAGE).await
}

/// The same for messages of up to `limit` bytes.
pub(super) async fn read_message_up_to(
    stream: &mut (impl AsyncRead + Unpin),
    limit: usize,
) -> io::Result<(u8, Vec<u8>)> {
    let kind = stream.read_u8().await?;
    let length = stream.read_u32().await?;
    let body = usize::try_from(length).ok().and_then(|length| length.checked_sub(4));
    let body = body.filter(|body| *body <= limit);
    let body = body.ok_or_else(|| io::Error::other("message of impossible length"))?;
    let mut message = vec![kind, 0, 0, 0, 0];
    message[1..].copy_from_slice(&length.to_be_bytes());
    message.resize(5 + body, 0);
    stream.read_exact(message.get_mut(5..).unwrap_or_default()).await?;
    Ok((kind, message))
}

/// Appends a message with its type and length.
pub(crate) fn put_message(messages: &mut BytesMut, kind: u8, body: &[u8]) -> io::Result<()> {
    messages.put_u8(kind);
    messages.put_u32(u32::try_from(body.len() + 4).map_err(io::Error::other)?);
    messages.put_slice(body);
    Ok(())
}
