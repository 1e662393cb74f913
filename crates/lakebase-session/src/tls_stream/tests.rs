//! Both sides of a stream, over a connection in memory.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};
use std::task::Waker;

use futures::executor::block_on;
use futures::future::join;
use futures_util::io::{AsyncReadExt as _, AsyncWriteExt as _};
use proptest::prelude::*;
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::PrivatePkcs8KeyDer;

use super::*;

const NAME: &str = "db.test";

/// One direction of a connection.
#[derive(Default)]
struct Way {
    bytes: VecDeque<u8>,
    ended: bool,
    wakers: Vec<Waker>,
    reads: usize,
    writes: usize,
}

/// One end of a connection in memory that takes at most `room` bytes and hands out at most `most` at once.
struct Socket {
    incoming: Arc<Mutex<Way>>,
    outgoing: Arc<Mutex<Way>>,
    room: usize,
    most: usize,
}

impl Socket {
    /// Both ends, which take and hand out all that there is.
    fn wide() -> (Self, Self) {
        let (there, back) = (Arc::default(), Arc::default());
        let end = |incoming: &Arc<_>, outgoing: &Arc<_>| Self {
            incoming: Arc::clone(incoming),
            outgoing: Arc::clone(outgoing),
            room: usize::MAX,
            most: usize::MAX,
        };
        (end(&back, &there), end(&there, &back))
    }

    fn calls(&self) -> (usize, usize) {
        (lock(&self.incoming).reads, lock(&self.outgoing).writes)
    }
}

fn lock(way: &Mutex<Way>) -> MutexGuard<'_, Way> {
    way.lock().unwrap()
}

impl Way {
    fn wake(&mut self) {
        self.wakers.drain(..).for_each(Waker::wake);
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut way = lock(&self.incoming);
        if way.bytes.is_empty() && !way.ended {
            way.wakers.push(context.waker().clone());
            return Poll::Pending;
        }
        way.reads += 1;
        let count = way.bytes.len().min(buffer.len()).min(self.most);
        for (place, byte) in buffer.iter_mut().zip(way.bytes.drain(..count)) {
            *place = byte;
        }
        way.wake();
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut way = lock(&self.outgoing);
        let count = self.room.saturating_sub(way.bytes.len()).min(bytes.len());
        if count == 0 {
            way.wakers.push(context.waker().clone());
            return Poll::Pending;
        }
        way.writes += 1;
        way.bytes.extend(&bytes[..count]);
        way.wake();
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut way = lock(&self.outgoing);
        way.ended = true;
        way.wake();
        Poll::Ready(Ok(()))
    }
}

fn configs() -> (Arc<ClientConfig>, Arc<ServerConfig>) {
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(ring::default_provider());
    let client = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key.into())
        .unwrap();
    (Arc::new(client), Arc::new(server))
}

fn name() -> ServerName<'static> {
    NAME.try_into().unwrap()
}

fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
    (near, far): (S, S),
) -> (TlsStream<S>, TlsStream<S>) {
    let (client, server) = configs();
    let both = join(TlsStream::connect(near, client, name()), TlsStream::accept(far, server));
    let (near, far) = block_on(both);
    (near.unwrap(), far.map_err(|(error, _)| error).unwrap())
}

fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|number| number.to_le_bytes()[0] ^ number.to_le_bytes()[1]).collect()
}

#[test]
fn a_small_message_is_one_write_and_one_read_of_the_socket() {
    let (mut near, mut far) = handshake(Socket::wide());
    let (before, before_far) = (near.socket.calls(), far.socket.calls());
    block_on(async {
        near.write_all(&bytes(100)).await.unwrap();
        near.flush().await.unwrap();
        let mut read = [0; 100];
        far.read_exact(&mut read).await.unwrap();
        assert_eq!(read.to_vec(), bytes(100));
    });
    assert_eq!(near.socket.calls(), (before.0, before.1 + 1));
    assert_eq!(far.socket.calls(), (before_far.0 + 1, before_far.1));
}

#[test]
fn several_records_that_came_together_are_one_read_of_the_socket() {
    let (mut near, mut far) = handshake(Socket::wide());
    let before = far.socket.calls().0;
    block_on(async {
        for _ in 0..3 {
            near.write_all(&bytes(16_000)).await.unwrap();
        }
        let mut read = vec![0; 48_000];
        far.read_exact(&mut read).await.unwrap();
        assert!(read.chunks(16_000).all(|part| part == bytes(16_000)));
    });
    assert_eq!(far.socket.calls().0, before + 1);
    assert!(far.ahead.is_empty());
}

#[test]
fn a_stream_may_lie_over_another() {
    let (near, far) = handshake(Socket::wide());
    let (mut near, mut far) = handshake((near, far));
    block_on(async {
        near.write_all(&bytes(100_000)).await.unwrap();
        near.close().await.unwrap();
        let mut read = Vec::new();
        far.read_to_end(&mut read).await.unwrap();
        assert!(read == bytes(100_000));
    });
}

