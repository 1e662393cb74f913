//! Messages of the protocol after the first packet: a type, a length, a body.

use std::fmt;
use std::io;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use futures_util::io::{AsyncRead, AsyncReadExt as _};

/// The longest message that is read while logging in; PostgreSQL's own are far shorter.
const MAX_LENGTH: usize = 64 * 1024;

/// One message.
#[derive(Debug)]
pub struct Message {
    /// Its type.
    pub kind: u8,
    /// Without type and length.
    pub body: Bytes,
}

/// Takes the first message out of `buffer`, if it is there in full.
///
/// # Errors
///
/// The length, if it is impossible.
pub fn take(buffer: &mut BytesMut) -> Result<Option<Message>, u32> {
    let Some((&kind, rest)) = buffer.split_first() else { return Ok(None) };
    let Some(length) = rest.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes)) else {
        return Ok(None);
    };
    let Ok(known @ 4..=MAX_LENGTH) = usize::try_from(length) else { return Err(length) };
    if buffer.len() < known + 1 {
        return Ok(None);
    }
    let mut whole = buffer.split_to(known + 1);
    whole.advance(5);
    Ok(Some(Message { kind, body: whole.freeze() }))
}

/// Reads one message; more may be left in `buffer`.
///
/// # Errors
///
/// Those of the stream; `Other` if the message has an impossible length.
pub async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
) -> io::Result<Message> {
    loop {
        let impossible = |length| {
            io::Error::other(format!(
                "a message claims {length} bytes; accepted: 4 to {MAX_LENGTH} during login"
            ))
        };
        if let Some(message) = take(buffer).map_err(impossible)? {
            return Ok(message);
        }
        let mut chunk = [0; 1024];
        match stream.read(&mut chunk).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => buffer.extend_from_slice(chunk.get(..count).unwrap_or_default()),
        }
    }
}

/// Appends a message to `out`.
pub fn put(out: &mut BytesMut, kind: u8, body: &[u8]) {
    out.put_u8(kind);
    out.put_u32(u32::try_from(body.len() + 4).unwrap_or(u32::MAX));
    out.put_slice(body);
}

/// An `ErrorResponse`: the fields that people and programs look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerError {
    /// The five characters of the SQLSTATE.
    pub sqlstate: String,
    /// The primary message.
    pub message: String,
    /// Details.
    pub detail: Option<String>,
    /// A suggestion what to do.
    pub hint: Option<String>,
    /// The function of the server that reported it.
    pub routine: Option<String>,
}

impl ServerError {
    /// Reads the body of an `ErrorResponse`. Unknown fields are left out, missing ones are empty.
    pub(crate) fn parse(body: &[u8]) -> Self {
        let mut error = Self::default();
        for field in body.split(|byte| *byte == 0) {
            let Some((kind, text)) = field.split_first() else { continue };
            let text = String::from_utf8_lossy(text).into_owned();
            match kind {
                b'C' => error.sqlstate = text,
                b'M' => error.message = text,
                b'D' => error.detail = Some(text),
                b'H' => error.hint = Some(text),
                b'R' => error.routine = Some(text),
                _ => {}
            }
        }
        error
    }

    /// A fatal `ErrorResponse` with these fields.
    #[must_use]
    pub fn encode(&self) -> BytesMut {
        let mut body = BytesMut::new();
        let mut field = |kind: u8, text: &str| {
            body.put_u8(kind);
            body.extend(text.bytes().filter(|byte| *byte != 0));
            body.put_u8(0);
        };
        field(b'S', "FATAL");
        field(b'V', "FATAL");
        field(b'C', &self.sqlstate);
        field(b'M', &self.message);
        for (kind, text) in [(b'D', &self.detail), (b'H', &self.hint), (b'R', &self.routine)] {
            if let Some(text) = text {
                field(kind, text);
            }
        }
        body.put_u8(0);
        let mut out = BytesMut::new();
        put(&mut out, b'E', &body);
        out
    }

    /// The same in the form of protocols 1 and 2, which PostgreSQL uses for their clients.
    #[must_use]
    pub fn encode_old(&self) -> BytesMut {
        let mut out = BytesMut::from(&b"EFATAL:  "[..]);
        out.extend(self.message.bytes().filter(|byte| *byte != 0));
        out.put_slice(b"\n\0");
        out
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sqlstate, message, detail, hint, .. } = self;
        write!(f, "{message} (SQLSTATE {sqlstate})")?;
        for more in [detail, hint].into_iter().flatten() {
            write!(f, "; {more}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_read_as_they_are_written() {
        let error = ServerError {
            sqlstate: "3D000".into(),
            message: "database \"x\" does not exist".into(),
            detail: None,
            hint: Some("create\0 it".into()),
            routine: Some("InitPostgres".into()),
        };
        let mut written = error.encode();
        let message = take(&mut written).unwrap().unwrap();
        assert_eq!((message.kind, written.len()), (b'E', 0));
        let read = ServerError::parse(&message.body);
        assert_eq!(read, ServerError { hint: Some("create it".into()), ..error });
        assert_eq!(read.to_string(), "database \"x\" does not exist (SQLSTATE 3D000); create it");
        assert_eq!(ServerError::parse(b"\0\0\xff"), ServerError::default());
    }

    #[test]
    fn messages_are_taken_whole_and_lengths_are_bounded() {
        let mut buffer = BytesMut::new();
        put(&mut buffer, b'Z', b"I");
        put(&mut buffer, b'N', b"");
        let mut part = BytesMut::from(&buffer[..5]);
        assert!(take(&mut part).unwrap().is_none());
        assert_eq!(&take(&mut buffer).unwrap().unwrap().body[..], b"I");
        assert_eq!(take(&mut buffer).unwrap().unwrap().kind, b'N');
        assert!(take(&mut buffer).unwrap().is_none());
        for length in [0, 3, 65_537, u32::MAX] {
            let mut wrong = BytesMut::from(&b"N"[..]);
            wrong.put_u32(length);
            assert_eq!(take(&mut wrong).unwrap_err(), length);
        }
    }
}
