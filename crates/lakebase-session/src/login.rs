//! Logging in to a server: from the `StartupMessage` to the first `ReadyForQuery`.

use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::io::AsyncWriteExt as _;
use lakebase_core::ConnectParams;
use lakebase_core::connect::{AuthMethod, LoginPhase};

use crate::error::LoginError;
use crate::message::{self, Message, ServerError};
use crate::scram::client::{MECHANISM, Proof, md5_proof};
use crate::startup::CancelKey;
use crate::stream::ServerStream;

/// How much a server may say before the session is open.
const MAX_GREETING: usize = 1024 * 1024;

/// `AuthenticationOk`.
pub(crate) const AUTHENTICATION_OK: [u8; 9] = [b'R', 0, 0, 0, 8, 0, 0, 0, 0];

/// The server's answer to a login that it accepted.
#[derive(Debug)]
pub(crate) struct Greeting {
    /// For a client that has sent its `StartupMessage` and has proved who it is: everything from
    /// `AuthenticationOk` to `ReadyForQuery`, and what came after it.
    pub(crate) bytes: Bytes,
    /// The key that cancels statements of the session; `None` if the server offers no way.
    pub(crate) cancel: Option<CancelKey>,
}

/// Sends `startup` and proves who logs in.
pub(crate) async fn log_in(
    stream: &mut ServerStream,
    startup: &[u8],
    params: &ConnectParams,
) -> Result<Greeting, LoginError> {
    params.progress.answered(LoginPhase::StartUp);
    send(stream, startup).await?;
    let mut buffer = BytesMut::with_capacity(1024);
    // The client learns the protocol's version before anything else.
    let (mut version, mut settings) = (BytesMut::new(), BytesMut::new());
    let (mut proof, mut asked, mut proved, mut cancel) = (None, false, false, None);
    loop {
        let Message { kind, body } =
            message::read(stream, &mut buffer).await.map_err(LoginError::Io)?;
        if version.len() + settings.len() + body.len() > MAX_GREETING {
            return Err(LoginError::Protocol("more than 1 MiB before the session is open"));
        }
        match kind {
            b'E' => return Err(LoginError::Refused(ServerError::parse(&body))),
            b'R' => match authenticate(&body, &mut proof, stream, params)? {
                Step::Done => {
                    if !asked {
                        check_allowed(AuthMethod::None, params)?;
                    }
                    params.progress.answered(LoginPhase::Greeting);
                    proved = true;
                }
                Step::Answer(answer) => {
                    asked = true;
                    params.progress.answered(LoginPhase::Authentication);
                    send(stream, &answer).await?;
                }
                Step::Nothing => {}
            },
            b'v' => message::put(&mut version, kind, &body),
            b'K' => {
                let key = CancelKey::new(&body);
                cancel = Some(key.map_err(|_| LoginError::Protocol("an invalid cancel key"))?);
                message::put(&mut settings, kind, &body);
            }
            b'S' | b'N' => message::put(&mut settings, kind, &body),
            b'Z' if proved => {
                message::put(&mut settings, kind, &body);
                break;
            }
            _ => return Err(LoginError::Protocol("a message that does not belong to a login")),
        }
    }
    let bytes = [&version[..], &AUTHENTICATION_OK, &settings, &buffer].concat();
    Ok(Greeting { bytes: bytes.into(), cancel })
}

async fn send(stream: &mut ServerStream, bytes: &[u8]) -> Result<(), LoginError> {
    stream.write_all(bytes).await.map_err(LoginError::Io)?;
    stream.flush().await.map_err(LoginError::Io)
}

/// The step that an authentication message asks for.
enum Step {
    Done,
    Answer(BytesMut),
    Nothing,
}

fn check_allowed(method: AuthMethod, params: &ConnectParams) -> Result<(), LoginError> {
    match params.require_auth.allows(method) {
        true => Ok(()),
        false => Err(LoginError::NotAllowed(method)),
    }
}

fn authenticate(
    body: &Bytes,
    proof: &mut Option<Proof>,
    stream: &ServerStream,
    params: &ConnectParams,
) -> Result<Step, LoginError> {
    let mut rest = body.clone();
    let code =
        rest.try_get_u32().map_err(|_| LoginError::Protocol("a short authentication message"))?;
    let password = || params.password.as_ref().ok_or(LoginError::NoPassword);
    let asked_for = match code {
        3 => Some(AuthMethod::Password),
        5 => Some(AuthMethod::Md5),
        10 => Some(AuthMethod::ScramSha256),
        _ => None,
    };
    if let Some(method) = asked_for {
        check_allowed(method, params)?;
    }
    let answer = |body: &[u8]| {
        let mut answer = BytesMut::new();
        message::put(&mut answer, b'p', body);
        Ok(Step::Answer(answer))
    };
    match code {
        // A server that skips its own proof does not know the password.
        0 if proof.as_ref().is_some_and(|proof| !proof.is_mutual()) => Err(LoginError::Impostor),
        0 => Ok(Step::Done),
        3 if !stream.is_tls() && !params.is_loopback() => Err(LoginError::CleartextPassword),
        3 => answer(&[password()?.expose().as_bytes(), &[0]].concat()),
        5 => {
            let salt = rest.first_chunk().ok_or(LoginError::Protocol("a short salt"))?;
            let proof = md5_proof(&params.user, password()?, *salt);
            answer(&[proof.as_bytes(), &[0]].concat())
        }
        10 => {
            let mut offered = rest.split(|byte| *byte == 0);
            if !offered.any(|name| name == MECHANISM.as_bytes()) {
                return Err(LoginError::Method("SASL without SCRAM-SHA-256"));
            }
            password()?;
            let new =
                Proof::new().ok_or(LoginError::Method("random numbers that there are not"))?;
            answer(&proof.insert(new).initial())
        }
        11 => {
            let proof = proof.as_mut().ok_or(LoginError::Protocol("SASL that was not begun"))?;
            let proved = proof.answer(&rest, password()?);
            answer(&proved.ok_or(LoginError::Protocol("an invalid SCRAM message"))?)
        }
        12 => {
            let proof = proof.as_mut().ok_or(LoginError::Protocol("SASL that was not begun"))?;
            if proof.believes(&rest) { Ok(Step::Nothing) } else { Err(LoginError::Impostor) }
        }
        2 => Err(LoginError::Method("Kerberos")),
        7..=9 => Err(LoginError::Method("GSSAPI or SSPI")),
        _ => Err(LoginError::Method("an unknown method")),
    }
}
