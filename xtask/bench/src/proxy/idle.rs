//! Sessions that log in, run one statement and then say nothing. No driver: only the relay's memory is looked at.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};

use anyhow::{Context as _, Result, bail};

use crate::postgres::startup;

/// Longest message that may come before a session is ready.
const MAX_MESSAGE: usize = 1 << 16;

/// Opens `count` sessions through the relay at `port`. The statement makes pgbouncer give each a connection of its own at the server.
pub(super) fn open(port: u16, user: &str, count: usize) -> Result<Vec<TcpStream>> {
    (0..count)
        .map(|number| session(port, user).with_context(|| format!("session {number}")))
        .collect()
}

fn session(port: u16, user: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    stream.write_all(&startup(user)?)?;
    until_ready(&mut stream)?;
    stream.write_all(b"Q\0\0\0\rselect 1\0")?;
    until_ready(&mut stream)?;
    Ok(stream)
}

/// Reads up to and with `ReadyForQuery`.
fn until_ready(stream: &mut TcpStream) -> Result<()> {
    loop {
        let mut head = [0; 5];
        stream.read_exact(&mut head).context("the relay closed the connection")?;
        let [kind, length @ ..] = head;
        let length = usize::try_from(u32::from_be_bytes(length))?;
        let mut body = vec![
            0;
            length
                .checked_sub(4)
                .filter(|body| *body < MAX_MESSAGE)
                .context("an impossible length")?
        ];
        stream.read_exact(&mut body)?;
        match kind {
            b'Z' => return Ok(()),
            b'E' => bail!("refused: {}", String::from_utf8_lossy(&body).replace('\0', " ")),
            _ => {}
        }
    }
}