#[test]
fn only_an_announced_end_is_an_end() {
    let (mut near, mut far) = handshake(Socket::wide());
    block_on(async {
        near.write_all(b"last").await.unwrap();
        near.close().await.unwrap();
        near.close().await.unwrap();
        let mut read = Vec::new();
        far.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, b"last");
        assert_eq!(far.read(&mut [0]).await.unwrap(), 0);
    });
    let (mut near, mut far) = handshake(Socket::wide());
    block_on(async {
        near.write_all(b"last").await.unwrap();
        near.flush().await.unwrap();
        near.socket.close().await.unwrap();
        let mut read = [0; 4];
        far.read_exact(&mut read).await.unwrap();
        for _ in 0..2 {
            let error = far.read(&mut [0]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
    });
}

#[test]
fn a_change_on_the_way_is_an_error_of_which_the_sender_hears() {
    let (mut near, mut far) = handshake(Socket::wide());
    block_on(async {
        near.write_all(b"select 1").await.unwrap();
        *lock(&far.socket.incoming).bytes.back_mut().unwrap() ^= 1;
        let error = far.read(&mut [0; 8]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(error.get_ref().unwrap().is::<rustls::Error>());
        let heard = near.read(&mut [0; 8]).await.unwrap_err();
        assert!(heard.to_string().contains("BadRecordMac"), "{heard}");
    });
}

#[test]
fn a_handshake_that_fails_gives_its_reason_and_the_socket_back() {
    let ((near, far), (client, server)) = (Socket::wide(), configs());
    let stranger: ServerName<'_> = "other.test".try_into().unwrap();
    let both = join(TlsStream::connect(near, client, stranger), TlsStream::accept(far, server));
    let (near, far) = block_on(both);
    let error = near.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert!(error.to_string().contains("not valid for name"), "{error}");
    let (error, _socket) = far.unwrap_err();
    assert!(error.to_string().contains("alert"), "{error}");

    let (invalid, early) = (io::ErrorKind::InvalidData, io::ErrorKind::UnexpectedEof);
    for (sent, kind) in [(&b"GET / HTTP/1.1\r\n\r\n"[..], invalid), (b"", early)] {
        let ((mut near, far), (_, server)) = (Socket::wide(), configs());
        block_on(async {
            near.write_all(sent).await.unwrap();
            near.close().await.unwrap();
            let (error, _socket) = TlsStream::accept(far, server).await.unwrap_err();
            assert_eq!(error.kind(), kind, "{sent:?}");
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever the sizes of writes, reads and of what the socket takes and gives, the bytes come in order, in both directions at once.
    #[test]
    fn bytes_come_in_order(
        room in 1_usize..50_000,
        most in 1_usize..50_000,
        writes in prop::collection::vec(0_usize..40_000, 1..6),
        read in 1_usize..40_000,
    ) {
        let (mut near, mut far) = handshake(Socket::wide());
        // Not before: the server's handshake ends with tickets, which a client that reads nothing yet leaves in the socket.
        for stream in [&mut near, &mut far] {
            (stream.socket.room, stream.socket.most) = (room, most);
        }
        let total = writes.iter().sum();
        let pass = async |mut stream: TlsStream<Socket>| {
            let (mut sent, mut received, mut part) = (0, Vec::new(), vec![0; read]);
            for count in &writes {
                let all = bytes(total);
                let (mut rest, flush) = (&all[sent..sent + count], count % 2 == 0);
                // Reads while it cannot write, as the other side does the same.
                poll_fn(|context| {
                    while received.len() < total
                        && let Poll::Ready(count) = Pin::new(&mut stream).poll_read(context, &mut part)
                    {
                        received.extend_from_slice(&part[..count.unwrap()]);
                    }
                    while !rest.is_empty() {
                        match Pin::new(&mut stream).poll_write(context, rest) {
                            Poll::Ready(count) => rest = &rest[count.unwrap()..],
                            Poll::Pending => return Poll::Pending,
                        }
                    }
                    match flush {
                        true => Pin::new(&mut stream).poll_flush(context).map(Result::unwrap),
                        false => Poll::Ready(()),
                    }
                })
                .await;
                sent += count;
            }
            let mut is_flushed = false;
            poll_fn(|context| {
                is_flushed |= Pin::new(&mut stream).poll_flush(context).map(Result::unwrap).is_ready();
                while received.len() < total {
                    match Pin::new(&mut stream).poll_read(context, &mut part) {
                        Poll::Ready(count) => received.extend_from_slice(&part[..count.unwrap()]),
                        Poll::Pending => return Poll::Pending,
                    }
                }
                if is_flushed { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            received
        };
        let (near, far) = block_on(join(pass(near), pass(far)));
        prop_assert!(near == bytes(total) && far == bytes(total));
    }
}
