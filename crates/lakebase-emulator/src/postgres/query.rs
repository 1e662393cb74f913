//! Statements over the Unix socket, without a driver: a few as the superuser, and one with bound values in a transaction of
//! its own.

use std::io;
use std::path::{Path, PathBuf};

use bytes::{BufMut, BytesMut};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

use super::message::{put_message, read_message_up_to, startup};

/// Largest answer, which is one row.
const MAX_ROW: usize = 64 << 20;

/// `Terminate`.
const TERMINATE: [u8; 5] = [b'X', 0, 0, 0, 4];

/// An error of Postgres about a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerError {
    pub(crate) sqlstate: String,
    pub(crate) message: String,
    pub(crate) detail: Option<String>,
    pub(crate) hint: Option<String>,
}

#[derive(Debug)]
pub(crate) enum QueryError {
    Server(ServerError),
    Io(io::Error),
}

impl From<io::Error> for QueryError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<QueryError> for io::Error {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Server(ServerError { message, sqlstate, .. }) => {
                Self::other(format!("{message} ({sqlstate})"))
            }
            QueryError::Io(error) => error,
        }
    }
}

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
        let parameters = [("user", "postgres"), ("database", "postgres")];
        let mut stream = connect(&self.socket, &parameters).await?;
        for statement in statements {
            let mut query = BytesMut::new();
            put_message(&mut query, b'Q', &[statement.as_bytes(), &[0]].concat())?;
            stream.write_all(&query).await?;
            match until_ready(&mut stream).await {
                // A role or database that exists already is as wanted.
                Err(QueryError::Server(error))
                    if matches!(error.sqlstate.as_str(), "42710" | "42P04") => {}
                result => _ = result?,
            }
        }
        stream.write_all(&TERMINATE).await
    }
}

/// The role and the settings of a transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transaction<'a> {
    /// Logs in.
    pub(crate) user: &'a str,
    /// Taken by the transaction.
    pub(crate) role: &'a str,
    pub(crate) database: &'a str,
    pub(crate) read_only: bool,
}

impl Transaction<'_> {
    /// Runs `sql` with values for `$1`, `$2`, … and gives its first row; NULL is an empty text.
    ///
    /// Everything before the one `Sync` is one transaction, so the role ends with it. Dropping the future closes the connection.
    pub(crate) async fn run(
        &self,
        socket: &Path,
        sql: &str,
        values: &[String],
    ) -> Result<Vec<String>, QueryError> {
        let mut parameters = vec![("user", self.user), ("database", self.database)];
        if self.read_only {
            parameters.push(("options", "-c default_transaction_read_only=on"));
        }
        let mut stream = connect(socket, &parameters).await?;
        let mut messages = BytesMut::new();
        let role = [self.role.to_owned()];
        execute(&mut messages, "select pg_catalog.set_config('role', $1, true)", &role)?;
        execute(&mut messages, sql, values)?;
        put_message(&mut messages, b'S', &[])?;
        stream.write_all(&messages).await?;
        let row = until_ready(&mut stream).await?;
        // The answer is there; how the connection ends changes nothing.
        let _ = stream.write_all(&TERMINATE).await;
        Ok(row)
    }
}

/// Parse, Bind, Execute of the unnamed statement; types are Postgres' to find, values are text.
fn execute(messages: &mut BytesMut, sql: &str, values: &[String]) -> io::Result<()> {
    let mut parse = BytesMut::new();
    parse.put_u8(0);
    parse.put_slice(sql.as_bytes());
    parse.put_slice(&[0, 0, 0]);
    put_message(messages, b'P', &parse)?;
    let mut bind = BytesMut::new();
    bind.put_slice(&[0, 0, 0, 0]);
    bind.put_u16(u16::try_from(values.len()).map_err(io::Error::other)?);
    for value in values {
        bind.put_u32(u32::try_from(value.len()).map_err(io::Error::other)?);
        bind.put_slice(value.as_bytes());
    }
    bind.put_u16(0);
    put_message(messages, b'B', &bind)?;
    put_message(messages, b'E', &[0, 0, 0, 0, 0])
}

/// Logs in, for which the socket wants no password.
async fn connect(socket: &Path, parameters: &[(&str, &str)]) -> Result<UnixStream, QueryError> {
    let mut stream = UnixStream::connect(socket).await?;
    stream.write_all(&startup(parameters)).await?;
    until_ready(&mut stream).await?;
    Ok(stream)
}

/// The last row before the server is ready again, or the first error.
async fn until_ready(stream: &mut UnixStream) -> Result<Vec<String>, QueryError> {
    let (mut row, mut failure) = (Vec::new(), None);
    loop {
        let (kind, message) = match read_message_up_to(stream, MAX_ROW).await {
            // After a fatal error the server closes the connection.
            Err(_) if failure.is_some() => break,
            message => message?,
        };
        let body = message.get(5..).unwrap_or_default();
        match kind {
            b'D' => row = columns(body).ok_or_else(|| io::Error::other("a row of wrong form"))?,
            b'E' => _ = failure.get_or_insert_with(|| server_error(body)),
            b'Z' => break,
            _ => {}
        }
    }
    failure.map_or(Ok(row), |error| Err(QueryError::Server(error)))
}

fn columns(body: &[u8]) -> Option<Vec<String>> {
    let (count, mut rest) = body.split_first_chunk::<2>()?;
    let mut columns = Vec::new();
    for _ in 0..u16::from_be_bytes(*count) {
        let (length, after) = rest.split_first_chunk::<4>()?;
        // -1 stands for NULL.
        let length = usize::try_from(i32::from_be_bytes(*length)).unwrap_or_default();
        let (value, after) = after.split_at_checked(length)?;
        columns.push(String::from_utf8_lossy(value).into_owned());
        rest = after;
    }
    Some(columns)
}

fn server_error(body: &[u8]) -> ServerError {
    let field = |kind: u8| {
        let mut found = body.split(|b| *b == 0).filter_map(|field| field.strip_prefix(&[kind]));
        found.next().map(|text| String::from_utf8_lossy(text).into_owned())
    };
    ServerError {
        sqlstate: field(b'C').unwrap_or_default(),
        message: field(b'M').unwrap_or_default(),
        detail: field(b'D'),
        hint: field(b'H'),
    }
}
