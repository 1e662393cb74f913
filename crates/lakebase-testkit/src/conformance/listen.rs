//! The contract of [`Listen`].

use std::net::TcpStream;

use futures::io::{AsyncReadExt as _, AsyncWriteExt as _};
use lakebase_core::effect::{LocalAddress, LocalSocket};
use lakebase_core::{Listen, Timer};

use super::{on_thread, within};

/// Clients get in and are carried in both directions; nothing of a socket is left behind.
pub async fn listen(listen: &dyn Listen, timer: &dyn Timer) {
    let mut closed = false;
    // Another test may be given a port that was closed, so one of several is enough.
    for _ in 0..10 {
        let socket = listen.open_tcp().expect("a port");
        let LocalAddress::Tcp(address) = *socket.address() else {
            panic!("not a port: {socket:?}")
        };
        assert!(address.ip().is_loopback(), "{address} can be reached by others");
        serves(&*socket, timer, move || TcpStream::connect(address)).await;
        drop(socket);
        closed = TcpStream::connect(address).is_err();
        if closed {
            break;
        }
    }
    assert!(closed, "the port is still open");
    #[cfg(unix)]
    unix(listen, timer).await;
}

#[cfg(unix)]
async fn unix(listen: &dyn Listen, timer: &dyn Timer) {
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::UnixStream;

    let socket = listen.open_unix().expect("a socket");
    let LocalAddress::Unix { directory, port } = socket.address().clone() else {
        panic!("not a Unix socket: {socket:?}")
    };
    let mode = std::fs::metadata(&directory).expect("the folder").permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "others can enter the folder");
    let path = lakebase_core::connect::socket_path(&directory, port);
    let connect = path.clone();
    serves(&*socket, timer, move || UnixStream::connect(&connect)).await;
    drop(socket);
    assert!(!directory.exists(), "{directory:?} is still there");
    assert!(UnixStream::connect(path).is_err(), "it still listens");
}

/// Two clients one after the other, the first of which came before anybody waited for it.
async fn serves<S: std::io::Read + std::io::Write + Send + 'static>(
    socket: &dyn LocalSocket,
    timer: &dyn Timer,
    connect: impl Fn() -> std::io::Result<S>,
) {
    for _ in 0..2 {
        let mut client = connect().expect("a connection");
        let mut server = within(timer, "a client", socket.accept()).await.expect("a client");
        let there = on_thread(timer, "the client", move || {
            client.write_all(b"question")?;
            let mut answer = [0; 6];
            client.read_exact(&mut answer)?;
            let mut rest = Vec::new();
            client.read_to_end(&mut rest)?;
            assert!(rest.is_empty());
            Ok::<_, std::io::Error>(answer)
        });
        let here = async {
            let mut question = [0; 8];
            server.read_exact(&mut question).await?;
            server.write_all(b"answer").await?;
            server.close().await?;
            Ok::<_, std::io::Error>(question)
        };
        let (there, here) = futures::future::join(there, within(timer, "the server", here)).await;
        assert_eq!((&there.expect("no error"), &here.expect("no error")), (b"answer", b"question"));
    }
}
