//! A few statements as the superuser over the Unix socket, without a driver.

use std::io;
use std::path::{Path, PathBuf};

use bytes::{BufMut, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// Largest message read here; the start-up phase and our own statements stay far below.
const MAX_MESSAGE: usize = 1 << 20;

/// Runs statements as the superuser; each call uses its own connection.
#[derive(Clone, Debug)]
pub(crate) struct Admin {
    socket: PathBuf,
}

impl Admin {
    pub(crate) fn new(socket: &Path) -> Self {
        Self { socket: socket.to_owned() }
    }

    /// Runs statements one after the other; what exists already counts as done.
    pub(crate) async fn run(&self, statements: &[String]) -> io::Result<()> {
        let mut stream = UnixStream::connect(&self.socket).await?;
        stream.write_all(&startup(&[("user", "postgres"), ("database", "postgres")])).await?;
        until_ready(&mut stream).await?;
        for statement in statements {
            let mut query = BytesMut::new();
            query.put_u8(b'Q');
            let length = u32::try_from(statement.len() + 5).map_err(io::Error::other)?;
            query.put_u32(length);
            query.put_slice(statement.as_bytes());
            query.put_u8(0);
            stream.write_all(&query).await?;
            until_ready(&mut stream).await?;
        }
        stream.write_all(&[b'X', 0, 0, 0, 4]).await
    }
}

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

async fn until_ready(stream: &mut UnixStream) -> io::Result<()> {
    let mut failure = None;
    loop {
        match read_message(stream).await? {
            (b'Z', _) => return failure.map_or(Ok(()), Err),
            (b'E', message) => {
                let (code, text) = error_fields(&message);
                match code.as_str() {
                    // A role or database that exists already is as wanted.
                    "42710" | "42P04" => {}
                    _ => failure = Some(io::Error::other(format!("{text} ({code})"))),
                }
                if code.starts_with("57P") {
                    return failure.map_or(Ok(()), Err);
                }
            }
            _ => {}
        }
    }
}

/// SQLSTATE and text of an `ErrorResponse`.
fn error_fields(message: &[u8]) -> (String, String) {
    let fields = message.get(5..).unwrap_or_default().split(|byte| *byte == 0);
    let field = |kind: u8| {
        let mut found = fields.clone().filter_map(|field| field.strip_prefix(&[kind]));
        found.next().map(|text| String::from_utf8_lossy(text).into_owned()).unwrap_or_default()
    };
    (field(b'C'), field(b'M'))
}
